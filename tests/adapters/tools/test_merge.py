"""Merging: the changes add up exactly, whatever the kinds; a rank approximates; layers of one file alone are kept."""

import pytest
import torch
from torch import nn

from lorasmith.adapters.base_weights import BaseWeights
from lorasmith.adapters.delta import delta
from lorasmith.adapters.kinds import KINDS
from lorasmith.adapters.layer import Layer
from lorasmith.adapters.tools.merge import merge
from lorasmith.errors import AdapterError

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
