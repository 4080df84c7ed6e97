"""One optimizer step: losses, gradients, update. It can be called alone, as the tests do."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass

import torch

from lorasmith.models.texts import EncodedTexts
from lorasmith.training.learner.learner import Learner
from lorasmith.training.objective.batch_loss import BatchLoss, PreparedBatch, batch_loss
from lorasmith.training.objective.preservation import class_captions, preservation_loss, without


@dataclass(frozen=True)
class SampleLoss:
    """What one picture said in one step."""

    name: str
    timestep: float
    loss: float


@dataclass(frozen=True)
class StepResult:
    """`loss` is the mean over the step's batches, `samples` are all that went into it.

    Where the loss or a gradient was not finite, `non_finite` are the samples to look at, and the weights are as they were. So they are
    where a gradient `overflowed` fp16, which the next, smaller scale of the loss mends.
    """

    loss: float
    grad_norm: float
    samples: tuple[SampleLoss, ...]
    non_finite: tuple[SampleLoss, ...] = ()
    overflowed: bool = False


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
    samples = tuple(sample for share in learner.process_group.gather([s for one in found for s in one.samples]) for sample in share)
    loss = sum(learner.process_group.gather(sum(one.loss for one in found)))
    non_finite = tuple(sample for sample in samples if not math.isfinite(sample.loss))
    if non_finite:
        return StepResult(loss, math.nan, samples, non_finite)
    parameters = learner.parameters  # gathered once: a network has hundreds
    learner.process_group.sum_gradients(parameters)
    if learner.scale is not None:
        learner.scale.unscale(parameters)
    limit = learner.settings.training.max_grad_norm or math.inf
    grad_norm = torch.nn.utils.clip_grad_norm_(parameters, limit).item()
    overflowed = learner.scale is not None and learner.scale.after_step(math.isfinite(grad_norm))
    if not math.isfinite(grad_norm):
        return StepResult(loss, grad_norm, samples, samples, overflowed)
    _update(learner, number)
    return StepResult(loss, grad_norm, samples)


@dataclass(frozen=True)
class _Share:
    """What a batch adds to its step."""

    loss: float
    samples: tuple[SampleLoss, ...]


def _gradients(learner: Learner, batch: PreparedBatch, number: int, first_sample: int, of: int) -> _Share:
    """Add the gradients of one of `of` batches; of a loss that is not finite there are none."""
    with ExitStack() as thinned:
        for adapter in learner.adapters.values():
            thinned.enter_context(adapter.at_step(learner.settings.training.seed, number))
        states = _read(learner, batch.captions)
        loss = batch_loss(learner.base, batch, states, learner.settings, number, first_sample)
        _backward(learner, loss, of)
        total, per_sample = loss.mean.item(), loss.per_sample
        if learner.settings.loss.prior_preservation:  # after the other has given its memory back
            kept = _preservation(learner, batch, number, first_sample)
            _backward(learner, kept, of)
            total, per_sample = total + kept.mean.item(), per_sample + kept.per_sample
    samples = zip(batch.names, loss.timesteps.tolist(), per_sample.tolist(), strict=True)
    return _Share(total / of, tuple(SampleLoss(*sample) for sample in samples))


def _backward(learner: Learner, loss: BatchLoss, of: int) -> None:
    """Add the gradients of one of `of` losses; nothing where it is not finite, or hangs on no weight."""
    if torch.isfinite(loss.mean) and loss.mean.requires_grad:
        mean = loss.mean / of
        (mean if learner.scale is None else learner.scale.scaled(mean)).backward()


def _read(learner: Learner, captions: Sequence[str]) -> EncodedTexts:
    """What the text encoders say of captions; with gradients where one of them learns."""
    with nullcontext() if learner.trains_texts else torch.no_grad():
        return learner.texts(captions)


def _preservation(learner: Learner, batch: PreparedBatch, number: int, first_sample: int) -> BatchLoss:
    """How far the model has gone from its base where the trigger is not named."""
    captions = class_captions(batch, learner.settings)
    own = None
    if learner.trains_texts:
        with without(learner.adapters), torch.no_grad():
            own = learner.texts(captions)
    states = _read(learner, captions)
    return preservation_loss(learner.base, learner.adapters, batch, states, learner.settings, number, first_sample, own)


def _update(learner: Learner, number: int) -> None:
    """Move the weights along their gradients."""
    with learner.in_float32(number):
        learner.optimizer.step()
        if learner.settings.network.scale_weight_norms:
            for adapter in learner.adapters.values():
                adapter.scale_weight_norms(learner.settings.network.scale_weight_norms)
        if learner.ema is not None:
            learner.ema.update(number)
