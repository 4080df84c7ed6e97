"""What an opened base does to take less memory: parts that can be freed, and blocks that are computed twice instead of kept.

Gradient checkpointing (Chen et al. 2016, https://arxiv.org/abs/1604.06174): of each block only the input is kept, and when the
gradient comes back the block is computed again from it. The libraries' own switches do it, diffusers' on the denoiser and
transformers' on the text encoders. Those of transformers heed it in training mode alone, which would switch on the
encoders' dropouts too; so only the blocks themselves are set to training, and the modules inside them stay as they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from lorasmith.errors import RunError
from lorasmith.models.block_swap import is_swapped
from lorasmith.models.device import DEVICES

Module = TypeVar("Module")


class Freeable(Generic[Module]):
    """A part of a base that can be freed; `module` raises RunError afterwards."""

    def __init__(self, module: Module, name: str):
        self._module: Module | None = module
        self._name = name

    @property
    def module(self) -> Module:
        """The thing itself."""
        if self._module is None:
            raise RunError(f"The memory of the base's {self._name} was freed: open the base again to use that.")
        return self._module

    def free(self) -> None:
        """Drop it; the memory comes back when nobody else holds it."""
        self._module = None


@contextmanager
def offloaded(modules: Iterable[nn.Module], enabled: bool = True) -> Iterator[None]:
    """Within the block the weights of `modules` are in the computer's memory, where they are on a device with memory of its own.

    Those of swapped blocks are there already. Nothing is moved where not `enabled`.
    """
    moved = [
        (owner, name, parameter.device)
        for module in (modules if enabled else ())
        for owner in module.modules()
        for name, parameter in owner.named_parameters(recurse=False)
        if DEVICES[parameter.device.type].own_memory and not is_swapped(parameter)
    ]
    devices = {device for _, _, device in moved}
    for owner, name, _ in moved:
        _move(owner, name, torch.device("cpu"))
    for device in devices:
        DEVICES[device.type].empty_cache()
    try:
        yield
    finally:
        for owner, name, device in moved:
            _move(owner, name, device)


def _move(owner: nn.Module, name: str, device: torch.device) -> None:
    weight = owner.get_parameter(name)
    setattr(owner, name, nn.Parameter(weight.data.to(device), requires_grad=weight.requires_grad))


_HOW: dict[str, Any] = {"use_reentrant": False, "preserve_rng_state": False}
"""Nothing draws random numbers inside a block."""


def checkpoint_blocks(part: Any) -> None:
    """Switch gradient checkpointing on in a denoiser or a text encoder; its modules stay in eval mode otherwise."""
    from torch.utils.checkpoint import checkpoint
    from transformers import PreTrainedModel
    from transformers.modeling_layers import GradientCheckpointingLayer

    if not isinstance(part, PreTrainedModel):
        part.enable_gradient_checkpointing(partial(checkpoint, **_HOW))
        return
    enable = getattr(part, "activation_checkpointing_enable", None) or part.gradient_checkpointing_enable  # its name before 5.23
    enable(_HOW)
    for block in part.modules():
        if isinstance(block, GradientCheckpointingLayer):
            block.training = True


def checkpoint_block(block: nn.Module) -> None:
    """The same for a block that the library's switch leaves out."""
    from torch.utils.checkpoint import checkpoint

    block.forward = partial(checkpoint, block.forward, **_HOW)
