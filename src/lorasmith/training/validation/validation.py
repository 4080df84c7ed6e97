"""Whether a run learns or memorises, measured on pictures that it never trains on.

Each held-out picture, and as many trained ones, is noised in the same few ways each time: at fixed timesteps, with noise that is drawn
for the picture and the timestep alone, with its caption as trained but nothing shuffled or dropped, and without augmentation. How
wrong the model is then, the plain mean square against the run's own target, differs between two checkpoints only by what was learnt
between them. So three things are told of each picture's differences, with their 95 % margins (see `uncertainty`):

    change      now - the base alone, on held-out and on trained pictures: below 0 is learnt
    gap         held-out change - trained change: what trained pictures gained beyond what held-out ones did, which is memorised
    since best  now - where the held-out loss was lowest before: above 0 it gets worse again

The base has seen neither kind of picture, so taking its losses off leaves out how hard each picture is, and the two kinds can be
compared. Nothing here draws from the run's own noise or changes a weight: a run ends in the same bytes with or without it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Protocol

import torch

from lorasmith.adapters.attach import AttachedAdapter
from lorasmith.captions.rules import CaptionRules, caption_for_training
from lorasmith.dataset_folder import HOLDOUT, pictures_below
from lorasmith.datasets.latents import LatentCache, encode_all
from lorasmith.datasets.settings import DatasetSettings
from lorasmith.datasets.training_set import TrainingPicture, TrainingSet, open_training_set
from lorasmith.draws import generator_for, rng_for, seed_of
from lorasmith.errors import DatasetError, SettingsError
from lorasmith.findings import Finding
from lorasmith.models.base import Base, SizeConditioning
from lorasmith.models.diffusion import Ddpm
from lorasmith.models.texts import EncodedTexts
from lorasmith.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from lorasmith.training.events import Event, ValidationDone, Warned
from lorasmith.training.objective.batch_loss import ask, trained_diffusion
from lorasmith.training.settings.sections import ValidationSettings
from lorasmith.training.settings.tree import Settings
from lorasmith.training.validation.uncertainty import difference_of_means, mean_with_margin

# -- the pictures -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ValidationSet:
    """The pictures to measure on, in their fixed order, and the problems found on the way."""

    held_out: tuple[TrainingPicture, ...]
    trained: tuple[TrainingPicture, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def pictures(self) -> tuple[TrainingPicture, ...]:
        return self.held_out + self.trained


def open_validation(settings: Settings, training_set: TrainingSet) -> ValidationSet | None:
    """The held-out pictures and as many trained ones; None where nothing is held out, or validation is off.

    Raises:
        DatasetError: the folder cannot be used, or a picture is both trained on and held out.
        SettingsError: validation is set up, but there is nothing to validate with.
    """
    wanted = settings.validation
    if wanted.every_n_epochs == 0:
        return None
    folders = _folders(settings)
    if not folders:
        if wanted != ValidationSettings():
            given = next(name for name in ValidationSettings.model_fields if getattr(wanted, name) != getattr(ValidationSettings(), name))
            raise SettingsError(
                f"validation.{given} has no effect, since no picture is held out; hold some out with "
                f"`lorasmith layout {settings.datasets[0].path} --holdout 0.1`, set validation.path, or remove it"
            )
        return None
    found = open_training_set(folders, settings.buckets)
    _refuse_trained(found, training_set)
    held_out = chosen(found.pictures, wanted.max_images)
    trained = chosen([item for item in training_set.pictures if not item.picture.is_reg], len(held_out))
    return ValidationSet(held_out, trained, found.findings)


def _folders(settings: Settings) -> list[DatasetSettings]:
    """Where held-out pictures lie, each at the resolution of the dataset that it belongs to."""
    if settings.validation.path is not None:
        return [DatasetSettings(path=settings.validation.path, repeats=1)]
    beside = [(dataset, Path(dataset.path) / HOLDOUT) for dataset in settings.datasets if not dataset.is_reg]
    return [DatasetSettings(path=folder, repeats=1, resolution=dataset.resolution) for dataset, folder in beside if _has_pictures(folder)]


def _has_pictures(folder: Path) -> bool:
    return folder.is_dir() and bool(pictures_below(folder))


def _refuse_trained(held_out: TrainingSet, training_set: TrainingSet) -> None:
    """Raises DatasetError where the same bytes are on both sides: such a picture rewards memorising."""
    trained = {item.picture.content: item.picture.path for item in training_set.pictures}
    for item in held_out.pictures:
        twin = trained.get(item.picture.content)
        if twin is not None:
            raise DatasetError(
                f"{item.picture.path} is held out for validation and trained on as {twin}; delete one of the two, "
                "since a picture that was trained on cannot judge the LoRA"
            )


def chosen(pictures: Sequence[TrainingPicture], most: int) -> tuple[TrainingPicture, ...]:
    """At most so many pictures, by their content: the same whatever they are called, and beside whichever others; no twins."""
    by_content = {item.picture.content: item for item in reversed(pictures)}
    return tuple(by_content[content] for content in sorted(by_content, key=lambda c: seed_of("validation picture", c))[:most])


def due(settings: Settings, epoch: int, last: bool) -> bool:
    """Whether to validate at the end of this epoch."""
    every = settings.validation.every_n_epochs
    if every == 0:
        return False
    with_checkpoints = settings.checkpoints.save_every_n_epochs
    wanted = with_checkpoints if every is None else every
    return last or (wanted > 0 and epoch % wanted == 0)


# -- the questions ----------------------------------------------------------------------------------------------------


def grid(timesteps: int | Sequence[int], trained: tuple[int, int] = (0, 1000)) -> tuple[int, ...]:
    """The timesteps themselves, or the middles of so many equal parts of those that are trained, from the first to before the second."""
    if isinstance(timesteps, int):
        first, end = trained
        return tuple(dict.fromkeys(first + math.floor((k + 0.5) * (end - first) / timesteps) for k in range(timesteps)))
    return tuple(sorted(timesteps))


def caption_for_validation(item: TrainingPicture, rules: CaptionRules) -> str:
    """The caption as trained, trigger and all, but always the same: whole, in its own order."""
    still = replace(rules, shuffle=False, dropout=0.0, dropout_every_n_epochs=0, tag_dropout=0.0, token_warmup_step=0)
    return caption_for_training(item.picture.caption or "", still, rng_for("validation caption", item.picture.content))


@dataclass(frozen=True, eq=False)
class Probe:
    """One picture to measure on. `name` tells it from all others; `latent` (c, h, w) float32, contiguous, so that sums add up alike."""

    name: str
    content: str
    caption: str
    latent: torch.Tensor
    size: SizeConditioning


class Texts(Protocol):
    """What encodes captions; see `step.TextStates`."""

    def __call__(self, captions: Sequence[str]) -> EncodedTexts: ...


@torch.no_grad()
def probe_loss(base: Base, texts: Texts, probe: Probe, timesteps: Sequence[int], settings: Settings) -> float:
    """The mean square error on one picture over the timesteps, unweighted; no more is asked at once than in training."""
    states, diffusion, batch_size = texts([probe.caption]), trained_diffusion(base, settings.noise), settings.training.batch_size
    losses: list[float] = []
    for first in range(0, len(timesteps), batch_size):
        part = timesteps[first : first + batch_size]
        noise = [torch.randn(probe.latent.shape, generator=generator_for("validation noise", probe.content, t)) for t in part]
        at = torch.tensor(part, dtype=torch.int64 if isinstance(diffusion, Ddpm) else torch.float32)
        latents = probe.latent.expand(len(part), *probe.latent.shape)
        read, sizes = EncodedTexts.cat([states] * len(part)), [probe.size] * len(part)
        answer = ask(base, latents, torch.stack(noise), at, read, settings.flow, sizes, diffusion=diffusion)
        losses += (answer.prediction - answer.target).square().flatten(1).mean(1).tolist()
    return fmean(losses)


# -- the measure ------------------------------------------------------------------------------------------------------

Losses = dict[str, float]
"""The loss of each picture, by the name of its probe."""


@dataclass(frozen=True)
class Measured:
    """One round over all pictures."""

    epoch: int
    held_out: Losses
    trained: Losses

    @property
    def held_out_mean(self) -> float:
        return fmean(self.held_out.values())


def compare(step: int, now: Measured, base: Measured, best: Measured | None) -> ValidationDone:
    """What a round says beside that of the base and the best one so far; all are over the same pictures."""
    held_out_changes = [loss - base.held_out[name] for name, loss in now.held_out.items()]
    trained_changes = [loss - base.trained[name] for name, loss in now.trained.items()]
    since = mean_with_margin([loss - best.held_out[name] for name, loss in now.held_out.items()]) if best else (None, None)
    return ValidationDone(
        now.epoch, step, now.held_out_mean, fmean(now.trained.values()),
        *mean_with_margin(held_out_changes), *mean_with_margin(trained_changes), *difference_of_means(held_out_changes, trained_changes),
        held_out=now.held_out, trained=now.trained,
        best_epoch=best.epoch if best else None, since_best=since[0], since_best_margin=since[1],
    )  # fmt: skip


class Validator:
    """Measures a run at its checkpoints, and remembers the base and the best round.

    All that it remembers stands in the run's events, so that a resumed run goes on from those.
    """

    def __init__(self, base: Base, settings: Settings, held_out: Sequence[Probe], trained: Sequence[Probe]):
        self._model, self._settings = base, settings
        self._held_out, self._trained = tuple(held_out), tuple(trained)
        self._timesteps = grid(settings.validation.timesteps, settings.noise.timesteps)
        self._base: Measured | None = None
        self._best: Measured | None = None
        self._rising = False
        self._changed = False

    @property
    def captions(self) -> list[str]:
        """All captions that will be asked for, for who encodes them ahead."""
        return [probe.caption for probe in (*self._held_out, *self._trained)]

    def remember(self, told: Iterable[Event]) -> None:
        """Go on from what an earlier part of the run told; rounds over other pictures do not count."""
        for event in told:
            if isinstance(event, ValidationDone):
                same = set(event.held_out) == {p.name for p in self._held_out} and set(event.trained) == {p.name for p in self._trained}
                self._changed = not same
                if same:
                    self._take(Measured(event.epoch, event.held_out, event.trained), event)

    def of_base(self, adapters: Mapping[str, AttachedAdapter], texts: Texts, process_group: ProcessGroup = SINGLE_PROCESS) -> list[Event]:
        """The round of the base alone, once a run; nothing where it was told already."""
        if self._base is not None:
            return []
        with ExitStack() as off:
            for adapter in adapters.values():
                off.enter_context(adapter.off())
            measured = self._measure(0, texts, process_group)
        if bad := _not_finite(measured):
            return [bad]
        event = compare(0, measured, measured, None)
        self._take(measured, event)
        return [Warned(_CHANGED), event] if self._changed else [event]

    def of_checkpoint(
        self, adapters: Mapping[str, AttachedAdapter], texts: Texts, epoch: int, step: int, process_group: ProcessGroup = SINGLE_PROCESS
    ) -> list[Event]:
        """The round of the weights as they are after `step` steps: what it says, and a warning where the run begins to memorise."""
        before = self.of_base(adapters, texts, process_group)
        if self._base is None:
            return before
        measured = self._measure(epoch, texts, process_group)
        if bad := _not_finite(measured):
            return [*before, bad]
        event, was_rising = compare(step, measured, self._base, self._best), self._rising
        self._take(measured, event)
        begins = self._rising and not was_rising
        return [*before, event, Warned(_warning(event))] if begins else [*before, event]

    def _measure(self, epoch: int, texts: Texts, process_group: ProcessGroup) -> Measured:
        """Ask about each picture once; processes that train together share the work, and all know the result."""
        mine = {
            probe.name: probe_loss(self._model, texts, probe, self._timesteps, self._settings)
            for probe in process_group.shard((*self._held_out, *self._trained))
        }
        found = {name: loss for share in process_group.gather(mine) for name, loss in share.items()}
        return Measured(epoch, {p.name: found[p.name] for p in self._held_out}, {p.name: found[p.name] for p in self._trained})

    def _take(self, measured: Measured, event: ValidationDone) -> None:
        if self._base is None or measured.epoch == 0:
            self._base = measured
        if self._best is None or measured.held_out_mean < self._best.held_out_mean:
            self._best = measured
        self._rising = event.since_best is not None and event.since_best_margin is not None and event.since_best > event.since_best_margin


_CHANGED = "the pictures for validation have changed since the run began; what was measured before is not compared with what follows"


def _not_finite(measured: Measured) -> Warned | None:
    """A warning where a loss is no finite number, such as after an overflow in half precision: such a round says nothing."""
    bad = [name for name, loss in {**measured.held_out, **measured.trained}.items() if not math.isfinite(loss)]
    if not bad:
        return None
    more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
    return Warned(f"validation after epoch {measured.epoch} gives no finite loss on {bad[0]}{more} and is left out; look at the samples")


def _warning(event: ValidationDone) -> str:
    rise = f"{event.since_best:.4f} ± {event.since_best_margin:.4f} over {len(event.held_out)} held-out pictures"
    if event.best_epoch == 0:
        return (
            f"after epoch {event.epoch} the LoRA is worse than the base alone on pictures that it has not seen (by {rise}); lower the rate"
        )
    return (
        f"since epoch {event.best_epoch} the loss on pictures that it has not seen rises (by {rise}): the run memorises now; "
        f"the checkpoint of epoch {event.best_epoch} is likely the better one"
    )


def make_validator(validation_set: ValidationSet, base: Base, settings: Settings) -> Validator:
    """Everything that the rounds need: latents from the cache or made now, captions, and the files' sizes for SDXL."""
    pictures = validation_set.pictures
    cache = LatentCache(settings.cache / "latents")
    requests = [item.latent_request for item in pictures]
    latents = dict(encode_all(requests, base.encode_pixels, base.fingerprints["vae"], torch.float32, cache))
    rules = settings.captions.rules
    probes = [
        Probe(
            f"{item.picture.path.name} {item.picture.content[:8]}", item.picture.content, caption_for_validation(item, rules),
            latents[index].contiguous(), SizeConditioning(item.picture.size, item.fit.crop, item.fit.bucket),
        )
        for index, item in enumerate(pictures)
    ]  # fmt: skip
    held_out = len(validation_set.held_out)
    return Validator(base, settings, probes[:held_out], probes[held_out:])
