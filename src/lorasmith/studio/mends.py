"""`/api/projects/{project}/mends`: what can be done to pictures is tried first, done, listed and taken back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as InPath
from pydantic import BaseModel, Field, JsonValue
from starlette.responses import Response

from lorasmith.curation.chosen_pictures import chosen_recipes
from lorasmith.curation.mend.mend import Mended, mend
from lorasmith.curation.mend.parameters import parameters_of
from lorasmith.curation.mend.proposals import WAYS_OF_THEIR_OWN, Proposal, propose
from lorasmith.curation.mend.recipes import recipes
from lorasmith.curation.mend.steps import Crop, Cut
from lorasmith.curation.mend.ways import FOR_CHOSEN_PICTURES, MOST_BOXES, WAYS
from lorasmith.curation.undo import undo_mends
from lorasmith.errors import InputError
from lorasmith.findings import MendChange
from lorasmith.images.crop import Box
from lorasmith.images.picture_cache import PictureCache
from lorasmith.images.thumbnails import content_of
from lorasmith.projects.project import ProjectFolder
from lorasmith.studio.pictures import picture_url
from lorasmith.studio.studio import OpenStudio, Studio
from lorasmith.studio.thumbnails import FOREVER

router = APIRouter(prefix="/projects/{project}", tags=["pictures"])
files = APIRouter(tags=["files"])

MOST_AT_ONCE = 200
"""Pictures that a call tries, or does one thing to; a job of the kind `mend` takes any number."""
MOST_TOGETHER = 20_000
"""Pictures of a call that does several things."""


class Way(BaseModel):
    """One thing to do to each picture."""

    way: str = Field(description="bars, trim, crop, rotate, flip, flatten, upscale, duplicates, remove ...")
    parameters: dict[str, JsonValue] = {}


class MendRequest(BaseModel):
    """What is to be done to which pictures; a finding's fix says both."""

    pictures: list[str] = Field(min_length=1, max_length=MOST_AT_ONCE)
    changes: list[Way] = Field(min_length=1)


class Mending(BaseModel):
    """One of several things to be done together."""

    pictures: list[str] = Field(min_length=1)
    changes: list[Way] = Field(min_length=1)


class MendingsRequest(BaseModel):
    """What is to be done as one operation, to any pictures; the audit's `safe_mends` are of this form."""

    mends: list[Mending] = Field(min_length=1)


class UndoRequest(BaseModel):
    """What is to be taken back."""

    pictures: list[str] = Field([], description="Empty: of all pictures.")
    steps: int | None = Field(None, ge=1, description="How many steps of each; empty: all.")


class WayView(BaseModel):
    """A way to mend."""

    way: str
    words: str
    parameters: dict[str, JsonValue] = Field(description="JSON schema of its parameters.")
    alone: bool = Field(description="Whether it goes alone, and without parameters.")
    for_chosen: bool = Field(description="Whether a person decides on it for each picture, because it does something to every one.")


class ProposalView(BaseModel):
    """What would be done to one picture."""

    picture: str
    words: str = Field(description="Empty where nothing is to be done.")
    before: tuple[int, int] = Field(description="Width and height in pixels.")
    after: list[tuple[int, int]]
    boxes: list[Box] = Field(description="Where it would be cropped or cut, in pixels: left, top, right, bottom.")
    why_not: list[str] = Field(description="For each change that does nothing here, the reason.")
    problem: str = Field(description="Why the picture cannot be mended.")
    before_url: str = Field(description="The picture as it is.")
    after_urls: list[str] = Field(description="What it would become, drawn when it is asked for: a WebP of at most 1024 pixels a side.")


class MendedView(BaseModel):
    """What became of a picture."""

    before: str
    after: list[str]
    words: str
    problem: str


class RecipeView(BaseModel):
    """A picture that was mended."""

    original: str = Field(description="The path that it came under.")
    results: list[str]
    words: str


@router.get("/mends")
def list_mends(project: str, studio: OpenStudio) -> list[RecipeView]:
    """What was mended, and how."""
    root = studio.projects[project].dataset
    return [
        RecipeView(original=recipe.original.path, results=[result.path for result in recipe.results], words=recipe.words)
        for recipe in (recipes(root) if root.is_dir() else [])
    ]


@router.get("/mends/ways")
def list_ways(project: str, studio: OpenStudio) -> list[WayView]:
    """The ways to mend, with what each takes; several are done in this order."""
    studio.projects[project]
    ways = [_way(way, (look.__doc__ or "").partition("\n")[0], parameters_of(way).model_json_schema()) for way, look in WAYS.items()]
    return ways + [_way(way, (propose.__doc__ or "").partition("\n")[0], None) for way, propose in WAYS_OF_THEIR_OWN.items()]


