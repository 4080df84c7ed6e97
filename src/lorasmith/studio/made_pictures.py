"""`/files/jobs`: the pictures that jobs generated, by their order in the job's outcome."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from lorasmith.errors import InputError
from lorasmith.jobs.job import Job
from lorasmith.studio.etag import IfNoneMatch
from lorasmith.studio.files import picture_response
from lorasmith.studio.paths import within
from lorasmith.studio.studio import OpenStudio

files = APIRouter(tags=["files"])


@files.get("/jobs/{job}/pictures", response_class=Response, responses={200: {"content": {"image/*": {}}}})
def get_made_picture(
    job: int, studio: OpenStudio, nr: Annotated[int, Query(ge=0, description="Which one: 0 is the first prompt's, or a grid's sheet.")] = 0,
    if_none_match: IfNoneMatch = None,
) -> Response:  # fmt: skip
    """A picture that a finished job generated."""
    made = _pictures(studio.queue.get(job))
    place = within(studio.workspace, studio.workspace / made[nr]) if nr < len(made) else None
    if place is None or not place.is_file():
        raise InputError(f"The job {job} has generated no picture {nr}.", code="jobs.picture_not_found", job=job, nr=nr)
    return picture_response(place, if_none_match)


def _pictures(job: Job) -> list[Path]:
    """Where a job's pictures are, below the workspace."""
    sheet = job.outcome.get("sheet")
    return [Path(str(file)) for file in job.outcome.get("pictures", [sheet] if sheet else [])]
