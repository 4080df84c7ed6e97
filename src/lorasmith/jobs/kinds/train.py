"""Train a LoRA and write its report. A training that was stopped, or whose process died, continues from its last saved state."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from lorasmith.imports import without_collection
from lorasmith.jobs.kinds.kind import Arguments, Kind
from lorasmith.jobs.work import StoppedEarly, Work
from lorasmith.training import events
from lorasmith.training.events import Event, Listener
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.settings.toml import load_settings
from lorasmith.training.settings.tree import Settings, settings_from

OWN_RUN = "run.txt"
"""In the job's folder: the run that this job began. Another run in the same place is never continued in its stead."""


class TrainArguments(Arguments):
    """What `lorasmith train` or `lorasmith resume` is given: settings, a file with them, or a run to continue."""

    settings: dict[str, Any] | None = Field(None, description="The settings, as in a settings file.")
    settings_file: Path | None = Field(None, description="Settings file (TOML); it is read when the job begins.")
    out: Path | None = Field(None, description="Run folder to make. Empty: runs/NAME.")
    run: Path | None = Field(None, description="Folder of a run to continue.")
    changes: dict[str, Any] = Field(default_factory=dict, description="Settings to continue a run with, by dotted names.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(each is not None for each in (self.settings, self.settings_file, self.run)) != 1:
            raise ValueError("one of settings, settings_file and run must be given")
        return self

    def read_settings(self) -> Settings:
        """The settings of a new run."""
        return settings_from(self.settings) if self.settings_file is None else load_settings(self.settings_file)  # type: ignore[arg-type]


def run(arguments: TrainArguments, work: Work) -> dict[str, Any]:
    """Begin or continue the run; the outcome names its folder and its LoRA."""
    with without_collection():
        from lorasmith.jobs.training import resume_training, start_training

    listeners, own_run = [reporting(work)], work.folder.root / OWN_RUN
    if arguments.run is not None:
        result = resume_training(arguments.run, listeners, work.commands, arguments.changes)
    elif own_run.exists() and RunFolder(begun := Path(own_run.read_text(encoding="utf-8"))).settings.is_file():
        result = resume_training(begun, listeners, work.commands)
    else:
        settings = arguments.read_settings()
        folder = arguments.out or Path("runs") / settings.name
        if not folder.is_dir() or not any(folder.iterdir()):  # another run there is refused below
            own_run.write_text(str(folder), encoding="utf-8")
        result = start_training(settings, folder, listeners, work.commands)
    if not result.finished:
        raise StoppedEarly
    return {"run": str(result.folder), "file": None if result.file is None else str(result.file)}


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
