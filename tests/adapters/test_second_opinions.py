"""LyCORIS and peft, asked where they are right: the same tensors change a weight, or a model, in the same way."""

import os

os.environ.setdefault("LYCORIS_KERNEL_BACKEND", "torch")

import peft
import pytest
import torch
from lycoris import functional as lycoris
from lycoris.functional.general import factorization
from lycoris.modules.glora import _glora_weight
from torch import nn

from lorasmith.adapters.attach import attach_network
from lorasmith.adapters.kinds import KINDS
from lorasmith.adapters.kinds.formulas import lokr
from lorasmith.adapters.kinds.layer_settings import LayerSettings

SHAPES = {"linear": (24, 20), "conv 1x1": (24, 20, 1, 1), "conv 3x3": (24, 20, 3, 3)}
ALPHA, RANK = 2.0, 3
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())


def drawn(kind, shape, **options):
    """A weight, and a layer's tensors over it with every number moved."""
    torch.manual_seed(0)
    module = nn.Linear(shape[1], shape[0]) if len(shape) == 2 else nn.Conv2d(shape[1], shape[0], shape[2])
    adapter = attach_network(nn.Sequential(module), {"0": "x"}, KINDS[kind].layer_settings(rank=RANK, alpha=ALPHA, **options), seed=1)
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter += 0.2 * torch.randn(parameter.shape)
    layer = adapter.layers()["x"]
    return module.weight.detach(), {name: value.detach() for name, value in layer.tensors().items()}, layer


def agrees(layer, weight, theirs):
    torch.testing.assert_close(layer.layer.delta_weight(weight).detach(), theirs.view(weight.shape).float(), rtol=1e-4, atol=1e-5)


@every_shape
@pytest.mark.parametrize("tucker", [False, True])
def test_lora_as_lycoris_has_it(shape, tucker):
    weight, t, layer = drawn("lora", shape, use_tucker=tucker)
    theirs = lycoris.locon.diff_weight(t["lora_down.weight"], t["lora_up.weight"], t.get("lora_mid.weight"), gamma=ALPHA / RANK)
    agrees(layer, weight, theirs)


@every_shape
@pytest.mark.parametrize("tucker", [False, True])
def test_loha_as_lycoris_has_it(shape, tucker):
    weight, t, layer = drawn("loha", shape, use_tucker=tucker)
    halves = t["hada_w1_b"], t["hada_w1_a"], t["hada_w2_b"], t["hada_w2_a"], t.get("hada_t1"), t.get("hada_t2")
    agrees(layer, weight, lycoris.loha.diff_weight(*halves, gamma=ALPHA / RANK))


@every_shape
@pytest.mark.parametrize("options", [{}, {"factor": 2}, {"full_matrix": True}, {"factor": 12, "decompose_both": True}])
def test_lokr_as_lycoris_has_it(shape, options):
    weight, t, layer = drawn("lokr", shape, **options)
    names = ("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2")
    parts = [t.get(name) for name in names]
    if parts[5] is not None:
        parts[5] = parts[5].view(len(parts[5]), -1, *shape[2:])
    agrees(layer, weight, lycoris.lokr.diff_weight(*parts, gamma=ALPHA))  # which divides by the rank itself


@pytest.mark.parametrize("factor", [-1, 2, 4, 8, 16])
def test_sizes_are_split_for_lokr_as_lycoris_splits_them(factor):
    for size in (16, 127, 320, 360, 640, 768, 1000, 1280, 2560, 3072, 5120, 10240):
        assert lokr.split(size, factor) == factorization(size, factor)


@every_shape
def test_glora_as_lycoris_has_it(shape):
    weight, t, layer = drawn("glora", shape)
    factors = (t[name] for name in ("a1.weight", "a2.weight", "b1.weight", "b2.weight"))
    agrees(layer, weight, _glora_weight(weight, *factors, None, ALPHA / RANK))


@every_shape
@pytest.mark.parametrize("constraint", [0.0, 0.02])
def test_diag_oft_as_lycoris_has_it(shape, constraint):
    weight, t, layer = drawn("diag-oft", shape, block_size=4, constraint=constraint)
    agrees(layer, weight, lycoris.diag_oft.diff_weight(weight, t["oft_blocks"], None, constraint=constraint * shape[0]))


@every_shape
@pytest.mark.parametrize("constraint", [0.0, 0.02])
def test_boft_as_lycoris_has_it(shape, constraint):
    weight, t, layer = drawn("boft", shape, block_size=6, constraint=constraint)
    assert t["oft_blocks"].shape == (3, 4, 6, 6)
    agrees(layer, weight, lycoris.boft.diff_weight(weight, t["oft_blocks"], None, constraint=constraint * shape[0]))


# ---- whole layers by peft


PEFT = {
    "lora": (LayerSettings(rank=RANK, alpha=ALPHA), peft.LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=["0"])),
    "lora rs": (
        LayerSettings(rank=RANK, alpha=ALPHA, rs_lora=True),
        peft.LoraConfig(r=RANK, lora_alpha=ALPHA, use_rslora=True, target_modules=["0"]),
    ),
    "loha": (LayerSettings(kind="loha", rank=RANK, alpha=ALPHA), peft.LoHaConfig(r=RANK, alpha=ALPHA, target_modules=["0"])),
    "lokr": (
        LayerSettings(kind="lokr", rank=2, alpha=ALPHA),
        peft.LoKrConfig(r=2, alpha=ALPHA, decompose_factor=-1, target_modules=["0"]),
    ),
    "ia3": (LayerSettings(kind="ia3"), peft.IA3Config(target_modules=["0"], feedforward_modules=[])),
}


@pytest.mark.parametrize("layer", ["linear", "conv 3x3"])
@pytest.mark.parametrize(("settings", "config"), PEFT.values(), ids=PEFT.keys())
def test_a_layer_gives_what_pefts_gives_with_the_same_numbers(settings, config, layer):
    bias = settings.kind != "ia3"  # peft's (IA)^3 scales the bias too
    torch.manual_seed(0)
    ours, theirs = (
        nn.Sequential(nn.Linear(20, 24, bias=bias) if layer == "linear" else nn.Conv2d(20, 24, 3, padding=1, bias=bias)) for _ in range(2)
    )
    theirs.load_state_dict(ours.state_dict())
    adapter = attach_network(ours, {"0": "x"}, settings, seed=1)
    theirs = peft.inject_adapter_in_model(config, theirs)
    own = {
        name.replace("lora_down", "lora_A").replace("lora_up", "lora_B"): value for name, value in adapter.layers()["x"].tensors().items()
    }
    with torch.no_grad():
        for name, value in theirs.named_parameters():
            if "default" not in name:
                continue
            ending = name.removeprefix("0.").replace(".default", "")
            if settings.kind == "ia3":  # theirs multiplies, ours is what is added to one
                own["weight"].copy_(0.2 * torch.randn(own["weight"].shape))
                value.copy_(1 + own["weight"].view(value.shape))
                continue
            own[ending].copy_(own[ending] + 0.2 * torch.randn(own[ending].shape))
            value.copy_(own[ending].view(value.shape))
    x = torch.randn(3, 20) if layer == "linear" else torch.randn(3, 20, 5, 5)
    assert not torch.allclose(ours(x), ours[0].__class__.forward(ours[0], x), atol=1e-2)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)
