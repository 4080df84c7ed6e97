"""Who holds a lock, for whoever waits for it: written beside the lock's file when it is taken."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

_VERB = re.compile("[a-z][a-z-]*")
_named: list[str] = []


@dataclass(frozen=True)
class Holder:
    """A process that has a lock."""

    program: str
    """For people: `lorasmith mend`, `job 7`."""
    process: int
    since: float
    """In seconds since 1970."""

    def __str__(self) -> str:
        return f"{self.program}, process {self.process}, since {datetime.fromtimestamp(self.since):%H:%M:%S}"


def name_this_program(words: str) -> None:
    """What this process is to be called where it holds a lock, if not by its command line."""
    _named[:] = [words]


def sign(lock: Path) -> None:
    """Write down that this process has taken a lock; where the disk is full nobody knows."""
    with suppress(OSError):
        _beside(lock).write_text(json.dumps(asdict(Holder(_this_program(), os.getpid(), time.time()))), encoding="utf-8")


def holder_of(lock: Path) -> Holder | None:
    """Who took a lock last; None where that is not known."""
    try:
        return Holder(**json.loads(_beside(lock).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def program_of(command: Sequence[str]) -> str:
    """A command line without its options and files: `lorasmith captions add` of `/bin/lorasmith captions add ./anna hat`."""
    file = Path(command[0] if command and not command[0].startswith("-") else "python")
    program = file.parent.name if file.name == "__main__.py" else file.name
    verbs: list[str] = []
    for word in command[1:3]:
        if not _VERB.fullmatch(word):
            break
        verbs.append(word)
    return " ".join((program, *verbs))


def _this_program() -> str:
    return _named[0] if _named else program_of(sys.argv)


def _beside(lock: Path) -> Path:
    return lock.with_name(f"{lock.name}-holder.json")
