"""What is left out at random while a network trains, so that it relies on no single part of itself.

    dropout          each number of a layer's projection into the ranks on its own (LoRA, GLoRA)
    rank_dropout     whole ranks: for each sample where the layer is computed as a detour (LoRA, GLoRA), else for the step
    module_dropout   whole layers, for the step: the base alone acts there
    DyLoRA           all ranks from a drawn one on, for the step

What remains is made larger by 1 / (1 - probability), so that the expected change is the same; module dropout leaves the others
as they are (as in sd-scripts). Every draw is a pure function of (seed, step, layer): gradient checkpointing sees the same one
when it computes a layer again, and a resumed run draws as an uninterrupted one does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from lorasmith.adapters.kinds.layer_settings import LayerSettings
from lorasmith.draws import generator_for, rng_for
from lorasmith.models.transfer import to_device


def draws_for(settings: Mapping[str, LayerSettings], seed: int, step: int) -> dict[str, Draws]:
    """The draws of every layer in one step. Where all would be left out the first stays: there must be something to train."""
    left_out = {
        name
        for name, own in settings.items()
        if own.module_dropout and rng_for("module dropout", seed, step, name).random() < own.module_dropout
    }
    if len(left_out) == len(settings):
        left_out.remove(next(iter(settings)))
    return {name: Draws(seed, step, name, name in left_out) for name in settings}


@dataclass(frozen=True)
class Draws:
    """The random draws of one layer in one step."""

    seed: int
    step: int
    name: str
    left_out: bool = False

    def mask(self, settings: LayerSettings, shape: torch.Size, axis: int, device: torch.device) -> Tensor:
        """What a projection of this shape, ranks along `axis` and samples along the first, is multiplied with."""
        mask = torch.ones((), device=device)
        if settings.dropout:
            mask = to_device(self._keep("dropout", settings.dropout, shape), device)
        if settings.rank_dropout:
            of_ranks = [1] * len(shape)
            of_ranks[axis] = shape[axis]
            of_ranks[0] = shape[0]
            mask = mask * to_device(self._keep("rank dropout", settings.rank_dropout, torch.Size(of_ranks)), device)
        return mask

    def rank_mask(self, settings: LayerSettings, tensor: Tensor) -> Tensor:
        """What `tensor`, ranks along its first axis, is multiplied with: rank dropout for the step."""
        shape = torch.Size([tensor.shape[0], *(1 for _ in tensor.shape[1:])])
        return to_device(self._keep("rank dropout", settings.rank_dropout, shape), tensor.device)

    def rng(self, what: str) -> Random:
        """A generator of plain numbers for another draw of this layer in this step."""
        return rng_for(what, self.seed, self.step, self.name)

    def _keep(self, what: str, probability: float, shape: torch.Size) -> Tensor:
        keep = 1 - probability
        return torch.empty(shape).bernoulli_(keep, generator=generator_for(what, self.seed, self.step, self.name)) / keep
