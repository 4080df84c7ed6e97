"""Download a model from the hub or from a link. What came in part is kept, so it goes on where it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from lorasmith.jobs.kind import Arguments, Kind
from lorasmith.jobs.work import Work
from lorasmith.models.shelf import ModelKind


class DownloadArguments(Arguments):
    """What is downloaded. A link has no token in it: jobs are kept."""

    kind: ModelKind = Field(description="base, tagger, vocabulary or upscaler.")
    source: str = Field(description="Id of a hub repository (owner/name, owner/name/file.safetensors), or a link without its token.")
    sha256: str = Field("", pattern="^([0-9a-fA-F]{64})?$", description="What the file's SHA-256 must be.")
    handed: str = Field("", pattern="^[0-9a-f]*$", description="Name under which the studio hands the link's token over.")

    @field_validator("source")
    @classmethod
    def _without_token(cls, source: str) -> str:
        """A job is written down, and a token may not be."""
        from lorasmith.models.files.link import is_link, link_of

        if is_link(source) and link_of(source).secret:
            raise ValueError("a link's token is not kept with a job; register the model with `POST /api/models`, or set CIVITAI_TOKEN")
        return source


def run(arguments: DownloadArguments, work: Work) -> dict[str, Any]:
    """Download, look whether it is what it should be, and register it."""
    from lorasmith.jobs.handing import discard, take
    from lorasmith.jobs.workspace import Workspace
    from lorasmith.models.bring import bring

    workspace = Workspace.at(Path())
    secret = take(workspace.handed, arguments.handed) if arguments.handed else ""
    found = bring(
        workspace.root, arguments.kind, arguments.source, parts=workspace.state / "downloads", secret=secret, sha256=arguments.sha256,
        progress=work.progress_or_stop("downloading", "byte"),
    )  # fmt: skip
    if arguments.handed:
        discard(workspace.handed, arguments.handed)
    return {"kind": found.kind, "source": found.source, "licence": found.licence}


KIND = Kind("Download a model", DownloadArguments, run)
