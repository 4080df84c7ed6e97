"""Copies from the main memory to where a model computes, which do not wait for it.

A GPU works through its queue beside the CPU. A plain copy from the main memory first waits until that queue is empty; one from pinned
memory (which the operating system does not move) is queued like everything else. torch keeps the pinned memory of a copy until it is
done, and uses it again.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lorasmith.models.device import has_streams


def to_device(tensor: Tensor, device: torch.device | str, dtype: torch.dtype | None = None) -> Tensor:
    """`tensor` on `device`, in `dtype` if one is given; the CPU does not wait for the copy, nor for what the device does before it."""
    device = torch.device(device)
    if has_streams(device.type) and tensor.device.type == "cpu":
        tensor = tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device, dtype)
