"""Merging: the changes add up exactly, whatever the kinds; a rank approximates; layers of one file alone are kept."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from lorasmith.adapters.base_weights import BaseWeights
from lorasmith.adapters.delta import delta
from lorasmith.adapters.kinds import KINDS
from lorasmith.adapters.layer import Layer
from lorasmith.adapters.tools.merge import METHODS, Sparse, merge
from lorasmith.draws import generator_for
from lorasmith.errors import AdapterError, SettingsError

NAME = "lora_te_text_model_encoder_layers_0_mlp_fc1"


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def lora(rank, alpha, seed, out=7, width=5):
    return Layer(
        NAME, KINDS["lora"], {"lora_down.weight": normal(rank, width, seed=seed), "lora_up.weight": normal(out, rank, seed=seed + 1)}, alpha
    )


def loha(seed):
    tensors = {f"hada_w{i}_{s}": normal(*((7, 2) if s == "a" else (2, 5)), seed=seed + i) for i in (1, 2) for s in "ab"}
    return Layer(NAME, KINDS["loha"], tensors, 1.0)


class Encoder(nn.Module):
    """A text encoder's layer of 7 by 5."""

    def __init__(self):
        super().__init__()
        block = nn.Module()
        block.mlp = nn.Module()
        block.mlp.fc1 = nn.Linear(5, 7)
        self.encoder = nn.Module()
        self.encoder.layers = nn.ModuleList([block])


def test_loras_of_different_ranks_and_alphas_add_up_exactly():
    a, b = lora(2, 1.0, 0), lora(3, None, 10)
    merged = merge([({NAME: a}, 0.7), ({NAME: b}, -0.4)])[NAME]
    assert (merged.rank, merged.alpha) == (5, 5.0)
    torch.testing.assert_close(delta(merged), 0.7 * delta(a) - 0.4 * delta(b), rtol=1e-6, atol=1e-6)


def test_a_rank_gives_the_best_of_that_rank():
    a, b = lora(2, 1.0, 0), lora(3, 2.0, 10)
    merged = merge([({NAME: a}, 1.0), ({NAME: b}, 1.0)], rank=2)[NAME]
    whole = delta(a) + delta(b)
    assert (delta(merged) - whole).norm() == pytest.approx(torch.linalg.svdvals(whole)[2:].norm().item(), rel=1e-5)


def test_a_rank_keeps_a_change_of_the_bias_beside_other_kinds():
    """It is a row of numbers beside the LoRA, which no rank touches."""
    a = Layer(NAME, KINDS["full"], {"diff": normal(7, 5), "diff_b": normal(7, seed=1)})
    b = replace(loha(3), bias=normal(7, seed=2))
    merged = merge([({NAME: a}, 0.5), ({NAME: b}, 2.0)], rank=5)[NAME]
    assert merged.kind is KINDS["lora"]
    torch.testing.assert_close(merged.delta_bias(), 0.5 * a.delta_bias() + 2 * b.delta_bias())
    torch.testing.assert_close(delta(merged).double(), (0.5 * delta(a) + 2 * delta(b)).double(), rtol=1e-5, atol=1e-5)


def test_other_kinds_are_written_as_their_exact_difference_or_approximated():
    a, b = lora(2, 1.0, 0), loha(3)
    whole = 0.5 * delta(a) + 2 * delta(b)
    exact = merge([({NAME: a}, 0.5), ({NAME: b}, 2.0)])[NAME]
    assert exact.kind.name == "full"
    torch.testing.assert_close(delta(exact).double(), whole.double(), rtol=1e-5, atol=1e-5)
    full_rank = merge([({NAME: a}, 0.5), ({NAME: b}, 2.0)], rank=5)[NAME]
    torch.testing.assert_close(delta(full_rank), whole.double(), rtol=1e-5, atol=1e-5)


def test_kinds_that_depend_on_the_base_are_merged_with_it():
    base = BaseWeights("sd1", {"text_encoder": Encoder()})
    ia3 = Layer(NAME, KINDS["ia3"], {"weight": normal(7), "on_input": torch.tensor(0)})
    with pytest.raises(AdapterError, match="give the base too"):
        merge([({NAME: ia3}, 1.0), ({NAME: lora(2, 1.0, 0)}, 1.0)])
    merged = merge([({NAME: ia3}, 0.5), ({NAME: lora(2, 1.0, 0)}, 1.0)], base=base)[NAME]
    weight = base.weight(NAME).detach()
    torch.testing.assert_close(delta(merged), (0.5 * normal(7)[:, None] * weight + delta(lora(2, 1.0, 0))).float(), rtol=1e-5, atol=1e-5)


def test_layers_of_one_file_alone_are_kept_and_those_that_do_not_fit_are_refused():
    other = Layer("lora_te_text_model_encoder_layers_1_mlp_fc1", KINDS["lora"], lora(2, 1.0, 0).tensors, 1.0)
    merged = merge([({NAME: lora(2, 1.0, 0)}, 1.0), ({other.name: other}, 0.5)])
    torch.testing.assert_close(delta(merged[other.name]), 0.5 * delta(other))
    with pytest.raises(AdapterError, match="different shapes"):
        merge([({NAME: lora(2, 1.0, 0)}, 1.0), ({NAME: lora(2, 1.0, 0, out=8)}, 1.0)])
    with pytest.raises(AdapterError, match="No LoRA to merge"):
        merge([])


