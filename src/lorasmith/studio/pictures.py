"""`/api/projects/{project}/pictures`: which there are, a page of them, and one with everything that is known of it.

The list gives ids, all of them, so that a page can scroll and jump, and details of the first ones where they are asked for; other details
come by the page. Both carry the version of the folder, and a page that was asked for with another one is refused with the new one.

Neither waits for pictures to be judged: badges are what the last `audit` found.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Annotated, Literal, NamedTuple
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from lorasmith.captions.collection import Entry
from lorasmith.curation.audit.checks import switched_off
from lorasmith.curation.audit.set_signs import LoraKind
from lorasmith.curation.mend.recipes import recipes_to
from lorasmith.curation.mend.steps import Step
from lorasmith.dataset_folder import HOLDOUT, is_regularisation
from lorasmith.datasets.folders import concept_in
from lorasmith.errors import InputError
from lorasmith.findings import SEVERITIES, Severity
from lorasmith.images.picture_files import PictureFile
from lorasmith.projects.project import Project, ProjectFolder
from lorasmith.projects.resolution import resolution_of
from lorasmith.studio.datasets import Dataset, Purpose
from lorasmith.studio.etag import etag, version_of_file
from lorasmith.studio.findings import FindingView, views
from lorasmith.studio.judging import Judgement
from lorasmith.studio.packed_findings import Head
from lorasmith.studio.studio import OpenStudio, Studio

router = APIRouter(tags=["pictures"])

MOST_ON_A_PAGE = 500

Sort = Literal["name", "newest", "largest", "findings"]

Resolution = Annotated[
    int | None, Query(ge=64, le=4096, description="The side of the training's square to judge pictures for; by default that of the base.")
]


@dataclass(frozen=True)
class Selection:
    """Which pictures, and in which order."""

    q: Annotated[str, Query(description="A filter over captions and names, such as `tag:hat AND NOT tags:<5`.")] = ""
    concept: Annotated[str, Query(description="The pictures of one concept.")] = ""
    finding: Annotated[str, Query(description="The pictures with a finding of this code.")] = ""
    sort: Sort = "name"
    resolution: Resolution = None


AskedFor = Annotated[Selection, Depends()]


class Badge(BaseModel):
    """A finding in short."""

    code: str
    severity: Severity


class PictureItem(BaseModel):
    """A picture on a page."""

    id: str
    url: str
    thumbnail: str | None = Field(description="None where the file cannot be opened. `?s=1024` gives a larger one.")
    width: int | None
    height: int | None
    bytes: int
    concept: str | None
    repeats: int
    held_out: bool
    regularisation: bool
    caption: str | None = Field(description="The path of its caption file; None where it is not UTF-8.")
    tags: list[str]
    badges: list[Badge] = Field(description="What the last audit found; empty before the first one.")


class PictureIds(BaseModel):
    """The pictures that were asked for."""

    version: str
    ids: list[str] = Field(description="Paths below the dataset, in order.")
    items: list[PictureItem] = Field(description="The first `count` of them with their details.")


class PicturePage(BaseModel):
    """A part of the pictures that were asked for."""

    version: str
    total: int
    items: list[PictureItem]


class StepView(BaseModel):
    """A step by which a picture was mended."""

    words: str
    at: datetime | None = Field(description="None where it was taken before that was kept.")


class PictureFacts(PictureItem):
    """A picture with everything that is known of it."""

    text: str
    findings: list[FindingView]
    mended: str = Field(description="What was done to it last, in words; empty where it is as it came.")
    original: str = Field(description="The path that it came under, before it was mended.")
    original_url: str | None = Field(description="The picture as it came; None where it was not mended.")
    history: list[StepView] = Field(description="The steps by which it was mended, the first one first.")


@router.get("/projects/{project}/pictures")
def list_pictures(
    project: str, asked: AskedFor, studio: OpenStudio, count: Annotated[int, Query(ge=0, le=MOST_ON_A_PAGE)] = 0
) -> PictureIds:  # fmt: skip
    """The ids of all pictures that a filter finds, and the first `count` of them with their details."""
    folder = studio.projects[project]
    with studio.datasets.open(folder.dataset) as dataset:
        ids = _selected(studio, folder.read(), dataset, asked)
        return PictureIds(version=dataset.version, ids=ids, items=_items(studio, folder, dataset, ids[:count]))


@router.get("/projects/{project}/pictures/page")
def get_page(
    project: str, asked: AskedFor, studio: OpenStudio, start: Annotated[int, Query(ge=0)] = 0,
    count: Annotated[int, Query(ge=1, le=MOST_ON_A_PAGE)] = 200, version: str = "",
) -> PicturePage:  # fmt: skip
    """Some of these pictures with their details. With a `version`, 409 where the folder is of another one."""
    folder = studio.projects[project]
    with studio.datasets.open(folder.dataset) as dataset:
        if version and version != dataset.version:
            raise InputError("The pictures have changed. Ask for the list again.", code="pictures.stale", version=dataset.version)
        ids = _selected(studio, folder.read(), dataset, asked)
        items = _items(studio, folder, dataset, ids[start : start + count])
        return PicturePage(version=dataset.version, total=len(ids), items=items)


@router.get("/projects/{project}/pictures/{picture:path}")
def get_picture(project: str, picture: str, studio: OpenStudio, response: Response, resolution: Resolution = None) -> PictureFacts:
    """One picture with everything that is known of it. The `ETag` is for `If-Match`."""
    folder = studio.projects[project]
    response.headers["etag"] = etag(version_of_file(studio.datasets.as_it_is(folder.dataset).file(picture)))
    return facts(studio, folder, picture, resolution)


def facts(studio: Studio, folder: ProjectFolder, picture: str, resolution: int | None = None) -> PictureFacts:
    """Everything that is known of a picture."""
    project = folder.read()
    found = studio.datasets.findings_of(
        picture, studio.datasets.as_it_is(folder.dataset), purpose_of(project, resolution)
    )  # before the dataset is taken from others
    with studio.datasets.open(folder.dataset) as dataset:
        (item,) = _items(studio, folder, dataset, [picture])
        entry, made_by = dataset.entries_of([picture]).get(picture), recipes_to(dataset.root, picture)
        return PictureFacts(
            **item.model_dump(), text="" if entry is None else entry.caption.text, findings=views(found),
            mended=made_by[-1].words if made_by else "", original=made_by[0].original.path if made_by else picture,
            original_url=f"/files/projects/{quote(folder.id)}/originals/{quote(picture)}" if made_by else None,
            history=[_step(step) for recipe in made_by for step in recipe.steps],
        )  # fmt: skip


def _step(step: Step) -> StepView:
    return StepView(words=step.words, at=None if step.at is None else datetime.fromtimestamp(step.at, UTC))


def lora_kind(project: Project) -> LoraKind:
    """What the audit expects of the set: several concepts together are judged as concepts."""
    return "concept" if project.kind == "multi-concept" else project.kind


def purpose_of(project: Project, resolution: int | None = None) -> Purpose:
    """What a project's pictures are judged for; the base says the resolution where none is given."""
    return Purpose(lora_kind(project), resolution or resolution_of(project), switched_off(project.audit_without), project.read_words)


