"""One optimizer step: losses, gradients, update. It can be called alone, as the tests do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass

import torch

from lorasmith.models.texts import EncodedTexts
from lorasmith.training.learner.learner import Learner
from lorasmith.training.objective.batch_loss import BatchLoss, Noising, PreparedBatch, batch_loss, noising_for
from lorasmith.training.objective.preservation import class_captions, preservation_loss, without


@dataclass(frozen=True)
class SampleLoss:
    """The loss of one picture in one step."""

    name: str
    timestep: float
    loss: float


@dataclass(frozen=True)
class StepResult:
    """`loss` is the mean over the step's samples, `samples` are all that went into it.

    Where the loss or a gradient was not finite, `non_finite` are the samples to look at, and no weight was changed. The same holds where a
    gradient `overflowed` fp16; the loss is scaled less from then on.
    """

    loss: float
    grad_norm: float
    samples: tuple[SampleLoss, ...]
    non_finite: tuple[SampleLoss, ...] = ()
    overflowed: bool = False


def step(learner: Learner, batches: Sequence[PreparedBatch], number: int, *, samples_in_step: int | None = None) -> StepResult:
    """Train on `batches` (one, or as many as are accumulated) as step `number` (from 0); learning rates are already set.

    Every sample counts alike, however the step is cut into batches. Where several processes share a step, `samples_in_step` counts those of
    all of them, and `batches` are this process's share.
    """
    learner.optimizer.zero_grad(set_to_none=True)
    count = samples_in_step or sum(len(batch.latents) for batch in batches)
    shares = [_add_gradients(learner, batch, number, len(batch.latents) / count) for batch in batches]
    samples = tuple(sample for each in learner.process_group.gather([s for share in shares for s in share.samples]) for sample in each)
    loss = sum(learner.process_group.gather(sum(share.loss for share in shares)))
    non_finite = tuple(sample for sample in samples if not math.isfinite(sample.loss))
    if non_finite:
        return StepResult(loss, math.nan, samples, non_finite)
    parameters = learner.parameters  # gathered once: a network has hundreds
    learner.process_group.sum_gradients(parameters)
    if learner.scale is not None:
        learner.scale.unscale(parameters)
    grad_norm = torch.nn.utils.clip_grad_norm_(parameters, learner.settings.training.max_grad_norm or math.inf).item()
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


def _add_gradients(learner: Learner, batch: PreparedBatch, number: int, weight: float) -> _Share:
    """Add a batch's gradients, times `weight`, to those of its step; of a loss that is not finite there are none."""
    objective = learner.objective
    with ExitStack() as dropout:
        for adapter in learner.adapters.values():
            dropout.enter_context(adapter.at_step(objective.seed, number))
        noising = noising_for(learner.base, batch.latents, objective, number, batch.first_sample)
        loss = batch_loss(learner.base, batch, _encode(learner, batch.captions), noising, objective)
        _backward(learner, loss, weight)
        total, per_sample = loss.mean.item(), loss.per_sample
        if objective.loss.prior_preservation:  # only now, when the activations of the other loss are freed
            kept = _preservation(learner, batch, noising)
            _backward(learner, kept, weight)
            total, per_sample = total + kept.mean.item(), per_sample + kept.per_sample
    samples = zip(batch.names, loss.timesteps.tolist(), per_sample.tolist(), strict=True)
    return _Share(total * weight, tuple(SampleLoss(*sample) for sample in samples))


def _backward(learner: Learner, loss: BatchLoss, weight: float) -> None:
    """Add the gradients of one of a step's losses; nothing where it is not finite, or depends on no weight."""
    if torch.isfinite(loss.mean) and loss.mean.requires_grad:
        mean = loss.mean * weight
        (mean if learner.scale is None else learner.scale.scaled(mean)).backward()


def _encode(learner: Learner, captions: Sequence[str]) -> EncodedTexts:
    """The captions' states; with gradients where a text encoder trains."""
    with nullcontext() if learner.trains_texts else torch.no_grad():
        return learner.texts(captions)


def _preservation(learner: Learner, batch: PreparedBatch, noising: Noising) -> BatchLoss:
    """How far the model has moved from its base where the trigger is not named."""
    captions = class_captions(batch.captions, learner.objective)
    base_texts = None
    if learner.trains_texts:
        with without(learner.adapters), torch.no_grad():
            base_texts = learner.texts(captions)
    class_texts = _encode(learner, captions)
    return preservation_loss(learner.base, learner.adapters, batch, class_texts, noising, learner.objective, base_texts)


def _update(learner: Learner, number: int) -> None:
    """Move the weights along their gradients."""
    with learner.in_float32(number):
        learner.optimizer.step()
        if learner.settings.network.scale_weight_norms:
            for adapter in learner.adapters.values():
                adapter.scale_weight_norms(learner.settings.network.scale_weight_norms)
        if learner.ema is not None:
            learner.ema.update(number)
