"""Estimates of trainings and of sweeps, made by `lorasmith plan` and `lorasmith sweep --dry-run` in a process of its own and kept by what they
depend on.

.lorasmith/plans/<id>.toml      the settings, or the sweep
.lorasmith/plans/<id>.json      what the command said with `--json`
.lorasmith/plans/<id>.log       what went wrong, where something did
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lorasmith.atomic import write_atomically
from lorasmith.datasets.training_set import TrainingSet
from lorasmith.errors import InputError
from lorasmith.jobs.supervisor_process import PYTHON
from lorasmith.jobs.sweep.sweep_file import Sweep
from lorasmith.jobs.sweep.sweep_toml import sweep_toml
from lorasmith.jobs.workspace import Workspace
from lorasmith.training.settings.toml import settings_toml
from lorasmith.training.settings.tree import Settings

State = Literal["estimating", "known", "failed"]

PATIENCE = 600
"""Seconds after which an estimate is given up."""


@dataclass(frozen=True)
class Estimate:
    """What is known of a training's files, memory and time."""

    state: State
    report: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


class Estimates:
    """The estimates of a workspace; one is made at a time."""

    def __init__(self, workspace: Path):
        self.workspace = workspace
        self.folder = Workspace.at(workspace).state / "plans"
        self._under_way: set[str] = set()
        self._one_at_a_time = threading.Lock()

    def begin(self, settings: Settings, pictures: TrainingSet) -> str:
        """See to it that the estimate for these settings and pictures gets known, and give its id."""
        return self._begin(settings_toml(settings), pictures, "plan")

    def begin_sweep(self, sweep: Sweep, pictures: TrainingSet, ray: str | None = None) -> str:
        """The same for a sweep, over a cluster where the address of one is given; `pictures` are those of its settings."""
        return self._begin(sweep_toml(sweep), pictures, "sweep", "--dry-run", *(("--ray", ray) if ray else ()))

    def _begin(self, text: str, pictures: TrainingSet, verb: str, *options: str) -> str:
        """Have `lorasmith VERB FILE` say what a file with this text will take."""
        seen = [(str(one.picture.path), one.picture.size, one.picture.repeats, one.picture.caption) for one in pictures.listed]
        of_rows = [rows.row_index.digest for rows in pictures.rows]
        id = hashlib.sha256(json.dumps([text, seen, *of_rows, *options]).encode()).hexdigest()[:24]
        if id not in self._under_way and not self._file(id, "json").exists():
            self._under_way.add(id)
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file(id, "toml"), text.encode())
            threading.Thread(target=self._make, args=(id, verb, *options), daemon=True).start()
        return id

    def look(self, id: str) -> Estimate:
        """What is known by now; failed, too, where nobody has begun it."""
        if id in self._under_way:
            return Estimate("estimating")
        try:
            return Estimate("known", json.loads(self._file(id, "json").read_bytes()))
        except (OSError, ValueError):
            return Estimate("failed", problem=self._problem(id))

    def _make(self, id: str, verb: str, *options: str) -> None:
        command = [*PYTHON, "-m", "lorasmith", verb, str(self._file(id, "toml")), "--json", *options]
        try:
            with self._one_at_a_time:
                done = subprocess.run(command, cwd=self.workspace, capture_output=True, timeout=PATIENCE, check=False)
            json.loads(done.stdout)
            write_atomically(self._file(id, "json"), done.stdout)
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            said = done.stderr.decode(errors="replace") if isinstance(error, ValueError) else str(error)
            self._file(id, "log").write_text(said, encoding="utf-8")
        finally:
            self._under_way.discard(id)

    def _problem(self, id: str) -> str:
        if not self._file(id, "toml").exists():
            raise InputError("There is no such plan. Make it again.", code="plan.not_found", plan=id)
        try:
            return self._file(id, "log").read_text(encoding="utf-8").removeprefix("error: ").strip()
        except OSError:
            return "The studio was stopped before the estimate was made. Plan again."

    def _file(self, id: str, suffix: str) -> Path:
        return self.folder / f"{id}.{suffix}"
