"""`/api/projects/{project}/captions`: one caption, edits of many that are tried first, tags and advice.

A caption's id is the path of its file below the dataset. Its `ETag` is of its bytes: who writes with `If-Match` overwrites nobody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, JsonValue

from lorasmith.captions.advice.advise import advise
from lorasmith.captions.advice.known import known_captions
from lorasmith.captions.caption import Caption
from lorasmith.captions.collection import CaptionCollection, Entry
from lorasmith.captions.edits.in_turn import InTurn
from lorasmith.captions.edits.planning import plan_edit
from lorasmith.captions.edits.registry import EDITS, edit_of
from lorasmith.captions.history import Operation
from lorasmith.captions.plan import CaptionPlan
from lorasmith.captions.scope import Scope
from lorasmith.errors import InputError
from lorasmith.projects.project import Line
from lorasmith.projects.trigger import TriggerChange
from lorasmith.studio.etag import IfMatch, etag, version_of
from lorasmith.studio.findings import FindingView, views
from lorasmith.studio.studio import OpenStudio, Studio

router = APIRouter(prefix="/projects/{project}", tags=["captions"])

SHOWN = 20
"""Captions that a plan shows before and after."""


class CaptionView(BaseModel):
    """A caption."""

    id: str
    text: str
    tags: list[str]
    exists: bool = Field(description="Whether the file is there; without one the caption is empty.")
    pictures: list[str]


class CaptionText(BaseModel):
    """What a caption is to say: a text, or the tags of its line of tags."""

    text: str | None = Field(None, max_length=100_000)
    tags: list[str] | None = None


class FurtherEdit(BaseModel):
    """An edit that is done after another one to the same captions."""

    edit: str
    arguments: dict[str, JsonValue] = {}


class EditRequest(BaseModel):
    """An edit and the captions that it is for."""

    edit: str = Field(description="Its name, as `GET .../edits` lists them.")
    arguments: dict[str, JsonValue] = {}
    followed_by: list[FurtherEdit] = Field([], description="Edits that are done after it and undone with it.")
    where: str | None = Field(None, description="A filter, such as `tag:hat`.")
    paths: list[str] = Field([], description="Captions, pictures or folders; without any, all but those of regularisation.")
    count_in: Literal["folder", "scope"] = Field("folder", description="Over what tags are counted, for edits that count.")
    trigger: Line | None = Field(None, description="Becomes the project's trigger with the edit, and is undone with it; empty removes it.")


class EditKind(BaseModel):
    """An edit that there is."""

    name: str
    words: str
    arguments: dict[str, JsonValue] = Field(description="JSON schema of its arguments.")


class ChangedCaption(BaseModel):
    """A caption before and after."""

    id: str
    before: str
    after: str


class EditPlan(BaseModel):
    """What an edit would do. Nothing is written yet."""

    summary: str
    considered: int = Field(description="Captions that were selected.")
    changed: int = Field(description="Captions that would differ.")
    shown: list[ChangedCaption] = Field(description=f"The first {SHOWN} of them.")


class CaptionOperation(BaseModel):
    """What was done to captions, as an entry of their history."""

    number: int
    summary: str
    at: datetime
    captions: int = Field(description="How many it changed.")
    state: str


class EditOutcome(BaseModel):
    """What an edit did; `operation` is None where nothing differed."""

    changed: int
    operation: CaptionOperation | None


class TagCount(BaseModel):
    """A tag and how many captions have it."""

    tag: str
    count: int


# -- one caption --


@router.get("/captions/{caption:path}")
def get_caption(project: str, caption: str, studio: OpenStudio, response: Response) -> CaptionView:
    """One caption. The `ETag` is for `If-Match`."""
    with project_captions(studio, project) as captions:
        return _shown(captions[caption], response)


@router.put("/captions/{caption:path}")
def put_caption(
    project: str, caption: str, said: CaptionText, studio: OpenStudio, response: Response, if_match: IfMatch = None
) -> CaptionView:
    """Write one caption, as an operation that can be undone; 412 where it has changed since it was read."""
    if (said.text is None) == (said.tags is None):
        raise InputError("A caption is written as text or as tags. Send one of the two.", code="captions.text_or_tags")
    with project_captions(studio, project, to_change=True) as captions:
        entry = captions[caption]
        if (wanted := version_of(if_match)) is not None and wanted != _version(entry.caption):
            raise InputError(
                f"The caption {caption} has changed since it was read. Look at it again.", code="captions.changed", path=caption
            )
        new = entry.caption.with_text(said.text) if said.text is not None else entry.caption.with_tags(said.tags or [])
        captions.save({caption: new}, f"write {caption}")
        return _shown(captions[caption], response)


# -- edits of many --


@router.get("/edits")
def list_edits(project: str, studio: OpenStudio) -> list[EditKind]:
    """The edits that there are, with their arguments."""
    studio.projects[project]
    return [EditKind(name=name, words=(edit.__doc__ or "").strip(), arguments=edit.model_json_schema()) for name, edit in EDITS.items()]


@router.post("/edits:plan")
def plan_edits(project: str, asked: EditRequest, studio: OpenStudio) -> EditPlan:
    """What an edit would do, with the first captions before and after."""
    with project_captions(studio, project) as captions:
        plan = _plan(captions, asked)
        shown = [
            ChangedCaption(id=key, before=plan.before(key).text, after=after.text) for key, after in list(plan.changes.items())[:SHOWN]
        ]
        return EditPlan(summary=plan.summary, considered=plan.considered, changed=len(plan.changes), shown=shown)


@router.post("/edits")
def apply_edit(project: str, asked: EditRequest, studio: OpenStudio) -> EditOutcome:
    """Do an edit, as one operation that can be undone."""
    with project_captions(studio, project, to_change=True) as captions:
        plan = _plan(captions, asked)
        if asked.trigger is None:
            return outcome(plan)
        change = TriggerChange(before=studio.projects[project].read().trigger, after=asked.trigger or None)
        done = outcome(plan, change.note)
        studio.projects.change(project, {"trigger": change.after})
        return done


# -- tags, advice --


@router.get("/tags")
def list_tags(project: str, studio: OpenStudio, q: str = "", count: Annotated[int, Query(ge=1, le=10_000)] = 1000) -> list[TagCount]:
    """The tags of the captions, the most frequent first; `q` is a part of the tag."""
    with project_captions(studio, project) as captions:
        found = [TagCount(tag=tag, count=number) for tag, number in captions.tag_counts().items() if q.casefold() in tag.casefold()]
    return found[:count]


@router.get("/advice")
def get_advice(project: str, studio: OpenStudio) -> list[FindingView]:
    """What is odd about the captions, with the edit that changes it where there is one."""
    folder = studio.projects[project]
    trigger = folder.read().trigger or ""
    with project_captions(studio, project) as captions:
        return views(advise(known_captions(captions, trigger)))


@contextmanager
def project_captions(studio: Studio, project: str, to_change: bool = False) -> Iterator[CaptionCollection]:
    """A project's captions, taken from others until the end of the block."""
    with studio.datasets.open(studio.projects[project].dataset, to_change) as dataset:
        yield dataset.captions


