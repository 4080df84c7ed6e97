"""One optimizer step: losses, gradients, update. It can be called alone, as the tests do."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass

import torch

from lorasmith.adapters.attach import AttachedAdapter
from lorasmith.models.family import Base
from lorasmith.models.texts import EncodedTexts, TextOptions
from lorasmith.training.average import Average
from lorasmith.training.objective import PreparedBatch, batch_loss
from lorasmith.training.processes import ALONE, Together
from lorasmith.training.settings import Settings


@dataclass
class Learner:
    """What a step works with, and changes: the adapters' weights, the optimizer, and the average of the weights where one is kept."""

    base: Base
    adapters: Mapping[str, AttachedAdapter]
    optimizer: torch.optim.Optimizer
    texts: TextStates
    settings: Settings
    average: Average | None = None
    together: Together = ALONE

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        return [p for adapter in self.adapters.values() for p in adapter.parameters()]

    @property
    def named_parameters(self) -> dict[str, torch.nn.Parameter]:
        return {f"{part}.{name}": p for part, adapter in self.adapters.items() for name, p in adapter.named_parameters()}


@dataclass(frozen=True)
class SampleLoss:
    """What one picture said in one step."""

    name: str
    timestep: float
    loss: float


@dataclass(frozen=True)
class StepResult:
    """`loss` is the mean over the step's batches, `samples` are all that went into it.

    Where the loss or a gradient was not finite, `spoilt` are the samples to look at, and the weights are as they were.
    """

    loss: float
    grad_norm: float
    samples: tuple[SampleLoss, ...]
    spoilt: tuple[SampleLoss, ...] = ()


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


def step(
    learner: Learner, batches: Sequence[PreparedBatch], number: int, *, of: int | None = None, first_samples: Sequence[int] | None = None
) -> StepResult:
    """Train on `batches` (one, or as many as are accumulated) as step `number` (from 0); learning rates are already set.

    Where several processes share a step, `of` is the count of its batches over all of them, and `first_samples` are the places of
    this process's batches in it.
    """
    learner.optimizer.zero_grad(set_to_none=True)
    starts = first_samples or itertools.accumulate((len(batch.latents) for batch in batches), initial=0)
    found = [_gradients(learner, batch, number, start, of or len(batches)) for batch, start in zip(batches, starts, strict=False)]
    samples = tuple(sample for share in learner.together.gather([s for one in found for s in one.samples]) for sample in share)
    loss = sum(learner.together.gather(sum(one.loss for one in found)))
    spoilt = tuple(sample for sample in samples if not math.isfinite(sample.loss))
    if spoilt:
        return StepResult(loss, math.nan, samples, spoilt)
    learner.together.sum_gradients(learner.parameters)
    limit = learner.settings.training.max_grad_norm or math.inf
    grad_norm = torch.nn.utils.clip_grad_norm_(learner.parameters, limit).item()
    if not math.isfinite(grad_norm):
        return StepResult(loss, grad_norm, samples, samples)
    _update(learner, number)
    return StepResult(loss, grad_norm, samples)


@dataclass(frozen=True)
class _Share:
    """What a batch adds to its step."""

    loss: float
    samples: tuple[SampleLoss, ...]


def _gradients(learner: Learner, batch: PreparedBatch, number: int, first_sample: int, of: int) -> _Share:
    """Add the gradients of one of `of` batches; of a loss that is not finite there are none."""
    frozen_text = set(learner.adapters) == {learner.base.denoiser}
    with ExitStack() as thinned:
        for adapter in learner.adapters.values():
            thinned.enter_context(adapter.at_step(learner.settings.training.seed, number))
        with torch.no_grad() if frozen_text else nullcontext():
            states = learner.texts(batch.captions)
        loss = batch_loss(learner.base, batch, states, learner.settings, number, first_sample)
        if torch.isfinite(loss.mean):
            (loss.mean / of).backward()
    samples = zip(batch.names, loss.timesteps.tolist(), loss.per_sample.tolist(), strict=True)
    return _Share(loss.mean.item() / of, tuple(SampleLoss(*sample) for sample in samples))


def _update(learner: Learner, number: int) -> None:
    """Move the weights along their gradients."""
    learner.optimizer.step()
    if learner.settings.network.scale_weight_norms:
        for adapter in learner.adapters.values():
            adapter.scale_weight_norms(learner.settings.network.scale_weight_norms)
    if learner.average is not None:
        learner.average.update(number)
