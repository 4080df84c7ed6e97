"""`/api/models`: bases, taggers, tag lists and upscalers, registered by a path, or downloaded from the hub or a link.

A link's token is taken off it at once: it goes to the job by hand, and is neither kept nor shown.
"""

from __future__ import annotations

import os
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from lorasmith.errors import InputError
from lorasmith.jobs.enqueue import enqueue
from lorasmith.jobs.handing import offer
from lorasmith.jobs.workspace import Workspace
from lorasmith.models.bring import check, check_source
from lorasmith.models.files.link import is_link, link_of
from lorasmith.models.known import look_at
from lorasmith.models.shelf import ModelKind, Registered, registered_as
from lorasmith.studio.jobs import JobView
from lorasmith.studio.jobs import view as job_view
from lorasmith.studio.registries import name_of_source
from lorasmith.studio.studio import OpenStudio, Studio

router = APIRouter(tags=["registries"])

Source = Annotated[str, Field(min_length=1, max_length=4000)]


class ModelView(BaseModel):
    """A registered model, by what its files say."""

    kind: ModelKind
    source: str = Field(description="As projects, settings and jobs take it.")
    name: str = Field(description="What people call it: the name of its file or folder, or its id at the hub.")
    title: str = Field(description="What it is: `Stable Diffusion XL`, `12,000 tags`; empty where that is not known.")
    family: str = Field(description="Of a base or tagger.")
    licence: str = Field(description="As its page or its file says it; empty where neither does.")
    bytes: int
    missing: list[str] = Field(description="Parts that a base needs and that are not there.")
    problem: str = Field(description="Why it cannot be used, such as that it is not on this machine; empty where it can.")


class NewModel(BaseModel):
    """A model to be registered."""

    kind: ModelKind
    source: Source = Field(description="A path of this machine, a hub id (owner/name, owner/name/file.safetensors), or a link (https://).")
    sha256: str = Field("", pattern="^([0-9a-fA-F]{64})?$", description="What the SHA-256 of a file from a link must be.")


class NewModelOutcome(BaseModel):
    """What came of it: the model, or the job that downloads and then registers it."""

    model: ModelView | None
    job: JobView | None


@router.get("/models")
def list_models(studio: OpenStudio, kind: ModelKind | None = None) -> list[ModelView]:
    """The registered models, those of all kinds or of one."""
    return [_view(studio, one) for one in studio.shelf if kind in (None, one.kind)]


@router.post("/models", status_code=201)
def register_model(new: NewModel, studio: OpenStudio) -> NewModelOutcome:
    """Register a model of this machine, or download one as a job, which registers it when it is there."""
    if is_link(new.source):
        return NewModelOutcome(model=None, job=_download(studio, new))
    if not new.source.isprintable():
        raise InputError(f"{new.source!r} is not the name of a file. Give its path.", code="path.name", name=new.source)
    place = studio.workspace / new.source
    if os.path.exists(place):
        found = Registered(new.kind, registered_as(studio.workspace, new.kind, place))
        check(studio.workspace, found)
        studio.shelf.add(found)
        return NewModelOutcome(model=_view(studio, found), job=None)
    return NewModelOutcome(model=None, job=_download(studio, new))


@router.delete("/models", status_code=204)
def remove_model(studio: OpenStudio, kind: ModelKind, source: Annotated[str, Query(min_length=1, max_length=4000)]) -> None:
    """Forget a model; its files stay where they are."""
    studio.shelf.remove(kind, source)


def _download(studio: Studio, new: NewModel) -> JobView:
    check_source(new.kind, new.source)
    link = link_of(new.source) if is_link(new.source) else None
    arguments = {"kind": new.kind, "source": new.source if link is None else link.address, "sha256": new.sha256}
    if link is not None and link.secret:
        arguments["handed"] = offer(Workspace.at(studio.workspace).handed, link.secret)
    return job_view(studio, enqueue(studio.queue, "download", arguments, start=studio.start_supervisor))


def _view(studio: Studio, model: Registered) -> ModelView:
    name = name_of_source(model.source)
    return ModelView(kind=model.kind, source=model.source, name=name, **vars(look_at(studio.workspace, model)))