def outcome(plan: CaptionPlan, note: str = "") -> EditOutcome:
    """Do what was planned; `note` is kept with it in the history."""
    operation = plan.save(note)
    return EditOutcome(changed=len(plan.changes), operation=None if operation is None else _operation(operation))


def _plan(captions: CaptionCollection, asked: EditRequest) -> CaptionPlan:
    scope = Scope(asked.where or None, tuple(asked.paths))
    steps: list[EditRequest | FurtherEdit] = [asked, *asked.followed_by]
    edits = tuple(edit_of(one.edit, **one.arguments) for one in steps)
    return plan_edit(captions, InTurn(edits=edits) if asked.followed_by else edits[0], scope, count_in=asked.count_in)


def _shown(entry: Entry, response: Response) -> CaptionView:
    response.headers["etag"] = etag(_version(entry.caption))
    caption = entry.caption
    return CaptionView(id=entry.key, text=caption.text, tags=caption.tags, exists=entry.exists, pictures=list(entry.pictures))


def _version(caption: Caption) -> str:
    return hashlib.sha256(caption.raw).hexdigest()[:16]


def _operation(operation: Operation) -> CaptionOperation:
    return CaptionOperation(
        number=operation.number, summary=operation.summary, at=operation.at, captions=operation.files, state=operation.state
    )
