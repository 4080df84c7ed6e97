"""Train a LoRA, write its report, and judge it where that is wanted. A training that was stopped, or whose process died, continues from its last saved state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from lorasmith.errors import about_setting
from lorasmith.imports import without_collection
from lorasmith.jobs.kind import Kind
from lorasmith.jobs.kinds import prove
from lorasmith.jobs.kinds.options import OverRay
from lorasmith.jobs.kinds.prove import Effort
from lorasmith.jobs.kinds.settings_source import SettingsSource
from lorasmith.jobs.work import StoppedEarly, Work
from lorasmith.training import events
from lorasmith.training.events import Event, Listener
from lorasmith.training.records.mirror import folder_of
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.settings.changes import with_changes


class TrainArguments(OverRay, SettingsSource):
    """What `lorasmith train` or `lorasmith resume` is given: settings, a file with them, or a run to continue."""

    sources: ClassVar[tuple[str, ...]] = (*SettingsSource.sources, "run")

    out: Path | None = Field(None, description="Run folder to make, or its URL in a store. Empty: runs/NAME.")
    run: Path | None = Field(None, description="Folder of a run to continue.")
    changes: dict[str, Any] = Field(default_factory=dict, description="Settings to continue a run with, by dotted names.")
    prove: Effort | None = Field(None, description="Judge the run when it has finished, with as many pictures. Empty: do not.")

    def read_paths(self) -> Iterator[tuple[str, Path]]:
        """The same, or the run."""
        yield from super().read_paths()
        if self.run is not None:
            yield "run", self.run

    def check_can_begin(self, workspace: Path) -> None:
        """The same of a run that goes on, with the changes, and of a cluster. Raises InputError where it could not."""
        super().check_can_begin(workspace)
        self.check_there(workspace)
        if self.run is not None:
            with about_setting("run"):
                settings = RunFolder(workspace / self.run).read_settings()
            with_changes(settings, self.changes)


def run(arguments: TrainArguments, work: Work) -> dict[str, Any]:
    """Begin or continue the run; the outcome names its folder and its LoRA, and the verdict where it was judged."""
    with without_collection():
        from lorasmith.jobs.training import resume_training, start_training

    settings = arguments.read_settings() if arguments.run is None else None
    place = arguments.run or arguments.out or Path("runs") / settings.name  # type: ignore[union-attr]
    folder = folder_of(place)
    with ExitStack() as judging:
        listeners = [reporting(work)]
        if arguments.prove is not None:  # it is never listed as finished and not judged
            listeners.append(
                lambda event: judging.enter_context(RunFolder(folder).being_judged()) if isinstance(event, events.Finished) else None
            )
        if settings is None:
            result = resume_training(place, listeners, work.commands, arguments.changes, arguments.ray)
        elif work.owns(folder) and RunFolder(folder).settings.is_file():
            result = resume_training(folder, listeners, work.commands, ray=arguments.ray)
        else:
            result = start_training(settings, place, listeners, work.commands, arguments.ray)
        if not result.finished:
            raise StoppedEarly
        outcome = {"run": str(result.folder), "file": None if result.file is None else str(result.file)}
        if arguments.prove is None:
            return outcome
        return outcome | prove.run(prove.ProveArguments(run=result.folder, effort=arguments.prove), work)


def reporting(work: Work) -> Listener:
    """A listener that reports a run's events as the job's."""
    steps = 0

    def listener(event: Event) -> None:
        nonlocal steps
        match event:
            case events.Planned():
                steps = event.steps
            case events.CacheProgress(done=done, total=total, what=what):
                work.report(done, total, f"caching {what}", "caption" if what == "captions" else "picture")
            case events.StepDone():
                work.report(event.step, steps, "training", "step", event.eta)
            case events.PhaseStarted(phase="model", detail=detail):
                work.say(f"Loading the base model {detail}.")
            case events.Resumed(step=step):
                work.say(f"Continuing after step {step}.")
            case events.Warned(message=message):
                work.say(message)
            case events.CheckpointSaved(path=path):
                work.say(f"Saved {path}.")

    return listener


KIND = Kind("Train a LoRA", TrainArguments, run, needs="accelerator", takes_commands=True)
