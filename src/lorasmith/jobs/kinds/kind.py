"""What a kind of job is: its typed arguments, what it needs, and the function that does the work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from lorasmith.jobs.job import Needs
from lorasmith.jobs.work import Work


class Arguments(BaseModel):
    """Base of the arguments of a kind. Paths are relative to the workspace, in which the job works."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Kind:
    """A kind of job.

    `run` does the work with one function of the house and returns what it made, as a little plain
    data: paths and counts. It goes on where an earlier process of the
    same job was, and raises `StoppedEarly` where it was asked to stop before the end.
    """

    words: str
    """What it does, for people: `Tag a dataset`."""
    arguments: type[Arguments]
    run: Callable[[Any, Work], dict[str, Any]]
    needs: Needs = "cpu"
    takes_commands: bool = False
    """Whether it can be asked to save or sample while it goes on."""
