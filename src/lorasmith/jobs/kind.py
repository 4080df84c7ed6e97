"""What a kind of job is: its typed arguments, what it needs, and the function that does the work."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from lorasmith.errors import InputError
from lorasmith.jobs.job import Needs
from lorasmith.jobs.work import Work
from lorasmith.models.files.hub import is_elsewhere
from lorasmith.stores import url_of


class Arguments(BaseModel):
    """Base of the arguments of a kind. Paths are relative to the workspace, in which the job works."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reads: ClassVar[tuple[str, ...]] = ()
    """Arguments that name what has to be there: paths, and models, which may be ids of the hub."""
    in_stores: ClassVar[tuple[str, ...]] = ()
    """Those of them that may also be in a store, by their URLs."""

    def read_paths(self) -> Iterator[tuple[str, Path]]:
        """The files and folders that have to be there, each with the name of its argument; not what is in a store or on a hub."""
        for name in self.reads:
            for place in _places_in(getattr(self, name)):
                stored = name in self.in_stores and url_of(place) is not None
                if not stored and not (isinstance(place, str) and is_elsewhere(place)):
                    yield name, looked_for(Path(os.path.expanduser(place)))

    def check_can_begin(self, workspace: Path) -> None:
        """Whether the job could begin now.

        Raises:
            InputError: an argument, which is the error's `setting`, names nothing that is there, or cannot be used.
        """
        self.check_there(workspace)

    def check_there(self, workspace: Path) -> None:
        """Whether everything is there that the job reads. Raises InputError (`jobs.not_there`)."""
        for name, path in self.read_paths():
            if not (workspace / path).exists():
                raise InputError(f"{path} ({name}) does not exist: check the path.", code="jobs.not_there", setting=name, path=str(path))


def looked_for(path: Path) -> Path:
    """What has to be there where `path` is: itself, or the folder of the many files that a range names, as {000..099}.tar does."""
    return path.parent if "{" in path.name else path


def _places_in(value: object) -> Iterator[Path | str]:
    """What an argument names: itself, what is in it where it is a list, or the paths of its parts."""
    match value:
        case Path() | str():
            yield value
        case list():
            for each in value:
                yield from _places_in(each)
        case BaseModel():
            yield from (each for each in vars(value).values() if isinstance(each, Path))


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
