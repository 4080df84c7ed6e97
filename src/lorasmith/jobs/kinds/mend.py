"""Mend pictures where they need it. Originals are kept; a picture that an earlier process of the job has mended is not mended twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from lorasmith.jobs.kind import Arguments, Kind
from lorasmith.jobs.kinds.options import CACHE, cache_of_pictures
from lorasmith.jobs.work import Work

if TYPE_CHECKING:
    from lorasmith.findings import MendChange


class Change(BaseModel):
    """One way to mend, as findings propose it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    way: str = Field(description="Such as bars, crop, upscale or duplicates.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Such as the box of a crop.")


class MendArguments(Arguments):
    """What `lorasmith mend` is given."""

    reads: ClassVar[tuple[str, ...]] = ("dataset",)

    dataset: Path = Field(description="The dataset's folder.")
    changes: list[Change] = Field(min_length=1, description="What to do to each picture, where it needs it.")
    pictures: list[str] = Field(default_factory=list, description="Only these, by their paths in the dataset; empty: all.")
    only: list[str] = Field(default_factory=list, description="Only pictures that fit: 'cat*.png', '10_anna/*'.")
    cache: Path = CACHE

    def read_paths(self) -> Iterator[tuple[str, Path]]:
        """The dataset, and the networks that enlarge."""
        yield from super().read_paths()
        for change in self.changes:
            if isinstance(network := change.parameters.get("network"), str):
                yield "network", Path(network)

    def check_can_begin(self, workspace: Path) -> None:
        """As for every job; and whether each change can be done, such as whether a network can be used."""
        from lorasmith.curation.mend.proposals import check_changes

        super().check_can_begin(workspace)
        check_changes(_wanted(self))


def run(arguments: MendArguments, work: Work) -> dict[str, Any]:
    """Propose, then mend; what could not be mended is reported with the reason."""
    from lorasmith.curation.mend.mend import mend
    from lorasmith.curation.mend.proposals import propose
    from lorasmith.curation.moves import settle
    from lorasmith.images.read import content_hash

    settle(arguments.dataset)
    before = work.once("pictures", lambda: {str(path): content_hash(path) for path in _chosen(arguments)})
    pictures = [path for path in map(Path, before) if path.is_file() and content_hash(path) == before[str(path)]]
    proposals = propose(
        arguments.dataset, pictures, _wanted(arguments), work.progress_or_stop("looking", "picture"), cache_of_pictures(arguments.cache)
    )
    mended = mend(arguments.dataset, proposals, work.progress_or_stop("mending", "picture"))
    problems = [one.problem for one in mended if one.problem]
    for problem in problems:
        work.say(problem)
    return {"mended": len(mended) - len(problems), "problems": len(problems)}


def _wanted(arguments: MendArguments) -> list[MendChange]:
    from lorasmith.findings import MendChange

    return [MendChange(each.way, each.parameters) for each in arguments.changes]


def _chosen(arguments: MendArguments) -> list[Path]:
    from lorasmith.curation.chosen_pictures import dataset_pictures

    named = set(arguments.pictures)
    found = dataset_pictures(arguments.dataset, arguments.only)
    return [path for path in found if not named or path.relative_to(arguments.dataset).as_posix() in named]


KIND = Kind("Mend pictures", MendArguments, run)
