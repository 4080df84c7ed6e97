"""`/api/projects/{project}/history`: one undo for everything that is done to a project's pictures and captions, the newest first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from lorasmith.curation.history import DatasetOperation, State, What, operations, redo_next, to_redo, to_undo, undo_newest
from lorasmith.dataset_folder import SOON
from lorasmith.errors import InputError
from lorasmith.projects.trigger import follow
from lorasmith.studio.studio import OpenStudio

router = APIRouter(prefix="/projects/{project}", tags=["history"])


class OperationView(BaseModel):
    """Something that was done to the pictures or captions of a project."""

    id: str = Field(description="The same as long as it is listed.")
    what: What = Field(description="Edits of captions, mends of pictures, or moves by layout, hold-out or hand.")
    summary: str
    at: datetime
    count: int = Field(description="How many captions or pictures it changed.")
    state: State


class HistoryOperation(OperationView):
    """One entry of the history."""

    undo: bool = Field(description="Whether it is what is undone next.")
    redo: bool = Field(description="Whether it is what is redone next.")


@router.get("/history")
def list_history(project: str, studio: OpenStudio) -> list[HistoryOperation]:
    """What was done to captions and pictures, the newest first."""
    root = studio.projects[project].dataset
    listed = operations(root)
    undone_next, redone_next = to_undo(listed), to_redo(listed)
    return [HistoryOperation(**_view(one).model_dump(), undo=one is undone_next, redo=one is redone_next) for one in listed]


@router.post("/history:undo")
def undo(
    project: str, studio: OpenStudio, operation: Annotated[str, Query(description="The one that is meant; without it, whichever is the newest.")] = ""
) -> OperationView:  # fmt: skip
    """Undo the newest operation that was not undone; 409 where another one is meant, and 412 where something else changed the files since."""
    root = studio.projects[project].dataset
    with studio.datasets.open(root, to_change=True):
        newest = to_undo(operations(root)) if operation else None
        if newest is not None and _id(newest) != operation:
            raise InputError(
                f"Something else was done since: {newest.words}. Undo that first.", code="history.stale", operation=_id(newest)
            )
        undone = undo_newest(root, studio.datasets.cache, networks=False, patience=SOON)
        follow(studio.projects, project, undone.note, undone=True)
        return _view(undone)


@router.post("/history:redo")
def redo(project: str, studio: OpenStudio) -> OperationView:
    """Redo the operation that was undone last."""
    root = studio.projects[project].dataset
    with studio.datasets.open(root, to_change=True):
        redone = redo_next(root, networks=False, patience=SOON)
        follow(studio.projects, project, redone.note, undone=False)
        return _view(redone)


def _id(one: DatasetOperation) -> str:
    return f"{one.what}-{one.at!r}"


def _view(one: DatasetOperation) -> OperationView:
    at = datetime.fromtimestamp(one.at, UTC)
    return OperationView(id=_id(one), what=one.what, summary=one.words, at=at, count=one.count, state=one.state)
