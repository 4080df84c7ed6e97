"""LoRA files compared by their numbers, against the same sums made from whole matrices."""

import json
import math

import pytest
import torch

from lorasmith.adapters.delta import delta
from lorasmith.adapters.files.lora_file import save_lora
from lorasmith.adapters.tools.opened import open_lora
from lorasmith.errors import AdapterError
from lorasmith.library.changes import Change, inner, weight_statistics
from lorasmith.library.lora_comparison import compare_loras
from lorasmith.library.lora_comparison_page import lora_comparison_page

IN, MID = (
    "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_",
    "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_",
)


def lora(
    seed: int, rank: int = 4, alpha: float = 2.0, where: tuple[str, ...] = (f"{IN}q", f"{MID}q", f"{MID}k")
) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name in where:
        wide = 640 if name.startswith(IN) else 1280
        tensors[f"{name}.lora_down.weight"] = torch.randn(rank, wide, generator=generator) / 30
        tensors[f"{name}.lora_up.weight"] = torch.randn(wide, rank, generator=generator) / 30
        tensors[f"{name}.alpha"] = torch.tensor(alpha)
    return tensors


def loha(seed: int, name: str = f"{MID}q") -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    sides = {"hada_w1_a": (1280, 2), "hada_w1_b": (2, 1280), "hada_w2_a": (1280, 2), "hada_w2_b": (2, 1280)}
    return {f"{name}.{side}": torch.randn(shape, generator=generator) / 10 for side, shape in sides.items()} | {
        f"{name}.alpha": torch.tensor(2.0)
    }


@pytest.fixture
def save(tmp_path):
    def write(name, tensors, dtype=torch.float32, **metadata):
        save_lora(tmp_path / f"{name}.safetensors", tensors, {"ss_base_model_version": "sd_v1", **metadata}, dtype)
        return tmp_path / f"{name}.safetensors"

    return write


def whole(file, name):
    return delta(open_lora(file).layers[name]).double().flatten(1)


def test_norms_and_cosines_are_those_of_the_whole_matrices(save):
    """Also between kinds: a LoHa's change is no product of two thin matrices."""
    a, b = save("a", lora(1)), save("b", lora(2, rank=8, where=(f"{IN}q", f"{MID}k")) | loha(3))
    comparison = compare_loras([a, b])
    assert [(one.part, one.block) for one in comparison.blocks] == [("unet", "IN04"), ("unet", "MID")]
    in04 = comparison.blocks[0]
    one, other = whole(a, f"{IN}q"), whole(b, f"{IN}q")
    # Sums of 640 x 640 products in float64 on both sides.
    assert in04.norms == pytest.approx((float(one.norm()), float(other.norm())), rel=1e-10)
    assert in04.cosines[0] == pytest.approx(float((one * other).sum() / one.norm() / other.norm()), abs=1e-10)
    mid_a = torch.stack([whole(a, f"{MID}{part}") for part in "qk"])
    mid_b = torch.stack([whole(b, f"{MID}{part}") for part in "qk"])
    assert comparison.blocks[1].cosines[0] == pytest.approx(float((mid_a * mid_b).sum() / mid_a.norm() / mid_b.norm()), abs=1e-6)
    assert comparison.norms[0] == pytest.approx(math.hypot(float(one.norm()), float(mid_a.norm())), rel=1e-10)


def test_the_same_change_has_a_cosine_of_one_however_strong_and_its_opposite_of_minus_one(save):
    one = lora(1)
    twice = {key: 2 * tensor if "lora_up" in key else tensor for key, tensor in one.items()}
    less = {key: -tensor if "lora_up" in key else tensor for key, tensor in one.items()}
    comparison = compare_loras([save("one", one), save("twice", twice), save("less", less)])
    assert comparison.cosines[0] == pytest.approx((1, 1, -1), abs=1e-12)
    assert comparison.norms[1] == pytest.approx(2 * comparison.norms[0], rel=1e-12)


def test_a_block_that_one_of_them_does_not_change_is_said_so(save):
    comparison = compare_loras([save("a", lora(1, where=(f"{IN}q",))), save("b", lora(2, where=(f"{MID}q",)))])
    assert [one.norms[0] is None for one in comparison.blocks] == [False, True]
    assert [one.cosines for one in comparison.blocks] == [(None,), (None,)]
    assert comparison.cosines[0][1] is None


