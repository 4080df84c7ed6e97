"""What holds for every kind of network in merging and converting: changes add up in any pair, go there and back, and cancel out."""

import math
from functools import cache

import pytest
import torch
from torch import nn

from lorasmith.adapters.base_weights import BaseWeights
from lorasmith.adapters.delta import delta
from lorasmith.adapters.files.network import save_made
from lorasmith.adapters.kinds import KINDS, norm, oft_v2
from lorasmith.adapters.kinds.layer_settings import LayerSettings
from lorasmith.adapters.layer import Layer
from lorasmith.adapters.tools.convert import as_difference, as_lora, convert_file
from lorasmith.adapters.tools.merge import merge, merge_files
from lorasmith.adapters.tools.opened import open_lora
from lorasmith.errors import AdapterError

LINEAR = "lora_te_text_model_encoder_layers_0_mlp_fc1"
CONVOLUTION = "lora_unet_down_blocks_0_resnets_0_conv1"
SHAPES = {LINEAR: (8, 12), CONVOLUTION: (8, 4, 3, 3)}
CHANGES_WEIGHTS = [name for name, kind in KINDS.items() if kind.changes_weight]
EVERY_PAIR = [(a, b) for i, a in enumerate(CHANGES_WEIGHTS) for b in CHANGES_WEIGHTS[i:]]
EPS = torch.finfo(torch.float32).eps


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def module_at(path, layer):
    """A module with a layer under a path."""
    first, _, rest = path.partition(".")
    module = nn.Module()
    setattr(module, first, module_at(rest, layer) if rest else layer)
    return module


@cache
def base():
    """A base of one linear layer and one convolution, with weights of its own."""
    linear, convolution = nn.Linear(12, 8), nn.Conv2d(4, 8, 3)
    with torch.no_grad():
        linear.weight.copy_(normal(8, 12, seed=90))
        convolution.weight.copy_(normal(8, 4, 3, 3, seed=91))
    return BaseWeights(
        "sd1",
        {
            "text_encoder": module_at("encoder.layers.0.mlp.fc1", linear).requires_grad_(False),
            "unet": module_at("down_blocks.0.resnets.0.conv1", convolution).requires_grad_(False),
        },
    )


