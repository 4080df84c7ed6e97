"""Training as a job: the run, then its report. The command line and the studio both call this."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lorasmith.evaluation.report import write_report
from lorasmith.training.commands import Commands
from lorasmith.training.events import Listener
from lorasmith.training.run import RunResult, resume, train
from lorasmith.training.settings.tree import Settings


def start_training(settings: Settings, folder: Path, listeners: Iterable[Listener] = (), commands: Commands | None = None) -> RunResult:
    """Train into a new run folder and write its report, also where the run was stopped."""
    result = train(settings, folder, listeners, commands)
    write_report(folder)
    return result


def resume_training(folder: Path, listeners: Iterable[Listener] = (), commands: Commands | None = None) -> RunResult:
    """Go on with a run and write its report."""
    result = resume(folder, listeners, commands)
    write_report(folder)
    return result