@router.post("/mends:plan")
def plan_mends(project: str, asked: MendRequest, studio: OpenStudio) -> list[ProposalView]:
    """What the changes would do to each picture; nothing is changed."""
    folder = studio.projects[project]
    proposals = _proposals(studio, folder, asked)
    with PictureCache(studio.datasets.cache) as cache:
        return [_planned(studio, folder, one, cache) for one in proposals]


@router.post("/mends")
def mend_pictures(project: str, asked: MendRequest, studio: OpenStudio) -> list[MendedView]:
    """Do the changes; what cannot be done comes back with its problem."""
    folder = studio.projects[project]
    return _views(folder.dataset, mend(folder.dataset, _proposals(studio, folder, asked)))


@router.post("/mends:together")
def mend_together(project: str, asked: MendingsRequest, studio: OpenStudio) -> list[MendedView]:
    """Do several things, each to other pictures, as one operation of the history; what cannot be done comes back with its problem."""
    named = Counter(picture for one in asked.mends for picture in one.pictures)
    if named.total() > MOST_TOGETHER:
        raise InputError(f"A call mends at most {MOST_TOGETHER} pictures. Add a job of the kind `mend`.", code="mend.takes_a_job")
    if twice := next((picture for picture, times in named.items() if times > 1), None):
        raise InputError(f"{twice} is named twice. Put all changes of a picture into one of the mends.", code="mend.twice", picture=twice)
    folder = studio.projects[project]
    proposals = [proposal for one in asked.mends for proposal in _proposals(studio, folder, one)]  # all, before any is done
    return _views(folder.dataset, mend(folder.dataset, proposals))


@router.post("/mends:undo")
def undo_mended(project: str, asked: UndoRequest, studio: OpenStudio) -> list[MendedView]:
    """Take back what was done; the originals are then what they were, byte for byte."""
    root = studio.projects[project].dataset
    chosen = chosen_recipes(root, asked.pictures) if asked.pictures else None
    return _views(root, undo_mends(root, chosen, asked.steps, studio.datasets.cache))


@files.get("/mends/{key}/{number}.webp", response_class=Response, responses={200: {"content": {"image/webp": {}}}})
def get_mend_preview(
    key: Annotated[str, InPath(pattern="^[0-9a-f]{64}$")], number: Annotated[int, InPath(ge=0, lt=MOST_BOXES)], studio: OpenStudio
) -> Response:  # fmt: skip
    """What a mend would make of a picture, as `mends:plan` names it; it never changes."""
    return Response(studio.previews.draw(key, number), media_type="image/webp", headers=FOREVER)


def _way(way: str, words: str, parameters: dict[str, JsonValue] | None) -> WayView:
    return WayView(way=way, words=words, parameters=parameters or {}, alone=parameters is None, for_chosen=way in FOR_CHOSEN_PICTURES)


def _planned(studio: Studio, folder: ProjectFolder, one: Proposal, cache: PictureCache) -> ProposalView:
    name = _name(folder.dataset, one.path)
    key = studio.previews.keep(one, content_of(one.path, cache)) if one.after else ""
    return ProposalView(
        picture=name, words=one.words, before=one.before, after=list(one.after), boxes=_boxes(one), why_not=list(one.why_not),
        problem=one.problem, before_url=picture_url(folder.id, name), after_urls=[f"/files/mends/{key}/{number}.webp" for number in range(len(one.after))] if one.steps else [],
    )  # fmt: skip


def _boxes(one: Proposal) -> list[Box]:
    crops = [step.box for step in one.steps if isinstance(step, Crop)]
    return crops + [box for step in one.steps if isinstance(step, Cut) for box in step.boxes]


def _proposals(studio: Studio, folder: ProjectFolder, asked: MendRequest | Mending) -> list[Proposal]:
    if any(change.parameters.get("network") is not None for change in asked.changes):
        raise InputError("Enlarging with a network takes a job. Add one of the kind `mend`.", code="mend.takes_a_job")
    with studio.datasets.open(folder.dataset, to_change=True) as dataset:
        files = [dataset.file(picture) for picture in asked.pictures]
    changes = [MendChange(change.way, change.parameters) for change in asked.changes]
    return propose(folder.dataset, files, changes, cache=studio.datasets.cache)


def _views(root: Path, mended: Iterable[Mended]) -> list[MendedView]:
    return [
        MendedView(before=_name(root, one.before), after=[_name(root, place) for place in one.after], words=one.words, problem=one.problem)
        for one in mended
    ]  # fmt: skip


def _name(root: Path, file: Path) -> str:
    return file.relative_to(root).as_posix()
