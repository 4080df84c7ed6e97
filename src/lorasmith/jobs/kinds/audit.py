"""Say what is wrong with each picture of a dataset and with the set. What was seen of a picture is kept, so it goes on where it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from lorasmith.curation.audit.checks import CheckName
from lorasmith.jobs.kind import Kind
from lorasmith.jobs.kinds.options import CACHE, OverRay, cache_of_pictures, make_tiles
from lorasmith.jobs.work import StoppedEarly, Work
from lorasmith.stores import url_of


class AuditArguments(OverRay):
    """What `lorasmith audit` is given."""

    reads: ClassVar[tuple[str, ...]] = ("dataset",)
    in_stores: ClassVar[tuple[str, ...]] = ("dataset",)

    dataset: Path = Field(description="Folder of pictures, or its URL in a store; folders in it are looked at, too.")
    kind: Literal["character", "style", "concept"] | None = Field(None, description="What the LoRA is to be of: are there enough pictures?")
    resolution: int = Field(1024, ge=64, le=4096, description="Side of the training's square, in pixels: 512, 768, 1024.")
    words: bool = Field(False, description="Look for words on the pictures; a second or two each. Needs lorasmith[ocr].")
    without: list[CheckName] = Field(default_factory=list, description="Checks that are switched off: dark, greyscale ...")
    cache: Path = CACHE


def run(arguments: AuditArguments, work: Work) -> dict[str, Any]:
    """Audit; an audit or a page later finds everything in the cache."""
    from lorasmith.jobs.auditing import audit

    result = audit(
        arguments.dataset, kind=arguments.kind, resolution=arguments.resolution, cache=cache_of_pictures(arguments.cache),
        read_words=arguments.words, without=arguments.without, cancelled=work.cancelled, progress=work.progress("looking", "picture"),
        ray=arguments.ray,
    )  # fmt: skip
    if result.left_out:
        raise StoppedEarly
    if url_of(arguments.dataset) is None:  # no page shows what is in a store
        make_tiles(arguments.dataset, arguments.cache, work)
    return {"pictures": len(result.pictures), "score": result.score, "findings": dict(result.counts)}


KIND = Kind("Audit a dataset", AuditArguments, run)