def layer_of(kind, name=LINEAR, seed=0):
    """A layer of this kind as if it had been trained."""
    if kind == oft_v2.KIND.name:
        size = math.prod(SHAPES[name][1:]) // 2
        return Layer(name, oft_v2.KIND, {oft_v2.BLOCKS: 0.1 * normal(2, size * (size - 1) // 2, seed=seed)})
    settings = LayerSettings(kind=kind, rank=2, alpha=1.0)
    tensors = KINDS[kind].formulas.start(torch.Size(SHAPES[name]), False, settings, torch.Generator().manual_seed(seed))
    moved = {
        end: tensor + 0.1 * normal(*tensor.shape, seed=seed + i) if tensor.is_floating_point() else tensor
        for i, (end, tensor) in enumerate(tensors.items(), 1)
    }
    file_kind = KINDS[kind].file_kind or KINDS[kind]
    return Layer(name, file_kind, moved, float(KINDS[kind].alpha(settings, KINDS[kind].rank(moved))) if KINDS[kind].has_alpha else None)


def change(layer):
    return delta(layer, base().weight(layer.name)).double()


@pytest.mark.parametrize("name", SHAPES, ids=["linear", "convolution"])
@pytest.mark.parametrize(("first", "second"), EVERY_PAIR)
def test_the_changes_of_any_two_kinds_add_up(first, second, name):
    a, b = layer_of(first, name, 1), layer_of(second, name, 20)
    merged = merge([({name: a}, 0.7), ({name: b}, -1.3)], base=base())[name]
    wanted = 0.7 * change(a) - 1.3 * change(b)
    # Each change is computed in fp32, from sums of up to 36 products of numbers of the size of the weight.
    size = change(a).abs().max() + change(b).abs().max() + base().weight(name).abs().max()
    torch.testing.assert_close(change(merged), wanted, rtol=0, atol=float(40 * EPS * size))


@pytest.mark.parametrize("kind", CHANGES_WEIGHTS)
def test_a_network_and_its_opposite_are_nothing(kind):
    layer = layer_of(kind)
    merged = merge([({LINEAR: layer}, 0.6), ({LINEAR: layer}, -0.6)], base=base())[LINEAR]
    assert change(merged).abs().max() <= 4 * EPS * change(layer).abs().max()
    gone = merge([({LINEAR: layer}, 0.6), ({LINEAR: layer}, -0.6)], rank=2, base=base())[LINEAR]
    assert change(gone).abs().max() <= 4 * EPS * change(layer).abs().max()


def test_normalisations_add_up_too():
    a, b = (Layer("x", norm.KIND, {norm.W: normal(5, seed=i), norm.B: normal(5, seed=i + 1)}) for i in (1, 5))
    merged = merge([({"x": a}, 0.5), ({"x": b}, 2.0)])["x"]
    for end in (norm.W, norm.B):
        torch.testing.assert_close(merged.tensors[end], 0.5 * a.tensors[end] + 2.0 * b.tensors[end])


@pytest.mark.parametrize("name", SHAPES, ids=["linear", "convolution"])
@pytest.mark.parametrize("kind", CHANGES_WEIGHTS)
def test_every_kind_becomes_a_lora_by_its_largest_singular_values(kind, name):
    layer = layer_of(kind, name, 3)
    whole, weight = change(layer), base().weight(name)
    values = torch.linalg.svdvals(whole.flatten(1))
    lora, report = as_lora(layer, 3, weight)
    lost = (change(lora) - whole).norm() / whole.norm()
    assert report.error == pytest.approx(float(lost), abs=1e-5)
    assert report.error == pytest.approx(float(values[lora.rank :].norm() / values.norm()), abs=1e-5)
    full, report = as_lora(layer, 12, weight)
    torch.testing.assert_close(change(full), whole, rtol=0, atol=float(40 * EPS * whole.abs().max()))
    difference, _ = as_difference(layer, weight)
    torch.testing.assert_close(change(difference), whole, rtol=0, atol=float(2 * EPS * whole.abs().max()))


@pytest.mark.parametrize("kind", [kind for kind in CHANGES_WEIGHTS if not KINDS[kind].needs_weight])
def test_files_go_there_and_back(kind, tmp_path):
    layer = layer_of(kind, LINEAR, 3)
    save_made(tmp_path / "a.safetensors", {LINEAR: layer}, "sd1", {}, torch.float32)
    forms = ("kohya", "diffusers", "peft") if kind in ("lora", "dylora") else ("kohya",)
    for form in forms:
        there, back = tmp_path / (form if form == "peft" else f"{form}.safetensors"), tmp_path / f"{form}-back.safetensors"
        convert_file(tmp_path / "a.safetensors", there, form, family="sd1")
        convert_file(there, back, family="sd1")
        again = open_lora(back, "sd1").layers[LINEAR]
        torch.testing.assert_close(change(again), change(layer), rtol=0, atol=float(8 * EPS * change(layer).abs().max()))


@pytest.mark.parametrize("precision", ["fp16", "bf16", "fp32"])
def test_the_rounding_of_another_precision_is_measured(precision, tmp_path):
    layer = layer_of("lora", LINEAR, 3)
    save_made(tmp_path / "a.safetensors", {LINEAR: layer}, "sd1", {}, torch.float32)
    reports, _ = convert_file(tmp_path / "a.safetensors", tmp_path / "b.safetensors", family="sd1", precision=precision)
    written = open_lora(tmp_path / "b.safetensors", "sd1").layers[LINEAR]
    lost = float((change(written) - change(layer)).norm() / change(layer).norm())
    assert reports[0].rounding == pytest.approx(lost, rel=1e-3, abs=1e-7)
    assert (lost > 1e-5) == (precision != "fp32")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("kind", CHANGES_WEIGHTS)
def test_numbers_that_are_not_finite_are_refused_in_every_kind(kind, number, tmp_path):
    layer, out = layer_of(kind), tmp_path / "out.safetensors"
    broken = layer.mapped(lambda tensor: torch.full_like(tensor, number) if tensor.is_floating_point() else tensor)
    for make in (
        lambda: merge([({LINEAR: broken}, 1.0)], rank=2, base=base())[LINEAR],
        lambda: as_lora(broken, 2, base().weight(LINEAR))[0],
        lambda: as_difference(broken, base().weight(LINEAR))[0],
    ):
        with pytest.raises(AdapterError, match="not finite|too large"):
            save_made(out, {LINEAR: make()}, "sd1", {}, torch.float32)
    assert not out.exists()


def test_a_sum_that_is_too_large_for_its_precision_is_refused(tmp_path):
    layer = Layer(LINEAR, KINDS["lora"], {"lora_down.weight": torch.full((2, 12), 200.0), "lora_up.weight": torch.full((8, 2), 200.0)}, 2.0)
    save_made(tmp_path / "a.safetensors", {LINEAR: layer}, "sd1", {}, torch.float16)
    with pytest.raises(AdapterError, match="too large for fp16"):
        merge_files([(tmp_path / "a.safetensors", 1e4)], tmp_path / "b.safetensors", family="sd1")
    with pytest.raises(AdapterError, match="not finite"):
        merge_files([(tmp_path / "a.safetensors", float("inf"))], tmp_path / "b.safetensors", family="sd1")
    assert not (tmp_path / "b.safetensors").exists()
