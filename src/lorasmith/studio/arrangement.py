"""`/api/projects/{project}/layout`, `/holdout`, `/rights`: which pictures train how often, which judge, and whether they may be used."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from lorasmith.curation.holdout import hold_out, plan_holdout
from lorasmith.curation.layout import Layout, lay_out, plan_layout
from lorasmith.curation.names import safe_folder
from lorasmith.curation.rights import Rights, confirm, confirmed
from lorasmith.dataset_folder import HOLDOUT
from lorasmith.studio.findings import FindingView, views
from lorasmith.studio.studio import OpenStudio

router = APIRouter(prefix="/projects/{project}", tags=["pictures"])

Dry = Annotated[bool, Query(description="Say what would change, and change nothing.")]


class ConceptView(BaseModel):
    """One folder of the layout."""

    folder: str
    name: str
    pictures: int
    repeats: int
    regularisation: bool


class MoveView(BaseModel):
    """A picture or a folder that moves."""

    old: str
    new: str


class LayoutView(BaseModel):
    """How a dataset is, or would be, laid out."""

    concepts: list[ConceptView]
    moves: list[MoveView] = Field(description="What moves for it; empty where all is as it should be.")
    samples_per_epoch: int
    findings: list[FindingView]


class LayoutRequest(BaseModel):
    """How a dataset is to be laid out."""

    concept: str | None = Field(None, description="What loose pictures show; by default the project's trigger, or its name.")
    names: dict[str, str] = Field({}, description="Other names by those of folders.")
    repeats: dict[str, int] = Field({}, description="Repeats by concept; the others are balanced.")
    regularisation: list[str] = Field([], description="Folders that keep the base as it was.")
    base_repeats: int = Field(1, ge=1, le=999, description="Of the concept with the most pictures.")
    epochs: int = Field(10, ge=1, le=10_000)


class HoldoutView(BaseModel):
    """Which pictures train and which judge."""

    training: list[str]
    held_out: list[str]
    moves: list[MoveView]
    problems: list[str] = Field(description="Pictures that cannot be read; they stay where they are.")


class HoldoutRequest(BaseModel):
    """How many pictures are to judge."""

    share: float = Field(0.1, ge=0, le=0.5)
    seed: int = Field(0, ge=0, lt=2**63)


class RightsView(BaseModel):
    """Whether the pictures may be trained on."""

    confirmed: bool
    words: str
    pictures: int = Field(description="How many there were then.")
    when: str


class RightsRequest(BaseModel):
    """Why the pictures may be trained on, such as `my own photographs`."""

    words: str = Field(max_length=1000)


@router.get("/layout")
def get_layout(project: str, studio: OpenStudio) -> LayoutView:
    """How the dataset would be laid out with balanced repeats, and what would move for it."""
    return put_layout(project, LayoutRequest(), studio, dry=True)


@router.put("/layout")
def put_layout(project: str, asked: LayoutRequest, studio: OpenStudio, dry: Dry = False) -> LayoutView:
    """Lay the dataset out in `N_name` folders."""
    folder = studio.projects[project]
    read = folder.read()
    layout = plan_layout(
        folder.dataset, concept=asked.concept or read.trigger or safe_folder(read.name), names=asked.names, repeats=asked.repeats,
        regularisation=asked.regularisation, base_repeats=asked.base_repeats, epochs=asked.epochs,
    )  # fmt: skip
    if not dry:
        lay_out(folder.dataset, layout)
    return _layout(layout)


@router.get("/holdout")
def get_holdout(project: str, studio: OpenStudio) -> HoldoutView:
    """Which pictures are held out now."""
    with studio.datasets.open(studio.projects[project].dataset) as dataset:
        held_out = [picture for picture in dataset.pictures if picture.startswith(f"{HOLDOUT}/")]
        training = [picture for picture in dataset.pictures if not picture.startswith(f"{HOLDOUT}/")]
    return HoldoutView(training=training, held_out=held_out, moves=[], problems=[])


@router.put("/holdout")
def put_holdout(project: str, asked: HoldoutRequest, studio: OpenStudio, dry: Dry = False) -> HoldoutView:
    """Hold a share of the pictures out; what was decided before stays so, and near duplicates stay on one side."""
    root = studio.projects[project].dataset
    split = plan_holdout(root, asked.share, asked.seed, cache=studio.datasets.cache)
    if not dry:
        hold_out(root, split)
    moved = {root / old: root / new for old, new in split.moves}
    training, held_out = (
        [moved.get(path, path).relative_to(root).as_posix() for path in side] for side in (split.training, split.held_out)
    )
    moves = [MoveView(old=old, new=new) for old, new in split.moves]
    return HoldoutView(training=sorted(training), held_out=sorted(held_out), moves=moves, problems=list(split.problems))


@router.get("/rights")
def get_rights(project: str, studio: OpenStudio) -> RightsView:
    """Whether somebody confirmed that the pictures may be trained on."""
    return _rights(confirmed(studio.projects[project].dataset))


@router.put("/rights")
def put_rights(project: str, asked: RightsRequest, studio: OpenStudio) -> RightsView:
    """Confirm that all pictures that there are now may be trained on, and why."""
    return _rights(confirm(studio.projects[project].dataset, asked.words))


def _layout(layout: Layout) -> LayoutView:
    concepts = [
        ConceptView(
            folder=one.folder, name=one.name, pictures=one.share.pictures, repeats=one.share.repeats, regularisation=one.is_reg
        )
        for one in layout.concepts
    ]  # fmt: skip
    moves = [MoveView(old=old, new=new) for old, new in layout.moves]
    return LayoutView(concepts=concepts, moves=moves, samples_per_epoch=layout.samples_per_epoch, findings=views(layout.findings))


def _rights(rights: Rights | None) -> RightsView:
    if rights is None:
        return RightsView(confirmed=False, words="", pictures=0, when="")
    return RightsView(confirmed=True, words=rights.words, pictures=rights.pictures, when=rights.when)