def audit_of(
    studio: Studio, project: Project, dataset: Dataset, resolution: int | None = None, newest: bool = False
) -> Judgement | None:  # fmt: skip
    """What is wrong with a project's pictures, as far as they were measured."""
    return studio.datasets.audit(dataset, purpose_of(project, resolution), newest)


def _selected(studio: Studio, project: Project, dataset: Dataset, asked: Selection) -> list[str]:
    judged = asked.finding or asked.sort == "findings"
    findings: Mapping[str, list[Head]] = studio.datasets.findings(dataset, purpose_of(project, asked.resolution)) if judged else {}
    chosen = dataset.matching(asked.q) if asked.q.strip() else list(dataset.pictures)
    if asked.concept:
        chosen = [picture for picture in chosen if _place(_folder(picture)).concept == asked.concept]
    if asked.finding:
        chosen = [picture for picture in chosen if any(finding.code == asked.finding for finding in findings.get(picture, ()))]
    match asked.sort:
        case "newest":
            chosen.sort(key=lambda picture: -os.stat(os.path.join(dataset.root, picture)).st_mtime)
        case "largest":
            chosen.sort(key=lambda picture: -os.stat(os.path.join(dataset.root, picture)).st_size)
        case "findings":
            chosen.sort(key=lambda picture: [SEVERITIES.index(finding.severity) for finding in findings.get(picture, ())] or [9])
    return chosen


class _Place(NamedTuple):
    """What a folder of a dataset says of the pictures in it."""

    concept: str | None
    repeats: int
    regularisation: bool


@lru_cache(maxsize=1024)
def _place(folder: str) -> _Place:
    found = concept_in(PurePosixPath(folder).name)
    return _Place(None if found is None else found.name, 1 if found is None else found.repeats, is_regularisation(folder))


def _folder(picture: str) -> str:
    return picture.rpartition("/")[0]


def _items(studio: Studio, folder: ProjectFolder, dataset: Dataset, pictures: Sequence[str]) -> list[PictureItem]:
    """What a page shows of these pictures. Raises FileNotFoundError where one is gone."""
    findings = studio.datasets.last_findings(dataset, switched_off(folder.read().audit_without))
    files = studio.picture_files.look([os.path.join(dataset.root, picture) for picture in pictures])
    entries = dataset.entries_of(pictures)
    return [
        _item(folder.id, picture, file, entries.get(picture), findings.get(picture, ()))
        for picture, file in zip(pictures, files, strict=True)
    ]


def _item(project: str, picture: str, file: PictureFile, entry: Entry | None, findings: Sequence[Head]) -> PictureItem:
    place = _place(_folder(picture))
    width, height = file.size or (None, None)
    return PictureItem(
        id=picture, url=picture_url(project, picture), thumbnail=f"/files/thumbs/{file.content}.webp" if file.content else None, width=width, height=height,
        bytes=file.bytes, concept=place.concept, repeats=place.repeats, held_out=picture.startswith(f"{HOLDOUT}/"),
        regularisation=place.regularisation, caption=entry.key if entry is not None and entry.readable else None,
        tags=entry.caption.tags if entry is not None else [],
        badges=[Badge(code=finding.code, severity=finding.severity) for finding in findings],
    )  # fmt: skip


def picture_url(project: str, picture: str) -> str:
    """The address of a picture's file."""
    return f"/files/projects/{quote(project)}/pictures/{quote(picture)}"
