"""Resizing: the best approximation of a rank, the strength kept, and what is refused. Parity: tests/parity/test_resize_merge.py."""

import pytest
import torch
from safetensors.torch import save_file

from lorasmith.adapters.files.lora_file import load_tensors
from lorasmith.adapters.kinds import KINDS
from lorasmith.adapters.layer import Layer
from lorasmith.adapters.tools.ranks import dynamic_rank
from lorasmith.adapters.tools.resize import lora_factors, resize_file, resize_layer
from lorasmith.errors import AdapterError
from tests.adapters.tools.merged_bases import write_lora


def layer(rank=6, alpha=3.0, mid=False, seed=0, magnitude=None, **tensors):
    generator = torch.Generator().manual_seed(seed)
    made = {"lora_down.weight": torch.randn(rank, 10, generator=generator), "lora_up.weight": torch.randn(14, rank, generator=generator)}
    if mid:
        made = {
            "lora_down.weight": torch.randn(rank, 10, 1, 1, generator=generator),
            "lora_mid.weight": torch.randn(rank, rank, 3, 3, generator=generator),
            "lora_up.weight": torch.randn(14, rank, 1, 1, generator=generator),
        }
    return Layer("x", KINDS["lora"], made | tensors, alpha, magnitude)


def change(of):
    left, right, _ = lora_factors(of)
    return of.alpha / left.shape[1] * left @ right


def test_a_lower_rank_is_the_best_that_there_is():
    source = layer()
    resized, report = resize_layer(source, 2)
    s = torch.linalg.svdvals(change(source))
    assert (change(source) - change(resized)).norm() == pytest.approx(s[2:].norm().item(), rel=1e-5)
    assert (resized.rank, resized.alpha) == (2, 1.0)
    assert report.norm_retained == pytest.approx((s[:2].norm() / s.norm()).item(), rel=1e-6)


@pytest.mark.parametrize("rank", [6, 9])
def test_the_same_or_a_higher_rank_changes_nothing_but_the_file(rank):
    source = layer()
    resized, _ = resize_layer(source, rank)
    assert resized.rank == rank
    torch.testing.assert_close(change(resized), change(source), rtol=1e-5, atol=1e-5)


def test_a_tucker_core_is_multiplied_out():
    source = layer(mid=True)
    resized, _ = resize_layer(source, 6)
    assert resized.tensors["lora_down.weight"].shape == (6, 10, 3, 3)
    direct = torch.einsum("omhw,mnyx,nihw->oiyx", *(source.tensors[f"lora_{k}.weight"] for k in ("up", "mid", "down")))
    torch.testing.assert_close(change(resized).view(direct.shape), 0.5 * direct.double(), rtol=1e-4, atol=1e-4)


def test_what_cannot_be_resized_is_refused_in_a_sentence():
    with pytest.raises(AdapterError, match="is a full difference"):
        resize_layer(Layer("x", KINDS["full"], {"diff": torch.ones(2, 2)}), 1)
    with pytest.raises(AdapterError, match="magnitude"):
        resize_layer(layer(magnitude=torch.ones(1, 10)), 1)
    with pytest.raises(AdapterError, match="not finite"):
        resize_layer(layer(**{"lora_up.weight": torch.full((14, 6), float("inf"))}), 1)
    with pytest.raises(AdapterError, match="rank 0 is out of range"):
        resize_layer(layer(), 0)
    for method, target, words in (("sv_best", 1, "sv_best"), ("sv_ratio", 0.5, "1 or more"), ("sv_fro", 90, "share")):
        with pytest.raises(AdapterError, match=words):
            dynamic_rank(torch.ones(4), method, target, 4)


def test_trained_normalisations_stay_as_they_are_beside_layers_of_other_ranks(tmp_path):
    q, scale = (
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q",
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_norm1",
    )
    normalisation = {f"{scale}.w_norm": torch.randn(1280), f"{scale}.b_norm": torch.randn(1280)}
    tensors = {f"{q}.lora_down.weight": torch.randn(8, 1280), f"{q}.lora_up.weight": torch.randn(1280, 8), f"{q}.alpha": torch.tensor(8.0)}
    save_file(tensors | normalisation, tmp_path / "both.safetensors")
    (report,) = resize_file(tmp_path / "both.safetensors", tmp_path / "small.safetensors", 4, family="sd1")
    assert (report.name, report.rank) == (q, 4)
    new = load_tensors(tmp_path / "small.safetensors")
    assert all(torch.equal(new.tensors[key], tensor) for key, tensor in normalisation.items())
    assert new.metadata["ss_network_dim"] == "4"
    save_file(normalisation, tmp_path / "alone.safetensors")
    with pytest.raises(AdapterError, match="nothing to resize"):
        resize_file(tmp_path / "alone.safetensors", tmp_path / "none.safetensors", 4, family="sd1")


def test_single_blocks_get_other_ranks_by_the_patterns_of_the_settings(tmp_path):
    file = write_lora(tmp_path / "lora.safetensors", "sd1", "lora", rank=4)
    reports = resize_file(file, tmp_path / "out.safetensors", 3, block_ranks={"IN01": 1, "TE*": 2, "*attn1*": 4})
    ranks = {report.name: report.rank for report in reports}
    assert {rank for name, rank in ranks.items() if name.startswith("lora_te_")} == {2}
    assert {rank for name, rank in ranks.items() if "down_blocks_0_attentions_0" in name} == {1}
    assert {rank for name, rank in ranks.items() if "up_blocks_1" in name and "attn1" in name} == {4}
    assert {rank for name, rank in ranks.items() if "up_blocks_1" in name and "attn2" in name} == {3}
    with pytest.raises(AdapterError, match=r"'IN77' fits no layer of the file; a layer is called, for example, lora_\w+ or, by its block"):
        resize_file(file, tmp_path / "other.safetensors", 3, block_ranks={"IN77": 1})
