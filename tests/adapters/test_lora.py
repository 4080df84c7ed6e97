"""The detour around one layer: its gradients, its memory layouts, its precision."""

import math

import pytest
import torch
import torch.nn.functional as F

from lorasmith.adapters.kinds.formulas import lora
from lorasmith.adapters.kinds.formulas.detour import conv2d, linear

SCALE = 0.7

CONVOLUTIONS = {
    "1x1": (1, {}),
    "1x1 with stride": (1, {"stride": (2, 2)}),
    "3x3": (3, {"padding": (1, 1)}),
    "3x3 with stride": (3, {"stride": (2, 2), "padding": (1, 1)}),
    "3x3 dilated, uneven": (3, {"stride": (1, 2), "padding": (2, 0), "dilation": (2, 1)}),
}


def numbers(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def factors(weight, rank=3):
    down = numbers(*lora.down_shape(weight.shape, rank), seed=11, dtype=weight.dtype)
    up = numbers(*lora.up_shape(weight.shape, rank), seed=12, dtype=weight.dtype)
    return down, up


def gradients(function, *inputs):
    """The output and the gradients of all inputs, for a fixed gradient of the output."""
    inputs = [value.detach().clone(memory_format=torch.preserve_format).requires_grad_() for value in inputs]
    output = function(*inputs)
    output.backward(torch.linspace(-1, 1, output.numel(), dtype=output.dtype).view(output.shape))
    return output.detach(), *(value.grad for value in inputs)


def assert_all_close(found, expected, **tolerance):
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, **tolerance)


@pytest.mark.parametrize("shape", [(5, 4), (2, 5, 4), (2, 3, 5, 4), (4,)])
def test_a_linear_layer_and_its_gradients_are_those_of_the_merged_weight(shape):
    x, weight, bias = numbers(*shape), numbers(6, 4, seed=1), numbers(6, seed=2)
    down, up = factors(weight)

    def merged(x, weight, bias, down, up):
        return F.linear(x, weight + lora.delta_weight(down, up, SCALE), bias)

    ours = gradients(lambda *tensors: linear(*tensors, SCALE), x, weight, bias, down, up)
    assert_all_close(ours, gradients(merged, x, weight, bias, down, up))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("kernel", "how"), CONVOLUTIONS.values(), ids=CONVOLUTIONS.keys())
def test_a_convolution_and_its_gradients_are_those_of_the_merged_weight(kernel, how, layout):
    x = numbers(2, 4, 7, 6).to(memory_format=layout)
    weight, bias = numbers(6, 4, kernel, kernel, seed=1), numbers(6, seed=2)
    down, up = factors(weight)

    def merged(x, weight, bias, down, up):
        return F.conv2d(x, weight + lora.delta_weight(down, up, SCALE), bias, **how)

    ours = gradients(lambda *tensors: conv2d(*tensors, SCALE, **how), x, weight, bias, down, up)
    assert_all_close(ours, gradients(merged, x, weight, bias, down, up))


def test_gradients_agree_with_finite_differences():
    x, weight, bias = numbers(2, 3, 4), numbers(5, 4, seed=1), numbers(5, seed=2)
    image, kernel = numbers(2, 4, 4, 3), numbers(5, 4, 3, 3, seed=3)
    down, up = factors(weight, rank=2)
    conv_down, conv_up = factors(kernel, rank=2)
    inputs = [value.requires_grad_() for value in (x, weight, bias, down, up, image, kernel, conv_down, conv_up)]
    x, weight, bias, down, up, image, kernel, conv_down, conv_up = inputs
    assert torch.autograd.gradcheck(lora.linear, (x, weight, bias, down, up, SCALE))
    point = weight.detach()[:, :, None, None].requires_grad_()
    point_down, point_up = (value.detach().clone().requires_grad_() for value in factors(point.detach(), rank=2))
    assert torch.autograd.gradcheck(lora.conv2d, (image, point, bias, point_down, point_up, SCALE))
    assert torch.autograd.gradcheck(lora.conv2d, (image, kernel, None, conv_down, conv_up, SCALE, (2, 1), (1, 1)))


