"""Whether a run learns or memorises, measured on pictures that it never trains on.

Each held-out picture, and as many training images, is noised in the same few ways each time: at fixed timesteps, with noise that is drawn
for the picture and the timestep alone, with its caption as trained but nothing shuffled or dropped, and without augmentation. The loss,
the plain mean square error against the run's own target, then differs between two checkpoints only by what was learnt between them. How
rounds are compared, over all noise and in each band of it, is in `rounds`; what is said about it in `warnings`.

Nothing here draws from the run's own noise or changes a weight: a run ends in the same bytes with or without it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

import torch

from lorasmith.adapters.attach import AttachedAdapter
from lorasmith.captions.rules import CaptionRules
from lorasmith.datasets.latent_source import LatentSource
from lorasmith.datasets.order import Sample
from lorasmith.draws import generator_for
from lorasmith.models.base import Base, SizeConditioning
from lorasmith.models.diffusion import Ddpm
from lorasmith.models.texts import EncodedTexts
from lorasmith.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from lorasmith.training.events import Event, ValidationDone, Warned
from lorasmith.training.objective.batch_loss import Objective, predict, trained_diffusion
from lorasmith.training.validation.bands import band_at
from lorasmith.training.validation.over import DECIDING, Over, over
from lorasmith.training.validation.rounds import Round, compare
from lorasmith.training.validation.validation_set import ValidationSet, caption_for_validation
from lorasmith.training.validation.warnings import begins, not_finite, pictures_changed


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
def picture_losses(
    base: Base, texts: Texts, picture: ValidationPicture, timesteps: Sequence[int], objective: Objective, batch_size: int
) -> list[float]:
    """The mean square error on one picture at each timestep, unweighted, `batch_size` of them at a time."""
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
    return losses


class Validator:
    """Validates a run at its checkpoints, and remembers its rounds, that of the base first.

    Everything that it remembers is in the run's events, so that a resumed run continues from those.
    """

    def __init__(
        self, base: Base, objective: Objective, batch_size: int, timesteps: Sequence[int],
        held_out: Sequence[ValidationPicture], trained: Sequence[ValidationPicture], stop_when_over: int | None = None,
    ):  # fmt: skip
        self._model, self._objective, self._batch_size, self._timesteps = base, objective, batch_size, timesteps
        self._held_out, self._trained = tuple(held_out), tuple(trained)
        diffusion = trained_diffusion(base, objective.noise)
        self._bands = [band_at(diffusion.sigma_at(timestep)) for timestep in timesteps]
        self._stop_when_over = stop_when_over
        self._rounds: list[Round] = []
        self._last: ValidationDone | None = None
        self._changed = False
        self.tells_over = any(band in DECIDING for band in self._bands)
        """Whether its timesteps are such that `stop_when_over` can be decided."""
        self.over: Over | None = None
        """Why the run is to end after the last round, where `stop_when_over` rounds in a row say so."""

    def __repr__(self) -> str:
        return f"Validator({len(self._held_out)} held-out pictures, {len(self._trained)} training images, timesteps {self._timesteps})"

    @property
    def held_out(self) -> int:
        """How many pictures are held out."""
        return len(self._held_out)

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
                    self._take(Round.of_event(event), event)

    def validate_base(
        self, adapters: Mapping[str, AttachedAdapter], texts: Texts, process_group: ProcessGroup = SINGLE_PROCESS
    ) -> list[Event]:
        """The round of the base alone, once a run; nothing where it was done before."""
        if self._rounds:
            return []
        with ExitStack() as off:
            for adapter in adapters.values():
                off.enter_context(adapter.off())
            found = self._measure(0, texts, process_group)
        if bad := not_finite(found):
            return [Warned.of(bad)]
        event = compare(0, found, [])
        self._take(found, event)
        return [Warned.of(pictures_changed()), event] if self._changed else [event]

    def validate(
        self, adapters: Mapping[str, AttachedAdapter], texts: Texts, epoch: int, step: int, process_group: ProcessGroup = SINGLE_PROCESS
    ) -> list[Event]:
        """The round of the weights as they are after `step` steps, with a warning where it begins to memorise or gets worse."""
        before = self.validate_base(adapters, texts, process_group)
        if not self._rounds:
            return before
        found = self._measure(epoch, texts, process_group)
        if bad := not_finite(found):
            return [*before, Warned.of(bad)]
        event = compare(step, found, self._rounds)
        warned = [Warned.of(finding) for finding in begins(self._last, event)]
        self._take(found, event)
        return [*before, event, *warned]

    def _measure(self, epoch: int, texts: Texts, process_group: ProcessGroup) -> Round:
        """The loss of each picture; processes that train together share the work, and all know the result."""
        mine = {
            picture.name: picture_losses(self._model, texts, picture, self._timesteps, self._objective, self._batch_size)
            for picture in process_group.shard((*self._held_out, *self._trained))
        }
        losses = {name: found for share in process_group.gather(mine) for name, found in share.items()}
        sides = ({picture.name: losses[picture.name] for picture in side} for side in (self._held_out, self._trained))
        return Round.of_losses(epoch, self._bands, *sides)

    def _take(self, found: Round, event: ValidationDone) -> None:
        if found.epoch == 0:
            self._rounds.clear()
        self._rounds.append(found)
        self._last = event
        self.over = over(self._rounds, self._stop_when_over) if self._stop_when_over else None
