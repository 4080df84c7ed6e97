"""What a run's folder says about the run: its settings, its events in order, how it ended.

Reading changes nothing, and works at any time: on a run that finished, was stopped, was killed or is still going.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lorasmith.errors import SettingsError
from lorasmith.training import events
from lorasmith.training.records.event_log import TimedEvent, read_history
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.settings.tree import Settings

PROOF = "proof.json"
SIGN_OF_LIFE = 120.0
"""Seconds without an event, and longer than ten steps take, after which a run counts as killed."""


class ProofRow(BaseModel):
    """One measure: its value, 0-1, without and with the LoRA, the value that is wanted in words, and whether it was reached."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    measure: str
    before: float = Field(ge=0, le=1)
    after: float = Field(ge=0, le=1)
    wanted: str
    holds: bool


class Proof(BaseModel):
    """The evidence in `proof.json`: `samples` images were judged, and `command` judges them again."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    subject: str
    rows: list[ProofRow] = Field(min_length=1)
    samples: int
    command: str


@dataclass(frozen=True)
class Ending:
    """How a run ended, or that it has not yet. `reason` is why it was stopped or finished early, "" where nobody said."""

    kind: Literal["finished", "stopped", "going", "killed"]
    step: int
    seconds: float
    """Of training, so far."""
    last_event: float
    """Unix time of the last event, 0 without one."""
    reason: str = ""


@dataclass(frozen=True)
class RunRecord:
    """A run as its folder describes it; steps, epochs and files once each, by rising number."""

    folder: RunFolder
    settings: Settings
    manifest: dict[str, Any] | None
    """None where it is missing or damaged."""
    proof: Proof | None
    proof_damaged: bool
    ending: Ending
    planned: events.Planned | None
    steps: tuple[events.StepDone, ...]
    epochs: tuple[events.EpochDone, ...]
    samples: dict[tuple[str, int], dict[int, events.SampleReady]]
    """By (prompt, seed), then by step."""
    checkpoints: tuple[events.CheckpointSaved, ...]
    validations: tuple[events.ValidationDone, ...]
    warnings: tuple[events.Warned, ...]
    skipped: tuple[events.StepSkipped, ...]


def read_run(folder: str | Path) -> RunRecord:
    """Read a run's folder.

    Raises SettingsError where it is not that of a run, or its settings or events cannot be read.
    """
    run = RunFolder(Path(folder))
    settings = run.read_settings()
    timed = _read_events(run)
    happened = [event for _, event in timed]
    # By number: a run that was killed before its first saved state reports its first steps twice.
    steps = {e.step: e for e in happened if isinstance(e, events.StepDone)}
    epochs = {e.epoch: e for e in happened if isinstance(e, events.EpochDone)}
    checkpoints = {e.path: e for e in happened if isinstance(e, events.CheckpointSaved)}
    validations = {e.step: e for e in happened if isinstance(e, events.ValidationDone)}
    samples: dict[tuple[str, int], dict[int, events.SampleReady]] = {}
    for event in happened:
        if isinstance(event, events.SampleReady):
            samples.setdefault((event.prompt, event.seed), {})[event.step] = event
    proof, proof_damaged = _read_proof(run.root / PROOF)
    return RunRecord(
        folder=run,
        settings=settings,
        manifest=_read_manifest(run.manifest),
        proof=proof,
        proof_damaged=proof_damaged,
        ending=_ending(timed, steps, run),
        planned=next((e for e in reversed(happened) if isinstance(e, events.Planned)), None),
        steps=tuple(steps[k] for k in sorted(steps)),
        epochs=tuple(epochs[k] for k in sorted(epochs)),
        samples=samples,
        checkpoints=tuple(sorted(checkpoints.values(), key=lambda e: (e.step, e.final, e.path))),
        validations=tuple(validations[k] for k in sorted(validations)),
        warnings=tuple(e for e in happened if isinstance(e, events.Warned)),
        skipped=tuple({e.step: e for e in happened if isinstance(e, events.StepSkipped)}.values()),
    )


def _read_events(run: RunFolder) -> list[TimedEvent]:
    if not run.events.is_file():
        raise SettingsError(
            f"{run.root} has settings but no events.jsonl, so nothing was trained there. Give the folder of a run.",
            code="run.no_events",
            path=str(run.root),
        )
    try:
        return read_history(run.events)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"{run.events} cannot be read as the events of a run ({error}). Restore the file.",
            code="run.events_damaged",
            path=str(run.events),
        ) from error


def _ending(timed: Sequence[TimedEvent], steps: dict[int, events.StepDone], run: RunFolder) -> Ending:
    happened = [event for _, event in timed]
    done, seconds = max(steps, default=0), sum(step.seconds for step in steps.values())
    last = timed[-1][0] if timed else 0.0
    # A run that was made longer after its end and went on has steps beyond it.
    finished = next((e for e in reversed(happened) if isinstance(e, events.Finished) and e.step >= done), None)
    if finished is not None:
        return Ending("finished", finished.step, finished.seconds, last, finished.early)
    if happened and isinstance(happened[-1], events.Stopped):
        return Ending("stopped", done, seconds, last, happened[-1].reason)
    if _is_running(run):
        return Ending("going", done, seconds, last)
    patience = max(SIGN_OF_LIFE, 10 * max((step.seconds for step in steps.values()), default=0.0))
    return Ending("going" if time.time() - last < patience else "killed", done, seconds, last)


def _is_running(run: RunFolder) -> bool:
    """Whether a process of this machine works on it, however long it says nothing, such as while it samples on a CPU."""
    try:
        return run.is_running
    except OSError:  # in a folder that cannot be written to nobody trains
        return False


def _read_manifest(path: Path) -> dict[str, Any] | None:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # killed before it was written
    return manifest if isinstance(manifest, dict) else None


def _read_proof(path: Path) -> tuple[Proof | None, bool]:
    """The proof where there is one, and whether it is damaged."""
    try:
        return Proof.model_validate_json(path.read_bytes()), False
    except FileNotFoundError:
        return None, False
    except (OSError, ValidationError):
        return None, True
