"""Rounds as another CPU would: a pytest plugin, `pytest -p tests.other_cpu`.

What one CPU computes bit for bit, another does not: sums are taken in another order, products are fused, functions come from
another vector library. With this plugin the last two bits of what such an operation returns go up, down or stay, by the bits of the
number itself, so that the same computation gives the same result twice but two ways to one number differ as they do elsewhere.
A test that fails under it asserts digits that are an accident of the machine where it was written.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

ROUNDED_ELSEWHERE = {
    "mm", "addmm", "bmm", "baddbmm", "addmv", "mv", "dot", "convolution", "convolution_backward", "sum", "mean", "var", "var_mean", "std",
    "linalg_vector_norm", "_linalg_svd", "cumsum", "cumprod", "exp", "log", "sin", "cos", "tanh", "sigmoid", "pow", "rsqrt", "gelu", "silu",
    "gelu_backward", "silu_backward", "_softmax", "_softmax_backward_data", "native_layer_norm", "native_layer_norm_backward",
    "native_group_norm", "native_group_norm_backward", "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_flash_attention_for_cpu_backward", "upsample_bilinear2d", "_adaptive_avg_pool2d", "mse_loss",
}  # fmt: skip
INTEGERS = {torch.float64: torch.int64, torch.float32: torch.int32}


def last_bits_moved(number: Any) -> Any:
    """The same tensor with each number up to two units in the last place up or down; whole numbers stay, whose sums are exact, and so do infinities."""
    if not isinstance(number, torch.Tensor) or number.dtype not in INTEGERS or number.device.type != "cpu":
        return number
    bits = number.detach().contiguous().view(INTEGERS[number.dtype])
    step = (bits * 48271 >> 7) % 5 - 2
    moved = (bits + step).view(number.dtype)
    return torch.where((number.frac() != 0) & moved.isfinite(), moved, number)


class OtherCpu(TorchDispatchMode):
    def __torch_dispatch__(self, operation: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = operation(*args, **(kwargs or {}))
        name = operation.overloadpacket.__name__
        if name not in ROUNDED_ELSEWHERE or "out" in (kwargs or {}):
            return result
        return type(result)(map(last_bits_moved, result)) if type(result) in (tuple, list) else last_bits_moved(result)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item):
    with OtherCpu():
        yield
