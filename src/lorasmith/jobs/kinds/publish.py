"""Make a LoRA ready for others. What is made appears whole, so a job that died begins again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from lorasmith.errors import RunError
from lorasmith.jobs.kind import Arguments, Kind
from lorasmith.jobs.kinds.options import OVERWRITE, BaseSource
from lorasmith.jobs.work import Work


class PublishArguments(Arguments):
    """What `lorasmith publish` is given."""

    reads: ClassVar[tuple[str, ...]] = ("source", "pictures", "base")

    source: Path = Field(description="Folder of a run, or a LoRA file.")
    out: Path = Field(description="Folder to make, or a ZIP where the name ends so.")
    name: str | None = Field(None, description="Name of the file. Empty: as its training calls it.")
    description: str = Field("", description="What it is, in a few sentences.")
    author: str = Field("", description="Who made it.")
    license: str = Field("", description="Such as cc-by-4.0, openrail or apache-2.0.")
    base_model: str = Field("", description="The base model's repository on the hub: OWNER/NAME.")
    pictures: list[Path] = Field(default_factory=list, description="Pictures to show, instead of those of the run.")
    base: BaseSource | None = Field(None, description="Base model, to generate pictures where there are none.")
    prompts: list[str] = Field(default_factory=list, description="What to generate with the base; one for each picture.")
    push: str = Field("", description="Upload to this repository on Hugging Face's hub, too: OWNER/NAME.")
    private: bool = Field(False, description="A new repository is private.")
    keep_private: bool = Field(False, description="Keep metadata that name folders, tags or programs.")
    overwrite: bool = OVERWRITE


def run(arguments: PublishArguments, work: Work) -> dict[str, Any]:
    """Publish; what is wrong is said, and then nothing is written."""
    from lorasmith.library.publish.hub import check_repository, push_folder
    from lorasmith.library.publish.publish import publish

    if arguments.push:
        check_repository(arguments.push)
    given = arguments.model_dump(exclude={"push", "private", "overwrite"})
    made = publish(**given, repository=arguments.push, overwrite=work.owns(arguments.out) or arguments.overwrite)
    for finding in made.findings:
        work.say(str(finding))
    if made.out is None:
        first = next(str(finding) for finding in made.findings if finding.severity == "error")
        raise RunError(f"Nothing was written: {first}", code="publish.findings")
    address = push_folder(made.out, arguments.push, private=arguments.private) if arguments.push else None
    return {"out": str(made.out), "pushed": address}


KIND = Kind("Publish a LoRA", PublishArguments, run, needs="accelerator")
