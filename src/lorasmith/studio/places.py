"""`PATCH /api/projects/{project}/pictures`: pictures into another concept, with other repeats, held out or back in training.

What a picture is used for is said by where it is, so its id changes with it; the answer says where everything went.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, StringConstraints

from lorasmith.curation.place import Place, put
from lorasmith.errors import InputError
from lorasmith.studio.arrangement import MoveView
from lorasmith.studio.datasets import Dataset
from lorasmith.studio.etag import IfMatch, etag, version_of, version_of_file
from lorasmith.studio.pictures import PictureFacts, facts
from lorasmith.studio.studio import OpenStudio, Studio

router = APIRouter(tags=["pictures"])

MOST_AT_ONCE = 10_000


class PictureChange(BaseModel):
    """What a picture is to be used for; what is not sent stays."""

    concept: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)] | None = None
    repeats: int | None = Field(None, ge=1, le=999, description="How often it is trained on in an epoch.")
    held_out: bool | None = Field(None, description="Whether it judges the LoRA and is not trained on. Near duplicates go along.")
    regularisation: bool | None = Field(None, description="Whether it keeps the base as it was, and does not show the subject.")


class PicturesChange(PictureChange):
    """The same for several pictures."""

    pictures: list[str] = Field(min_length=1, max_length=MOST_AT_ONCE)


class PlacedPicture(PictureFacts):
    """A picture in its new place."""

    moves: list[MoveView] = Field(description="Everything that moved: the picture, and near duplicates that went along.")


class PlacedPictures(BaseModel):
    """Where pictures went."""

    version: str = Field(description="The new version of the list.")
    moves: list[MoveView] = Field(description="Everything that moved, near duplicates too.")


@router.patch("/projects/{project}/pictures")
def change_pictures(project: str, change: PicturesChange, studio: OpenStudio, if_match: IfMatch = None) -> PlacedPictures:
    """Change what pictures are used for, as one operation; `If-Match` takes the version of the list."""
    root = studio.projects[project].dataset
    with studio.datasets.open(root, to_change=True) as dataset:
        if (wanted := version_of(if_match)) is not None and wanted != dataset.version:
            raise InputError("The pictures have changed. Ask for the list again.", code="pictures.changed", version=dataset.version)
        moves = _put(studio, dataset, change.pictures, change)
    with studio.datasets.open(root) as dataset:
        return PlacedPictures(version=dataset.version, moves=moves)


@router.patch("/projects/{project}/pictures/{picture:path}")
def change_picture(
    project: str, picture: str, change: PictureChange, studio: OpenStudio, response: Response, if_match: IfMatch = None
) -> PlacedPicture:
    """Change what a picture is used for; 412 where it has changed since it was read."""
    folder = studio.projects[project]
    with studio.datasets.open(folder.dataset, to_change=True) as dataset:
        if (wanted := version_of(if_match)) is not None and wanted != version_of_file(dataset.file(picture)):
            raise InputError(f"{picture} has changed since it was read. Look at it again.", code="pictures.changed", picture=picture)
        moves = _put(studio, dataset, [picture], change)
    now = next((move.new for move in moves if move.old == picture), picture)
    response.headers["etag"] = etag(version_of_file(studio.datasets.as_it_is(folder.dataset).file(now)))
    return PlacedPicture(**facts(studio, folder, now).model_dump(), moves=moves)


def _put(studio: Studio, dataset: Dataset, pictures: list[str], change: PictureChange) -> list[MoveView]:
    place = Place(change.concept, change.repeats, change.held_out, change.regularisation)
    moved = put(dataset.root, [dataset.file(picture) for picture in pictures], place, studio.datasets.cache)
    return [MoveView(old=_name(dataset.root, old), new=_name(dataset.root, new)) for old, new in moved.items()]


def _name(root: Path, file: Path) -> str:
    return file.relative_to(root).as_posix()