def test_settings_that_differ_are_in_the_words_of_lora_show_and_ours_by_their_names(save):
    ours = [
        json.dumps({"name": name, "optimizer": {"unet_lr": rate}, "datasets": [{"path": "x", "repeats": n}]})
        for name, rate, n in (("a", 1e-4, 2), ("b", 2e-4, 2))
    ]
    a = save("a", lora(1), ss_unet_lr="0.0001", ss_seed="1", ss_output_name="a", lorasmith_settings=ours[0])
    b = save("b", lora(1), ss_unet_lr="0.0002", ss_seed="1", ss_output_name="b", lorasmith_settings=ours[1])
    found = {one.setting: one.values for one in compare_loras([a, b]).settings}
    assert found == {"optimizer.unet_lr": (0.0001, 0.0002)}
    theirs = save("theirs", lora(1), ss_unet_lr="0.0002", ss_seed="1")
    assert {one.setting: one.values for one in compare_loras([a, theirs]).settings} == {"denoiser's learning rate": ("0.0001", "0.0002")}


def test_a_rank_is_said_twice_only_where_the_file_has_another_than_its_settings(save):
    ours = [json.dumps({"network": {"rank": rank}, "training": {"epochs": 8}}) for rank in (4, 8)]
    a = save("a", lora(1), ss_network_dim="4", ss_num_epochs="8", lorasmith_settings=ours[0])
    b = save("b", lora(1, rank=8), ss_network_dim="8", ss_num_epochs="8", lorasmith_settings=ours[1])
    resized = save("resized", lora(1, rank=2), ss_network_dim="2", ss_num_epochs="8", lorasmith_settings=ours[1])
    found = [{one.setting: one.values for one in compare_loras([a, other]).settings} for other in (b, resized)]
    assert found == [{"network.rank": (4, 8)}, {"rank": ("4", "2"), "network.rank": (4, 8)}]


def test_what_cannot_be_compared_is_said(save):
    a = save("a", lora(1))
    with pytest.raises(AdapterError, match="give two LoRA files or more"):
        compare_loras([a])
    dora = lora(1) | {f"{IN}q.dora_scale": torch.ones(1, 640)}
    (note,) = compare_loras([a, save("dora", dora)]).notes
    assert note.startswith("1 layer is left out")
    assert "--base" in note
    broken = {key: tensor * float("nan") if key.startswith(IN) else tensor for key, tensor in lora(1).items()}
    assert "not finite" in compare_loras([a, save("broken", broken)]).notes[0]


def test_the_page_has_a_bar_for_each_norm_and_every_setting(save):
    page = lora_comparison_page(compare_loras([save("a", lora(1), ss_seed="1"), save("b", lora(2), ss_seed="2")]))
    norms, _ = page.sections[0].blocks
    assert [row[0] for row in norms.rows] == ["unet IN04", "unet MID"]
    assert max(bar.share for row in norms.rows for bar in row[1:]) == 1.0
    assert page.sections[2].blocks[0].rows[0][1:] == ("1", "2")


def test_statistics_name_layers_that_do_nothing_are_broken_or_need_the_base(save):
    tensors = lora(1) | {f"{MID}v.{key.partition('.')[2]}": tensor for key, tensor in lora(5, where=(f"{MID}v",)).items()}
    tensors[f"{MID}k.lora_up.weight"] = torch.zeros(1280, 4)
    tensors[f"{MID}q.lora_up.weight"] = torch.full((1280, 4), float("inf"))
    tensors[f"{MID}v.dora_scale"] = torch.ones(1, 1280)
    opened = open_lora(save("odd", tensors))
    statistics = weight_statistics(opened.family, opened.layers)
    assert (statistics.dead, statistics.not_finite, statistics.unknown) == ((f"{MID}k",), (f"{MID}q",), (f"{MID}v",))
    assert statistics.blocks["unet", "IN04"] == pytest.approx(float(whole(save("a", lora(1)), f"{IN}q").norm()), rel=1e-10)
    assert statistics.norm == pytest.approx(statistics.blocks["unet", "IN04"])


def test_changes_of_other_shapes_have_no_inner_product():
    a, b = Change(torch.ones(4, 2).double(), torch.ones(2, 6).double()), Change(torch.ones(4, 2).double(), torch.ones(2, 5).double())
    assert math.isnan(inner(a, b))
    assert inner(a, a) == pytest.approx(4 * 6 * 2 * 2)
