"""Whether a run learns or memorises, measured on pictures that it never trains on.

Each held-out picture, and as many training images, is noised in the same few ways each time: at fixed timesteps, with noise that is drawn
for the picture and the timestep alone, with its caption as trained but nothing shuffled or dropped, and without augmentation. The loss,
the plain mean square error against the run's own target, then differs between two checkpoints only by what was learnt between them. So
three things are reported of each picture's differences, with their 95 % margins (see `uncertainty`):

    delta       now - the base alone, for held-out pictures and training images: below 0 is learnt
    gap         held-out delta - training delta: what training images gained beyond what held-out ones did, which is memorised
    above best  now - where the held-out loss was lowest before: above 0 it gets worse again

The base has seen neither kind of picture, so subtracting its losses leaves out how hard each picture is, and the two kinds can be
compared. Nothing here draws from the run's own noise or changes a weight: a run ends in the same bytes with or without it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Protocol

import torch

from lorasmith.adapters.attach import AttachedAdapter
from lorasmith.captions.rules import CaptionRules, caption_for_training
from lorasmith.datasets.latent_source import LatentSource
from lorasmith.datasets.order import Sample
from lorasmith.datasets.training_set import TrainingPicture
from lorasmith.draws import generator_for, rng_for
from lorasmith.findings import Evidence, Finding, Fix
from lorasmith.models.base import Base, SizeConditioning
from lorasmith.models.diffusion import Ddpm
from lorasmith.models.texts import EncodedTexts
from lorasmith.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from lorasmith.training.events import Event, ValidationDone, Warned
from lorasmith.training.objective.batch_loss import Objective, predict, trained_diffusion
from lorasmith.training.validation.uncertainty import difference_of_means, mean_with_margin
from lorasmith.training.validation.validation_set import ValidationSet

# -- what is measured -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ValidationPicture:
    """One picture to measure on. `name` is unique; `latent` (c, h, w) float32, contiguous, so that its sums are the same each time."""

    name: str
    content: str
    caption: str
    latent: torch.Tensor
    size: SizeConditioning


def validation_pictures(validation_set: ValidationSet, latents: LatentSource, rules: CaptionRules) -> list[ValidationPicture]:
    """The set's pictures with their latents and captions; `latents` is made for `validation_set.pictures`, `rules` are the run's."""
    found = []
    for index, (item, dataset) in enumerate(zip(validation_set.pictures, validation_set.captioned_as, strict=True)):
        read = latents([Sample(index, 0)], epoch=1)
        name = f"{item.picture.path.name} {item.picture.content[:8]}"
        caption, size = caption_for_validation(item, dataset.caption_rules(rules)), SizeConditioning(*read.sizes[0])
        found.append(ValidationPicture(name, item.picture.content, caption, read.latents[0].contiguous(), size))
    return found


def caption_for_validation(item: TrainingPicture, rules: CaptionRules) -> str:
    """The caption as trained, trigger and all, but always the same: whole, in its own order."""
    fixed = replace(rules, shuffle=False, dropout=0.0, dropout_every_n_epochs=0, tag_dropout=0.0, token_warmup_step=0)
    return caption_for_training(item.picture.caption or "", fixed, rng_for("validation caption", item.picture.content))


def validation_timesteps(timesteps: int | Sequence[int], trained: tuple[int, int] = (0, 1000)) -> tuple[int, ...]:
    """The given timesteps, or the middles of that many equal parts of those that are trained, from the first to before the second."""
    if isinstance(timesteps, int):
        first, end = trained
        return tuple(dict.fromkeys(first + math.floor((k + 0.5) * (end - first) / timesteps) for k in range(timesteps)))
    return tuple(sorted(timesteps))


class Texts(Protocol):
    """What encodes captions; see `learner.text_states`."""

    def __call__(self, captions: Sequence[str]) -> EncodedTexts: ...


@torch.no_grad()
def picture_loss(
    base: Base, texts: Texts, picture: ValidationPicture, timesteps: Sequence[int], objective: Objective, batch_size: int
) -> float:
    """The mean square error on one picture over the timesteps, unweighted, `batch_size` of them at a time."""
    states, diffusion = texts([picture.caption]), trained_diffusion(base, objective.noise)
    losses: list[float] = []
    for first in range(0, len(timesteps), batch_size):
        part = timesteps[first : first + batch_size]
        noise = [torch.randn(picture.latent.shape, generator=generator_for("validation noise", picture.content, t)) for t in part]
        at = torch.tensor(part, dtype=torch.int64 if isinstance(diffusion, Ddpm) else torch.float32)
        latents = picture.latent.expand(len(part), *picture.latent.shape)
        repeated, sizes = EncodedTexts.cat([states] * len(part)), [picture.size] * len(part)
        predicted = predict(base, latents, torch.stack(noise), at, repeated, objective.flow, sizes, diffusion=diffusion)
        losses += (predicted.prediction - predicted.target).square().flatten(1).mean(1).tolist()
    return fmean(losses)


# -- how it is compared -----------------------------------------------------------------------------------------------

Losses = dict[str, float]
"""The loss of each picture, by its name."""


@dataclass(frozen=True)
class Round:
    """One validation over all pictures."""

    epoch: int
    held_out: Losses
    trained: Losses

    @property
    def val_loss(self) -> float:
        return fmean(self.held_out.values())


def compare(step: int, now: Round, base: Round, best: Round | None) -> ValidationDone:
    """What a round says beside that of the base and the best one so far; all are over the same pictures."""
    held_out = [loss - base.held_out[name] for name, loss in now.held_out.items()]
    trained = [loss - base.trained[name] for name, loss in now.trained.items()]
    above_best = mean_with_margin([loss - best.held_out[name] for name, loss in now.held_out.items()]) if best else (None, None)
    return ValidationDone(
        now.epoch, step, now.val_loss, fmean(now.trained.values()),
        *mean_with_margin(held_out), *mean_with_margin(trained), *difference_of_means(held_out, trained),
        val_losses=now.held_out, train_losses=now.trained,
        best_epoch=best.epoch if best else None, above_best=above_best[0], above_best_margin=above_best[1],
    )  # fmt: skip


class Validator:
    """Validates a run at its checkpoints, and remembers the round of the base and the best one.

    Everything that it remembers is in the run's events, so that a resumed run continues from those.
    """

    def __init__(
        self, base: Base, objective: Objective, batch_size: int, timesteps: Sequence[int],
        held_out: Sequence[ValidationPicture], trained: Sequence[ValidationPicture],
    ):  # fmt: skip
        self._model, self._objective, self._batch_size, self._timesteps = base, objective, batch_size, timesteps
        self._held_out, self._trained = tuple(held_out), tuple(trained)
        self._base: Round | None = None
        self._best: Round | None = None
        self._rising = False
        self._changed = False

    def __repr__(self) -> str:
        return f"Validator({len(self._held_out)} held-out pictures, {len(self._trained)} training images, timesteps {self._timesteps})"

    @property
    def captions(self) -> list[str]:
        """All captions that will be encoded, to encode them ahead."""
        return [picture.caption for picture in (*self._held_out, *self._trained)]

    def restore(self, events: Iterable[Event]) -> None:
        """Continue from the events of an earlier part of the run; rounds over other pictures do not count."""
        for event in events:
            if isinstance(event, ValidationDone):
                same = set(event.val_losses) == {p.name for p in self._held_out} and set(event.train_losses) == {
                    p.name for p in self._trained
                }
                self._changed = not same
                if same:
                    self._take(Round(event.epoch, event.val_losses, event.train_losses), event)

    def validate_base(
        self, adapters: Mapping[str, AttachedAdapter], texts: Texts, process_group: ProcessGroup = SINGLE_PROCESS
    ) -> list[Event]:
        """The round of the base alone, once a run; nothing where it was done before."""
        if self._base is not None:
            return []
        with ExitStack() as off:
            for adapter in adapters.values():
                off.enter_context(adapter.off())
            found = self._measure(0, texts, process_group)
        if warned := _not_finite(found):
            return [warned]
        event = compare(0, found, found, None)
        self._take(found, event)
        return [_changed(), event] if self._changed else [event]

    def validate(
        self, adapters: Mapping[str, AttachedAdapter], texts: Texts, epoch: int, step: int, process_group: ProcessGroup = SINGLE_PROCESS
    ) -> list[Event]:
        """The round of the weights as they are after `step` steps, with a warning where the run begins to memorise."""
        before = self.validate_base(adapters, texts, process_group)
        if self._base is None:
            return before
        found = self._measure(epoch, texts, process_group)
        if warned := _not_finite(found):
            return [*before, warned]
        event, was_rising = compare(step, found, self._base, self._best), self._rising
        self._take(found, event)
        begins = self._rising and not was_rising
        return [*before, event, _memorises(event)] if begins else [*before, event]

    def _measure(self, epoch: int, texts: Texts, process_group: ProcessGroup) -> Round:
        """The loss of each picture; processes that train together share the work, and all know the result."""
        mine = {
            picture.name: picture_loss(self._model, texts, picture, self._timesteps, self._objective, self._batch_size)
            for picture in process_group.shard((*self._held_out, *self._trained))
        }
        losses = {name: loss for share in process_group.gather(mine) for name, loss in share.items()}
        return Round(epoch, {p.name: losses[p.name] for p in self._held_out}, {p.name: losses[p.name] for p in self._trained})

    def _take(self, found: Round, event: ValidationDone) -> None:
        if self._base is None or found.epoch == 0:
            self._base = found
        if self._best is None or found.val_loss < self._best.val_loss:
            self._best = found
        self._rising = event.above_best is not None and event.above_best_margin is not None and event.above_best > event.above_best_margin


# -- what it warns of -------------------------------------------------------------------------------------------------


def _changed() -> Warned:
    return Warned.of(
        Finding(
            "validation.pictures_changed", "note", about="set",
            message="The pictures for validation have changed since the run began; what was measured before is not compared with what follows.",
        )
    )  # fmt: skip


def _not_finite(found: Round) -> Warned | None:
    """A warning where a loss is not finite, such as after an overflow in half precision: such a round says nothing."""
    bad = [name for name, loss in {**found.held_out, **found.trained}.items() if not math.isfinite(loss)]
    if not bad:
        return None
    more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
    return Warned.of(
        Finding(
            "validation.not_finite", "warning", about="picture", subjects=tuple(bad),
            message=f"Validation after epoch {found.epoch} gives no finite loss on {bad[0]}{more} and is left out.",
            evidence=Evidence(len(bad), "pictures without a finite loss"), fix=Fix("Look at the samples."),
        )
    )  # fmt: skip


def _memorises(event: ValidationDone) -> Warned:
    """The warning where the held-out loss has begun to rise."""
    assert event.above_best is not None
    rise = f"{event.above_best:.4f} ± {event.above_best_margin:.4f} over {len(event.val_losses)} held-out pictures"
    if event.best_epoch == 0:
        message = f"After epoch {event.epoch} the LoRA is worse than the base alone on pictures that it has not seen (by {rise})."
        fix = Fix("Lower the learning rate.")
    else:
        message = (
            f"Since epoch {event.best_epoch} the loss on pictures that the LoRA has not seen rises (by {rise}): the run memorises now."
        )
        fix = Fix(f"The checkpoint of epoch {event.best_epoch} is likely the better one.")
    return Warned.of(
        Finding(
            "validation.memorises", "warning", about="set", message=message,
            evidence=Evidence(event.above_best, "rise of the held-out loss", rise), fix=fix,
        )
    )  # fmt: skip
