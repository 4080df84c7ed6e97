"""One optimizer step: noise in, prediction, loss, gradients, update. It can be called alone, as the tests do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass

import torch

from lorasmith.adapters.attach import AttachedAdapter
from lorasmith.errors import RunError
from lorasmith.models.family import Base
from lorasmith.models.texts import EncodedTexts, TextOptions
from lorasmith.training.objective import BatchLoss, PreparedBatch, batch_loss
from lorasmith.training.settings import Settings


@dataclass(frozen=True)
class StepResult:
    """`loss` is the mean over the step's batches."""

    loss: float
    grad_norm: float


class TextStates:
    """Encoded captions; kept for the run where no text encoder trains, since then they never change."""

    def __init__(self, base: Base, options: TextOptions, trained: bool):
        self._base, self._options, self._trained = base, options, trained
        self._kept: dict[str, EncodedTexts] = {}

    def __call__(self, captions: Sequence[str]) -> EncodedTexts:
        """The captions' states in their order."""
        if self._trained:
            return self._base.encode_texts(captions, self._options)
        for caption in captions:
            if caption not in self._kept:
                with torch.no_grad():
                    self._kept[caption] = self._base.encode_texts([caption], self._options)
        return EncodedTexts.cat([self._kept[caption] for caption in captions])


def check_finite(loss: BatchLoss, batch: PreparedBatch, number: int) -> None:
    """Raises RunError where a loss is not finite, with the pictures and timesteps: it must not reach the weights."""
    if not torch.isfinite(loss.mean):
        shown = ", ".join(f"{name} at timestep {t:g}" for name, t in zip(batch.names, loss.timesteps.tolist(), strict=True))
        raise RunError(f"the loss of step {number + 1} is not a finite number ({shown}); lower the learning rate or leave that picture out")


def step(
    base: Base, adapters: Mapping[str, AttachedAdapter], optimizer: torch.optim.Optimizer, texts: TextStates,
    batches: Sequence[PreparedBatch], settings: Settings, number: int,
) -> StepResult:  # fmt: skip
    """Train on `batches` (one, or as many as are accumulated) as step `number` (from 0); learning rates are already set."""
    optimizer.zero_grad(set_to_none=True)
    total, first_sample = 0.0, 0
    frozen_text = set(adapters) == {base.denoiser}
    with ExitStack() as thinned:
        for adapter in adapters.values():
            thinned.enter_context(adapter.at_step(settings.training.seed, number))
        for batch in batches:
            with torch.no_grad() if frozen_text else nullcontext():
                states = texts(batch.captions)
            loss = batch_loss(base, batch, states, settings, number, first_sample)
            check_finite(loss, batch, number)
            (loss.mean / len(batches)).backward()
            total += loss.mean.item() / len(batches)
            first_sample += len(batch.latents)
    parameters = [p for adapter in adapters.values() for p in adapter.parameters()]
    limit = settings.training.max_grad_norm or float("inf")
    grad_norm = torch.nn.utils.clip_grad_norm_(parameters, limit).item()
    optimizer.step()
    if settings.network.scale_weight_norms:
        for adapter in adapters.values():
            adapter.scale_weight_norms(settings.network.scale_weight_norms)
    return StepResult(total, grad_norm)
