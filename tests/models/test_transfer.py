"""Copies to a device that nobody waits for."""

import pytest
import torch

from lorasmith.models.transfer import to_device


def test_on_the_cpu_nothing_is_copied():
    tensor = torch.randn(3)
    assert to_device(tensor, "cpu") is tensor
    assert to_device(tensor, "cpu", torch.bfloat16).dtype == torch.bfloat16
    assert to_device(tensor, "meta").is_meta


@pytest.mark.parametrize("device", ["cuda", "xpu", "mps"])
def test_a_gpu_that_works_beside_the_cpu_gets_its_copies_from_pinned_memory(device, monkeypatch):
    done = []

    def pin(tensor):
        done.append("pin")
        return tensor

    def to(tensor, device, dtype=None, non_blocking=False):
        done.append((torch.device(device).type, dtype, non_blocking))
        return tensor

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    monkeypatch.setattr(torch.Tensor, "to", to)
    to_device(torch.zeros(2), device, torch.float16)
    queued = ["pin", (device, None, True)] if device != "mps" else []
    assert done == [*queued, (device, torch.float16, False)]
