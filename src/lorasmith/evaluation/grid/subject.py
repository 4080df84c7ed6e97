"""What a grid is of: a run with its LoRA files, a single LoRA file, or a base with prompts that call LoRAs by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lorasmith.errors import SettingsError
from lorasmith.evaluation.sampling.loras import LoraUse
from lorasmith.models.prompts.request import PictureRequest
from lorasmith.models.settings import OpenOptions
from lorasmith.registry import nearest
from lorasmith.training import events
from lorasmith.training.records.event_log import read_history
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.sample_requests import sample_requests


@dataclass(frozen=True)
class Checkpoint:
    """A LoRA file of a run."""

    path: Path
    epoch: int
    step: int
    label: str
    """`epoch 3`, or `step 120` within an epoch."""


@dataclass(frozen=True)
class Cell:
    """One picture of a grid: on which base, from which request, with which LoRAs beside the prompt."""

    base: str
    request: PictureRequest
    loras: tuple[LoraUse, ...] = ()


@dataclass(frozen=True)
class Subject:
    """What all cells begin with, and what axes choose from."""

    start: Cell
    name: str
    """For the page's title."""
    prompts: tuple[PictureRequest, ...] = ()
    """Those of the run's samples."""
    checkpoints: tuple[Checkpoint, ...] = ()
    lora_folder: Path | None = None
    open_options: OpenOptions = field(default_factory=lambda: OpenOptions())
    home: Path = Path("grids")
    """Where its grids go."""

    def checkpoint(self, said: str) -> Checkpoint:
        """A LoRA file of the run by its name or label, or `last`.

        Raises SettingsError where there is none.
        """
        if said.lower() in ("last", "final") and self.checkpoints:
            return self.checkpoints[-1]
        for each in self.checkpoints:
            if said in (each.label, each.path.name, each.path.stem):
                return each
        known = [each.path.stem for each in self.checkpoints]
        instead = nearest(said, known) if known else "give a run folder, which has some."
        raise SettingsError(f"There is no checkpoint {said!r}: {instead}", code="grid.checkpoint", value=said)


def subject_of(
    target: str | Path | None,
    base: str | Path | None = None,
    lora_folder: str | Path | None = None,
    open_options: OpenOptions | None = None,
) -> Subject:
    """What there is at `target`: a run's folder, a LoRA file, or nothing but a base, which is opened with `open_options`.

    Raises SettingsError where it is neither, or no base is known.
    """
    folder = None if lora_folder is None else Path(lora_folder)
    options = open_options or OpenOptions()
    if target is None or Path(target).is_file():
        if base is None:
            what = "a run folder, which knows its base," if target is None else "the base that it was trained on"
            raise SettingsError(f"A grid needs a base. Give {what} or --base.", code="grid.no_base")
        path = None if target is None else Path(target)
        start = Cell(str(base), PictureRequest(), () if path is None else (LoraUse(path),))
        name = Path(str(base)).stem if path is None else path.stem
        checkpoints = () if path is None else (Checkpoint(path, 0, 0, path.stem),)
        return Subject(start, name, (), checkpoints, folder or (path.parent if path else None), options)
    return _of_run(RunFolder(Path(target)), base, folder, options)


def _of_run(run: RunFolder, base: str | Path | None, folder: Path | None, options: OpenOptions) -> Subject:
    settings = run.read_settings()
    prompts = tuple(sample_requests(settings))
    checkpoints = checkpoints_of(run)
    start = Cell(
        str(settings.base.path if base is None else base),
        replace(prompts[0] if prompts else PictureRequest(settings.captions.trigger or "", clip_skip=settings.base.clip_skip)),
        tuple(LoraUse(each.path) for each in checkpoints[-1:]),
    )
    return Subject(
        start, settings.name, prompts, checkpoints, folder or run.checkpoints, settings.base.open_options if base is None else options,
        run.root / "grids",
    )  # fmt: skip


def checkpoints_of(run: RunFolder) -> tuple[Checkpoint, ...]:
    """The LoRA files of a run that are still there, in the order of training, without those of an EMA; one for each step."""
    saved = [event for _, event in read_history(run.events) if isinstance(event, events.CheckpointSaved)] if run.events.is_file() else []
    by_step: dict[int, events.CheckpointSaved] = {}
    for event in saved:
        path = run.root / event.path
        if path.is_file() and path.resolve().is_relative_to(run.root.resolve()) and not path.stem.endswith("-ema"):
            by_step[event.step] = event
    found = sorted(by_step.values(), key=lambda event: event.step)
    return tuple(Checkpoint(run.root / event.path, event.epoch, event.step, _label(event, found)) for event in found)


def _label(event: events.CheckpointSaved, all_saved: Sequence[events.CheckpointSaved]) -> str:
    of_epoch = [other.step for other in all_saved if other.epoch == event.epoch]
    return f"epoch {event.epoch}" if event.step == max(of_epoch) else f"step {event.step:,}"
