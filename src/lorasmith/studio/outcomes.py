"""What the sweeps have come to. Verdicts are worked out again only where a trial's state or its proof has changed."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from lorasmith.evaluation.proof.record import PROOF, RECORD
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.sweep.onlooker import statuses_of
from lorasmith.jobs.sweep.outcome import Swept, outcome_of
from lorasmith.jobs.sweep.sweep_file import Sweep, sweep_from
from lorasmith.jobs.sweep.sweep_folder import SweepFolder, read_sweep_folder


@dataclass(frozen=True)
class Outcome:
    """A sweep as it was left, and what it came to so far."""

    sweep: Sweep
    folder: SweepFolder
    swept: Swept


@dataclass
class Outcomes:
    """The outcomes of sweeps, by their folders."""

    _known: dict[Path, tuple[object, Outcome]] = field(default_factory=dict)

    def of(self, queue: Queue, root: Path) -> Outcome:
        """The outcome of the sweep in a folder. Raises SettingsError where that cannot be read."""
        folder, statuses = read_sweep_folder(root), statuses_of(queue, root)
        runs = (*map(folder.trial, range(1, len(folder.record.trials) + 1)), folder.in_full)
        state = (str(vars(folder.record)), sorted(map(str, statuses.items())), [_state(run / PROOF / RECORD) for run in runs])
        known = self._known.get(root)
        if known is None or known[0] != state:
            sweep = sweep_from(folder.record.definition, str(root))
            known = self._known[root] = state, Outcome(sweep, folder, outcome_of(sweep, folder, statuses, folder.record.complete))
        return known[1]


def _state(file: Path) -> tuple[int, int, int] | None:
    """Another one whenever the file has changed."""
    try:
        facts = os.stat(file)
    except OSError:
        return None
    return facts.st_ino, facts.st_size, facts.st_mtime_ns
