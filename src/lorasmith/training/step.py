"""One optimizer step: losses, gradients, update. It can be called alone, as the tests do.

A GPU works through its queue while the CPU fills it, so nothing here asks for a number until all that can be is queued. Then the step's
numbers are read, once.

A step whose loss or gradient is not finite changes nothing. torch's fused optimizers can be told so on the device (`found_inf`, which is
how its GradScaler tells them), and with them the update is queued before the numbers are read. All others are asked for it afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor

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


def ready(learner: Learner, batch: PreparedBatch, number: int) -> PreparedBatch:
    """The batch with all that can be drawn and encoded for step `number` before it begins; one that is ready stays as it is."""
    if batch.noising is not None:
        return batch
    noising = noising_for(learner.base, batch.latents, learner.objective, number, batch.first_sample)
    return replace(batch, noising=noising, texts=None if learner.trains_texts else _encode(learner, batch.captions))


def step(
    learner: Learner, batches: Sequence[PreparedBatch], number: int, *, samples_in_step: int | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> StepResult:  # fmt: skip
    """Train on `batches` (one, or as many as are accumulated) as step `number` (from 0); learning rates are already set.

    Every sample counts alike, however the step is cut into batches. Where several processes share a step, `samples_in_step` counts those of
    all of them, and `batches` are this process's share. `meanwhile` is called when a GPU has its work, before anybody waits for that.
    """
    learner.optimizer.zero_grad(set_to_none=True)
    count = samples_in_step or sum(len(batch.latents) for batch in batches)
    queued = [_add_gradients(learner, ready(learner, batch, number), number, len(batch.latents) / count) for batch in batches]
    parameters = learner.parameters  # gathered once: a network has hundreds
    learner.process_group.sum_gradients(parameters)
    if learner.scale is not None:
        learner.scale.unscale(parameters)
    norm = torch.nn.utils.clip_grad_norm_(parameters, learner.settings.training.max_grad_norm or math.inf)
    numbers = _numbers(queued, norm)
    queue_update = _can_skip_on_device(learner)
    if queue_update:
        learner.optimizer.found_inf = 1 - torch.isfinite(numbers).all().float()  # type: ignore[attr-defined]
        _update(learner, number)
    if meanwhile is not None:
        meanwhile()
    shares, grad_norm = _read(queued, numbers)
    samples = tuple(sample for each in learner.process_group.gather([s for share in shares for s in share.samples]) for sample in each)
    loss = sum(learner.process_group.gather(sum(share.loss for share in shares)))
    non_finite = tuple(sample for sample in samples if not math.isfinite(sample.loss))
    if non_finite:
        return StepResult(loss, math.nan, samples, non_finite)
    overflowed = learner.scale is not None and learner.scale.after_step(math.isfinite(grad_norm))
    if not math.isfinite(grad_norm):
        return StepResult(loss, grad_norm, samples, samples, overflowed)
    if not queue_update:
        _update(learner, number)
    return StepResult(loss, grad_norm, samples)


@dataclass(frozen=True, eq=False)
class _Queued:
    """A batch's losses while the device may not have computed them yet."""

    batch: PreparedBatch
    weight: float
    """The batch's share of its step."""
    losses: tuple[BatchLoss, ...]
    """Of one prediction each; they add up."""


@dataclass(frozen=True)
class _Share:
    """What a batch adds to its step."""

    loss: float
    samples: tuple[SampleLoss, ...]


def _add_gradients(learner: Learner, batch: PreparedBatch, number: int, weight: float) -> _Queued:
    """Add a batch's gradients, times `weight`, to those of its step."""
    objective = learner.objective
    with ExitStack() as dropout:
        for adapter in learner.adapters.values():
            dropout.enter_context(adapter.at_step(objective.seed, number))
        assert batch.noising is not None, "the batch is ready"
        texts = batch.texts if batch.texts is not None else _encode(learner, batch.captions)
        losses = [batch_loss(learner.base, batch, texts, batch.noising, objective)]
        _backward(learner, losses[0], weight)
        if objective.loss.prior_preservation:  # only now, when the activations of the other loss are freed
            losses.append(_preservation(learner, batch, batch.noising))
            _backward(learner, losses[1], weight)
    return _Queued(batch, weight, tuple(losses))


def _numbers(queued: Sequence[_Queued], grad_norm: Tensor) -> Tensor:
    """What is to be known of a step in one tensor: the norm, the mean of each loss, each sample's loss."""
    per_sample = [torch.stack([loss.per_sample for loss in one.losses]).sum(0) for one in queued]
    means = [loss.mean.detach().view(1) for one in queued for loss in one.losses]
    return torch.cat([grad_norm.float().view(1), *means, *per_sample])


def _read(queued: Sequence[_Queued], of_step: Tensor) -> tuple[list[_Share], float]:
    """What `_numbers` put together: the only place where a step waits for the device."""
    numbers = iter(of_step.tolist())
    norm = next(numbers)
    totals = [sum(islice(numbers, len(one.losses))) * one.weight for one in queued]
    shares = []
    for one, total in zip(queued, totals, strict=True):
        samples = zip(one.batch.names, one.losses[0].timesteps.tolist(), islice(numbers, len(one.batch.names)), strict=True)
        shares.append(_Share(total, tuple(SampleLoss(*sample) for sample in samples)))
    return shares, norm


def _backward(learner: Learner, loss: BatchLoss, weight: float) -> None:
    """Add the gradients of one of a step's losses; nothing where it depends on no weight."""
    if loss.mean.requires_grad:
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


def _can_skip_on_device(learner: Learner) -> bool:
    """Whether an update can be queued that does nothing where a number of this process's step is not finite.

    Only the optimizer itself knows `found_inf`: not what follows its step, nor what goes on around it for bf16 weights.
    """
    settings = learner.settings
    alone = learner.ema is None and not settings.network.scale_weight_norms and settings.training.weight_dtype == "fp32"
    return alone and learner.process_group.count == 1 and getattr(learner.optimizer, "_step_supports_amp_scaling", False)


def _update(learner: Learner, number: int) -> None:
    """Move the weights along their gradients."""
    with learner.in_float32(number):
        learner.optimizer.step()
        if learner.settings.network.scale_weight_norms:
            for adapter in learner.adapters.values():
                adapter.scale_weight_norms(learner.settings.network.scale_weight_norms)
        if learner.ema is not None:
            learner.ema.update(number)
