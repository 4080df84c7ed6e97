"""A part of a base model as a module: built empty, then filled tensor by tensor from the mapped file.

The module is made without weights (its parameters are on the meta device). Each tensor of its state is then copied out of the
mapped file straight into the type and onto the device wanted, translated on the way where the file has other names
(models/conversion), and the mapped pages are given back. So the most memory that opening takes is what is kept, plus one tensor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lorasmith.models.description import Description

if TYPE_CHECKING:
    import torch
    from torch import nn


def load_part(description: Description, part: str, dtype: torch.dtype, device: torch.device | str = "cpu") -> nn.Module:
    """One part of a base, with its weights in `dtype` on `device`, frozen and in eval mode.

    Raises BaseModelError where a tensor is missing, unknown, of another shape, or cannot be read.
    """
    raise NotImplementedError("follows")