@pytest.mark.parametrize("kernel", [None, 1, 3])
def test_a_frozen_layer_gets_no_gradient_and_its_input_only_when_asked(kernel):
    weight = numbers(6, 4) if kernel is None else numbers(6, 4, kernel, kernel)
    x = numbers(2, 5, 4) if kernel is None else numbers(2, 4, 5, 5)
    function = lora.linear if kernel is None else lora.conv2d
    down, up = (value.requires_grad_() for value in factors(weight))
    function(x, weight, None, down, up, SCALE).sum().backward()
    assert weight.grad is None
    assert x.grad is None
    assert down.grad is not None
    assert up.grad is not None


@pytest.mark.parametrize("kernel", [None, 1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_with_up_at_zero_no_bit_of_the_output_changes(kernel, dtype):
    weight = numbers(48, 32, dtype=dtype) if kernel is None else numbers(48, 32, kernel, kernel, dtype=dtype)
    x = numbers(2, 40, 32, seed=1, dtype=dtype) if kernel is None else numbers(2, 32, 9, 8, seed=1, dtype=dtype)
    bias = numbers(48, seed=2, dtype=dtype)
    down, up = lora.start(weight.shape, 4, torch.Generator().manual_seed(0))
    plain, detoured = (F.linear, lora.linear) if kernel is None else (F.conv2d, lora.conv2d)
    assert torch.equal(detoured(x, weight, bias, down, up, SCALE), plain(x, weight, bias))


@pytest.mark.parametrize("kernel", [None, 1, 3])
def test_weights_in_fp32_train_over_a_base_in_bf16(kernel):
    weight = numbers(6, 4, dtype=torch.float32) if kernel is None else numbers(6, 4, kernel, kernel, dtype=torch.float32)
    x = numbers(2, 5, 4, dtype=torch.float32) if kernel is None else numbers(2, 4, 5, 5, dtype=torch.float32)
    function = lora.linear if kernel is None else lora.conv2d
    down, up = factors(weight)
    exact = gradients(lambda *tensors: function(tensors[0], weight, None, *tensors[1:], SCALE), x, down, up)
    half = weight.bfloat16()
    ours = gradients(lambda *tensors: function(tensors[0], half, None, *tensors[1:], SCALE), x.bfloat16(), down, up)
    assert [value.dtype for value in ours] == [torch.bfloat16, torch.bfloat16, torch.float32, torch.float32]
    for found, expected in zip(ours, exact, strict=True):
        assert (found.float() - expected).norm() < 0.02 * expected.norm()


@pytest.mark.parametrize("kernel", [None, 1, 3])
def test_under_autocast_the_result_is_in_the_autocast_dtype(kernel):
    weight = numbers(6, 4, dtype=torch.float32) if kernel is None else numbers(6, 4, kernel, kernel, dtype=torch.float32)
    x = numbers(2, 5, 4, dtype=torch.float32) if kernel is None else numbers(2, 4, 5, 5, dtype=torch.float32)
    function = lora.linear if kernel is None else lora.conv2d
    inputs = [value.requires_grad_() for value in (x, *factors(weight))]
    with torch.autocast("cpu", torch.bfloat16):
        output = function(inputs[0], weight, None, *inputs[1:], SCALE)
    output.sum().backward()
    assert output.dtype == torch.bfloat16
    assert all(value.grad.dtype == torch.float32 for value in inputs)


def test_only_the_input_and_the_small_projection_are_kept_for_the_gradient():
    x = numbers(2, 5, 4, dtype=torch.float32).requires_grad_()
    weight = numbers(6, 4, dtype=torch.float32)
    down, up = (value.requires_grad_() for value in factors(weight, rank=3))
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        linear(x, weight, None, down, up, SCALE)
    known = {t.data_ptr() for t in (x, weight, down, up)}
    assert [tuple(t.shape) for t in kept if t.data_ptr() not in known] == [(2 * 5, 3)]


def test_the_start_is_uniform_within_one_over_the_root_of_the_fan_in_and_repeats():
    down, up = lora.start((8, 20, 3, 3), 64, torch.Generator().manual_seed(5))
    again, _ = lora.start((8, 20, 3, 3), 64, torch.Generator().manual_seed(5))
    bound = 1 / math.sqrt(20 * 9)
    assert down.shape == (64, 20, 3, 3)
    assert up.shape == (8, 64, 1, 1)
    assert not up.any()
    assert 0.99 * bound < down.abs().max() <= bound
    assert abs(down.std().item() / (bound / math.sqrt(3)) - 1) < 0.02
    assert torch.equal(down, again)
