"""What a job's function is given: where to report how far it is, and whether it is to stop."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from lorasmith.atomic import write_atomically
from lorasmith.jobs.job import Job
from lorasmith.jobs.journal import Journal, Progressed, Said
from lorasmith.jobs.workspace import JobFolder
from lorasmith.progress import Progress
from lorasmith.training.commands import Commands

Found = TypeVar("Found")

log = logging.getLogger(__name__)

REPORT_EVERY = 0.25
"""Seconds between two reports of progress; the first and the last of each part are always made."""


class StoppedEarly(Exception):
    """A job ended before it was done, because it was asked to; what it did is kept."""


class Work:
    """The work of one process on one job."""

    def __init__(self, folder: JobFolder, clock: Callable[[], float] = time.monotonic, job: Job | None = None):
        self.folder = folder
        """The job's, in which `once` and `owns` remember over its processes."""
        self.job = job
        """The job, where it is one of a queue."""
        self.commands = Commands()
        """For a training: what it was asked for."""
        self._journal, self._clock = Journal(folder.events), clock
        self._stopping = threading.Event()
        self._part, self._began_at, self._began, self._reported = "", 0, 0.0, 0.0

    def stop(self) -> None:
        """Ask the work to end, keeping what is done."""
        self._stopping.set()
        self.commands.stop()

    def cancelled(self) -> bool:
        """Whether the work is to end; asked between two pieces."""
        return self._stopping.is_set()

    def once(self, name: str, find: Callable[[], Found]) -> Found:
        """What `find` found in the job's first process, as JSON; later ones are given the same."""
        kept = self.folder.root / f"{name}.json"
        if not kept.exists():
            write_atomically(kept, json.dumps(find()).encode())
        found: Found = json.loads(kept.read_bytes())
        return found

    def owns(self, path: Path) -> bool:
        """Whether the job may write to `path`: there was nothing when it first asked, so what is there now it made itself."""
        kept, line = self.folder.root / "owned.txt", f"{path}\n"
        if kept.exists() and line in kept.read_text(encoding="utf-8").splitlines(keepends=True):
            return True
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            return False
        with kept.open("a", encoding="utf-8") as file:
            file.write(line)
        return True

    def say(self, words: str) -> None:
        """Report a sentence."""
        log.info("%s", words)
        self._journal(Said(words))

    def progress(self, doing: str, unit: str) -> Progress:
        """A progress function for one part of the work."""
        return lambda done, of: self.report(done, of, doing, unit)

    def progress_or_stop(self, doing: str, unit: str) -> Progress:
        """The same for functions that do not ask whether to stop: it raises StoppedEarly between two pieces."""

        def progress(done: int, of: int) -> None:
            self.report(done, of, doing, unit)
            if self.cancelled() and done < of:
                raise StoppedEarly

        return progress

    def report(self, done: int, of: int, doing: str, unit: str, eta: float | None = None) -> None:
        """Report how far one part of the work is; how long it will take is estimated unless it is given."""
        now = self._clock()
        if doing != self._part:
            self._part, self._began_at, self._began = doing, done, now
        elif now - self._reported < REPORT_EVERY and done < of:
            return
        self._reported = now
        rate = (done - self._began_at) / (now - self._began) if done > self._began_at and now > self._began else None
        if eta is None and rate is not None:
            eta = (of - done) / rate
        self._journal(Progressed(done, of, unit, doing, rate and round(rate, 3), None if eta is None else round(eta, 1)))
