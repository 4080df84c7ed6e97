"""Bring pictures with their captions into a dataset. Pictures that are there already are passed over, so it goes on where it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from lorasmith.jobs.kind import Kind
from lorasmith.jobs.kinds.options import CACHE, OverRay, cache_of_pictures, make_tiles
from lorasmith.jobs.work import StoppedEarly, Work

MOST_REASONS = 100
"""Reasons in the outcome, for a page to show; all of them are in the journal."""


class ImportArguments(OverRay):
    """What `lorasmith import` is given."""

    reads: ClassVar[tuple[str, ...]] = ("sources",)
    in_stores: ClassVar[tuple[str, ...]] = ("sources",)

    sources: list[Path] = Field(
        min_length=1, description="Pictures, folders, ZIP or TAR archives, other trainers' files; here or by their URLs in a store."
    )
    into: Path = Field(description="The dataset's folder; made if need be.")
    concept: str | None = Field(None, description="What pictures in no N_name folder show: they go into N_CONCEPT.")
    repeats: int = Field(1, ge=1, le=999, description="The N of the concept.")
    link: bool = Field(False, description="Hard links instead of copies, where the disk can.")
    check: bool = Field(False, description="Decode every picture whole, so that hidden damage shows (slower).")
    cache: Path = CACHE


def run(arguments: ImportArguments, work: Work) -> dict[str, Any]:
    """Import, and make what a page shows of the pictures; what was left out is told with the reason."""
    from lorasmith.jobs.importing import import_pictures

    report = import_pictures(
        arguments.sources, arguments.into, concept=arguments.concept, repeats=arguments.repeats, link=arguments.link, verify=arguments.check,
        progress=work.progress("importing", "picture"), cancelled=work.cancelled, cache=cache_of_pictures(arguments.cache),
        ray=arguments.ray,
    )  # fmt: skip
    for finding in report.left_out:
        work.say(str(finding))
    if report.stopped:
        raise StoppedEarly
    make_tiles(arguments.into, arguments.cache, work)
    return {
        "added": len(report.added), "captions_added": len(report.captions_added), "masks_added": len(report.masks_added), "left_out": len(report.left_out),
        "reasons": [str(finding) for finding in report.left_out[:MOST_REASONS]], "notes": report.notes,
    }  # fmt: skip


KIND = Kind("Import pictures", ImportArguments, run)