def literal_ties(changes, density):
    """The paper's section 4, number by number."""
    kept = []
    for change in changes:
        numbers = change.flatten().tolist()
        count = max(1, round(density * len(numbers)))
        largest = sorted(range(len(numbers)), key=lambda i: -abs(numbers[i]))[:count]
        kept.append([number if i in largest else 0.0 for i, number in enumerate(numbers)])
    merged = []
    for at_place in zip(*kept, strict=True):
        total = sum(at_place)
        agreeing = [number for number in at_place if number * total > 0]
        merged.append(sum(agreeing) / len(agreeing) if agreeing else 0.0)
    return torch.tensor(merged, dtype=torch.float64).view_as(changes[0])


def literal_dare(changes, density, seed, of):
    """The paper's section 3.2, number by number."""
    total = torch.zeros_like(changes[0])
    for network, change in enumerate(changes):
        drawn = torch.rand(change.shape, generator=generator_for("merge", seed, of, network))
        for place in torch.cartesian_prod(*(torch.arange(size) for size in change.shape)):
            at = tuple(place.tolist())
            total[at] += change[at] / density if drawn[at] < density else 0.0
    return total


@pytest.mark.parametrize("density", [0.2, 0.5, 1.0])
def test_ties_and_dare_are_what_their_papers_say(density):
    layers = [(lora(2, 1.0, 0), 0.8), (lora(3, 2.0, 10), -0.5), (loha(3), 0.3)]
    changes = [ratio * delta(layer).double() for layer, ratio in layers]
    found = {
        method: delta(merge([({NAME: layer}, ratio) for layer, ratio in layers], sparse=Sparse(method, density, seed=4))[NAME])
        for method in METHODS
    }
    torch.testing.assert_close(found["ties"].double(), literal_ties(changes, density), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found["dare"].double(), literal_dare(changes, density, 4, f"{NAME}.weight"), rtol=1e-6, atol=1e-6)


def test_ties_of_one_number_each_keeps_those_that_agree():
    small = [Layer(NAME, KINDS["full"], {"diff": torch.tensor([numbers])}, None) for numbers in ([3.0, 1.0, -2.0], [1.0, -4.0, -1.0])]
    merged = merge([({NAME: small[0]}, 1.0), ({NAME: small[1]}, 1.0)], sparse=Sparse("ties", 1.0))[NAME]
    assert merged.tensors["diff"].tolist() == [[2.0, -4.0, -1.5]]
    merged = merge([({NAME: small[0]}, 1.0), ({NAME: small[1]}, 1.0)], sparse=Sparse("ties", 1 / 3))[NAME]
    assert merged.tensors["diff"].tolist() == [[3.0, -4.0, 0.0]]


def test_dare_depends_on_its_seed_alone_and_keeps_the_mean():
    change = Layer(NAME, KINDS["full"], {"diff": torch.ones(200, 300)}, None)
    one, same, other = (merge([({NAME: change}, 0.5)], sparse=Sparse("dare", 0.25, seed))[NAME].tensors["diff"] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert set(one.unique().tolist()) == {0.0, 2.0}
    # The mean of n numbers of this kind is off by less than five times sqrt((1 - p) / p / n) of itself.
    assert one.mean().item() == pytest.approx(0.5, rel=5 * (0.75 / 0.25 / one.numel()) ** 0.5)


def test_a_sparse_merge_of_a_rank_is_the_best_of_that_rank():
    networks = [({NAME: lora(2, 1.0, 0)}, 1.0), ({NAME: lora(3, 2.0, 10)}, 1.0)]
    whole = delta(merge(networks, sparse=Sparse("ties", 0.5))[NAME]).double()
    merged = merge(networks, rank=3, sparse=Sparse("ties", 0.5))[NAME]
    assert merged.rank == 3
    assert (delta(merged) - whole).norm() == pytest.approx(torch.linalg.svdvals(whole)[3:].norm().item(), rel=1e-5)


@pytest.mark.parametrize(
    ("sparse", "message"),
    [
        (Sparse("tie"), "no way to merge called 'tie'"),
        (Sparse("ties", 0.0), "density 0 is out"),
        (Sparse("dare", 1.5), "density 1.5 is out"),
    ],
)
def test_sparse_methods_that_do_not_exist_are_refused(sparse, message):
    with pytest.raises(SettingsError, match=message):
        merge([({NAME: lora(2, 1.0, 0)}, 1.0)], sparse=sparse)


def test_a_kernel_that_a_file_flattens_or_leaves_out_is_that_of_the_others():
    name = "lora_unet_down_blocks_0_resnets_0_conv1"
    whole = Layer(name, KINDS["lora"], {"lora_down.weight": normal(2, 4, 3, 3), "lora_up.weight": normal(8, 2, 1, 1)}, 2.0)
    flat = Layer(name, KINDS["lora"], {"lora_down.weight": normal(3, 36, seed=2), "lora_up.weight": normal(8, 3, seed=3)}, 3.0)
    loha = Layer(
        name, KINDS["loha"], {f"hada_w{i}_{s}": normal(*((8, 2) if s == "a" else (2, 36)), seed=i) for i in (1, 2) for s in "ab"}, 1.0
    )
    for other in (flat, loha):
        merged = merge([({name: other}, 0.5), ({name: whole}, 2.0)])[name]
        assert delta(merged).shape == (8, 4, 3, 3)
        wanted = 0.5 * delta(other).double().reshape(8, 4, 3, 3) + 2.0 * delta(whole)
        torch.testing.assert_close(delta(merged).double(), wanted, rtol=1e-5, atol=1e-5)
