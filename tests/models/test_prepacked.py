"""Weights of frozen convolutions in oneDNN's blocks: the same numbers, once more the memory, and which layers are left as they are."""

import copy
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from torch import nn

from lorasmith.adapters.attach import attach
from lorasmith.adapters.files import names as keys
from lorasmith.errors import BaseModelError
from lorasmith.models import prepacked
from lorasmith.models.prepacked import WIDE, PrepackedWeight, convolutions_to_prepack, prepack, prepack_convolutions, prepacks
from lorasmith.models.quantize import quantize_weight
from lorasmith.training.learner.learner import Learner
from lorasmith.training.settings.tree import settings_from
from tests.bounds import assert_within_rounding

pytestmark = pytest.mark.skipif(not prepacks(), reason="only x86 CPUs with oneDNN prepack")


def made(*shape, dtype=torch.float32, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def output_and_gradient(x, weight, bias, padding, grad):
    x = x.detach().requires_grad_()
    y = F.conv2d(x, weight, bias, (1, 1), padding, (1, 1), 1)
    return y.detach(), torch.autograd.grad(y, x, grad)[0]


@pytest.mark.parametrize("dtype", prepacked.dtypes())
@pytest.mark.parametrize(
    ("channels", "kernel", "padding"), [((192, 48), (3, 3), (1, 1)), ((64, 64), (3, 3), (0, 1)), ((4, 32), (5, 3), (2, 0))]
)
def test_the_output_and_the_gradient_of_the_input_are_those_of_the_weight(dtype, channels, kernel, padding):
    into, out = channels
    weight, bias = made(out, into, *kernel, dtype=dtype), made(out, dtype=dtype, seed=1)
    prepacked = prepack(weight.clone(), padding)
    for batch, height, width in [(1, 5, 5), (3, 5, 6), (1, 16, 16), (8, 5, 7)]:  # each may want other blocks
        x = made(batch, into, height, width, dtype=dtype, seed=2)
        grad = made(*F.conv2d(x, weight, bias, 1, padding).shape, dtype=dtype, seed=3)
        found = output_and_gradient(x, prepacked, bias, padding, grad)
        exact = output_and_gradient(x.double(), weight.double(), bias.double(), padding, grad.double())
        size = output_and_gradient(x.double().abs(), weight.double().abs(), bias.double().abs(), padding, grad.double().abs())
        for one, expected, terms, summed in zip(found, exact, size, (into, out), strict=True):
            assert one.dtype == dtype
            # bf16 is added up in float32 and rounded once, but for what a CPU without its instructions makes of it
            roundings = summed * kernel[0] * kernel[1] + 1 if dtype == torch.float32 else 2
            assert_within_rounding(one, expected, roundings=roundings, terms=terms, dtype=dtype)


def test_what_is_computed_does_not_depend_on_the_sizes_before():
    """So a resumed run, which meets its sizes in another order, computes what an uninterrupted one does."""
    weight, sizes = made(48, 192, 3, 3), [(1, 16, 16), (8, 4, 4), (1, 4, 4)]
    found = []
    for order in (sizes, sizes[::-1]):
        prepacked, results = prepack(weight.clone(), (1, 1)), {}
        for batch, height, width in order:
            x, grad = made(batch, 192, height, width, seed=2), made(batch, 48, height, width, seed=3)
            results[batch, height] = output_and_gradient(x, prepacked, None, (1, 1), grad)
        found.append(results)
    for size, (y, grad_x) in found[0].items():
        assert torch.equal(y, found[1][size][0])
        assert torch.equal(grad_x, found[1][size][1])


@pytest.mark.parametrize("dtype", prepacked.dtypes())
def test_a_wide_weight_takes_twice_its_memory_whatever_the_sizes(dtype):
    weight = made(320, 320, 3, 3, dtype=dtype)
    prepacked = prepack(weight, (1, 1))
    assert prepacked.packs.nbytes == weight.nbytes
    for batch, side in [(1, 4), (4, 8), (1, 16), (2, 12)]:
        x = made(batch, 320, side, side, dtype=dtype)
        output_and_gradient(x, prepacked, None, (1, 1), x)
    assert prepacked.packs.nbytes == 2 * weight.nbytes
    assert torch.equal(prepacked.packs.unpacked(), weight), "nothing is lost"
    assert torch.equal(prepacked + 0, weight), "whatever reads it gets the numbers"
    assert torch.equal(copy.deepcopy(prepacked) + 0, weight)


def test_a_prepacked_weight_cannot_be_changed():
    prepacked = prepack(made(8, 8, 3, 3), (1, 1))
    with pytest.raises(BaseModelError, match="cannot be changed"):
        prepacked.mul_(2)


def test_a_gradient_of_the_bias_is_made_where_it_is_asked_for():
    weight, bias, x = made(8, 4, 3, 3), made(8).requires_grad_(), made(2, 4, 5, 5)
    F.conv2d(x, prepack(weight, (1, 1)), bias, padding=(1, 1)).sum().backward()
    assert bias.grad.tolist() == pytest.approx([2 * 5 * 5] * 8)


def test_only_frozen_convolutions_with_a_stride_of_1_are_prepacked():
    def conv(into=WIDE, out=8, kernel=3, **more):
        return nn.Conv2d(into, out, kernel, **{"padding": kernel // 2, **more}).requires_grad_(False)

    model = nn.ModuleDict({
        "plain": conv(), "narrow": conv(4, 4), "bf16": conv().bfloat16(), "strided": conv(stride=2), "pointwise": conv(kernel=1),
        "groups": conv(groups=8), "dilated": conv(dilation=2), "mirrored": conv(padding_mode="reflect"), "same": conv(padding="same"),
        "wide padding": conv(padding=3), "fp16": conv().half(), "trained": conv().requires_grad_(True), "read": conv(), "packed": conv(),
    })  # fmt: skip
    model["packed"].weight = nn.Parameter(quantize_weight(model["packed"].weight, "int8", torch.float32), requires_grad=False)
    prepack_convolutions(model, [model["read"]])
    able = {"plain", "narrow", *(["bf16"] if torch.bfloat16 in prepacked.dtypes() else [])}
    assert {name for name, layer in model.items() if isinstance(layer.weight, PrepackedWeight)} == able


def test_a_model_of_narrow_layers_is_left_as_it_is():
    assert convolutions_to_prepack(nn.Sequential(nn.Conv2d(WIDE - 1, 64, 3, padding=1), nn.Conv2d(64, WIDE - 1, 3, padding=1))) == []


def unet_with_lora():
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(32, WIDE), layers_per_block=1, cross_attention_dim=16, attention_head_dim=4, norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    ).requires_grad_(False).eval()  # fmt: skip
    targets = {of_layer[0]: name for name, of_layer in keys.targets("sd1", "unet", unet).items() if "attn" in of_layer[0]}
    adapter = attach(unet, targets, rank=4, alpha=4, seed=0)
    with torch.no_grad():
        for number, (_, parameter) in enumerate(sorted(adapter.named_parameters())):
            parameter.copy_(made(*parameter.shape, seed=number) * 0.1)
    return unet, adapter


def loss_and_gradients(unet, adapter):
    adapter.zero_grad()
    prediction = unet(made(2, 4, 8, 8), torch.tensor([10, 700]), made(2, 7, 16, seed=1)).sample
    loss = (prediction - made(2, 4, 8, 8, seed=2)).square().mean()
    loss.backward()
    return loss.item(), torch.cat([parameter.grad.flatten() for parameter in adapter.parameters()])


def ready_base(unet, adapter, torch_compile):
    settings = settings_from({
        "name": "n", "base": {"path": "b"}, "datasets": [{"path": "d"}], "training": {"torch_compile": torch_compile},
    })  # fmt: skip
    Learner(SimpleNamespace(parts={"unet": unet}, denoiser="unet"), {"unet": adapter}, None, None, settings).ready_base()
    return any(isinstance(parameter, PrepackedWeight) for parameter in unet.parameters())


def test_a_run_prepacks_its_denoiser_and_has_the_same_loss_and_gradients():
    unet, adapter = unet_with_lora()
    loss, gradients = loss_and_gradients(unet, adapter)
    assert ready_base(unet, adapter, torch_compile=False)
    for _ in range(2):  # blocks are made, and found
        again, others = loss_and_gradients(unet, adapter)
        assert again == pytest.approx(loss, rel=1e-5)
        assert ((others - gradients).norm() / gradients.norm()).item() < 1e-4


def test_a_compiled_denoiser_is_left_to_the_compiler():
    assert not ready_base(*unet_with_lora(), torch_compile=True)


def test_a_torch_without_the_operations_computes_as_ever(monkeypatch):
    monkeypatch.setattr(prepacked, "OPERATIONS", (*prepacked.OPERATIONS, "of_another_version"))
    model = nn.Sequential(nn.Conv2d(256, 256, 3, padding=1)).requires_grad_(False)
    prepacked.prepack_convolutions(model)
    assert type(model[0].weight) is nn.Parameter


def test_a_weight_in_bf16_is_left_as_it_is_on_a_cpu_without_its_instructions(monkeypatch):
    monkeypatch.setattr(prepacked, "dtypes", lambda: (torch.float32,))
    model = nn.Sequential(nn.Conv2d(256, 256, 3, padding=1), nn.Conv2d(256, 256, 3, padding=1).to(torch.bfloat16)).requires_grad_(False)
    prepacked.prepack_convolutions(model)
    assert [type(layer.weight) is nn.Parameter for layer in model] == [False, True]
