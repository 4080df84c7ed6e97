"""`/api/jobs/{job}/grid`: the cells of a grid that a job generated, to flip through."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from lorasmith.errors import InputError
from lorasmith.evaluation.grid.record import GridRecord, read_record
from lorasmith.studio.etag import IfNoneMatch
from lorasmith.studio.files import picture_response
from lorasmith.studio.paths import confined, within
from lorasmith.studio.studio import OpenStudio, Studio

router = APIRouter(tags=["jobs"])
files = APIRouter(tags=["files"])


class GridView(BaseModel):
    """A grid: labels along its sides, and its pictures."""

    columns: list[str] = Field(description="Along x; one empty label where nothing varies.")
    rows: list[str] = Field(description="Along y.")
    blocks: list[str] = Field(description="Along z.")
    cells: list[list[list[str | None]]] = Field(
        description="Block by block and row by row, the address of each picture; None where it is gone."
    )


@router.get("/jobs/{job}/grid")
def get_grid(job: int, studio: OpenStudio) -> GridView:
    """The cells of the grid that a finished job generated."""
    folder, record = _recorded(studio, job)
    address = f"/files/jobs/{job}/cells"

    def url(block: int, row: int, column: int) -> str | None:
        there = confined(folder, record.cells[block][row][column]).is_file()
        return f"{address}?block={block}&row={row}&column={column}" if there else None

    return GridView(
        columns=list(record.columns), rows=list(record.rows), blocks=list(record.blocks),
        cells=[
            [[url(block, row, column) for column in range(len(record.columns))] for row in range(len(record.rows))]
            for block in range(len(record.blocks))
        ],
    )  # fmt: skip


@files.get("/jobs/{job}/cells", response_class=Response, responses={200: {"content": {"image/*": {}}}})
def get_cell(
    job: int, studio: OpenStudio, block: Annotated[int, Query(ge=0)] = 0, row: Annotated[int, Query(ge=0)] = 0,
    column: Annotated[int, Query(ge=0)] = 0, if_none_match: IfNoneMatch = None,
) -> Response:  # fmt: skip
    """The picture of a cell of a grid."""
    folder, record = _recorded(studio, job)
    there = block < len(record.blocks) and row < len(record.rows) and column < len(record.columns)
    place = confined(folder, record.cells[block][row][column]) if there else None
    if place is None or not place.is_file():
        raise InputError(f"The grid of job {job} has no such cell.", code="jobs.picture_not_found", job=job)
    return picture_response(place, if_none_match)


def _recorded(studio: Studio, job: int) -> tuple[Path, GridRecord]:
    """The folder of the grid that a job generated, and its record.

    Raises InputError where the job has generated none, or it is gone.
    """
    path = studio.queue.get(job).outcome.get("record")
    place = within(studio.workspace, studio.workspace / path) if isinstance(path, str) else None
    record = None if place is None else read_record(place)
    if place is None or record is None:
        raise InputError(f"The job {job} has generated no grid, or its record is gone.", code="jobs.grid_not_found", job=job)
    return place.parent, record
