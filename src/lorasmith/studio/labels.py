"""`/api/projects/{project}/labels`: tags by a tagger, tried on a few pictures from stored probabilities, then written by a job."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from pydantic import BaseModel, Field

from lorasmith.captions.scope import Scope, select
from lorasmith.captions.taggers.preview import preview_tags
from lorasmith.captions.taggers.probabilities import ProbabilityStore
from lorasmith.captions.taggers.tag_choice import Mode, TagChoice, TagProbability
from lorasmith.dataset_folder import TAG_PROBABILITIES
from lorasmith.errors import DatasetError
from lorasmith.images.picture_cache import PictureCache
from lorasmith.images.thumbnails import content_of
from lorasmith.jobs.enqueue import enqueue
from lorasmith.studio.datasets import Dataset
from lorasmith.studio.jobs import JobView
from lorasmith.studio.jobs import view as job_view
from lorasmith.studio.studio import OpenStudio, Studio
from lorasmith.studio.vocabularies import vocabulary_named

router = APIRouter(prefix="/projects/{project}", tags=["captions"])


class Labels(BaseModel):
    """Which tags become captions, and of which pictures."""

    choice: TagChoice = Field(TagChoice(), description="Thresholds that are not given are the tagger's own.")
    mode: Mode = Field("ignore", description="What becomes of existing captions.")
    where: str | None = Field(None, description="A filter, such as `tags:0`.")
    pictures: list[str] = Field([], description="Pictures, captions or folders; without any, all but those of regularisation.")
    vocabulary: list[str] = Field([], description="Tag lists that know which tags imply others, by their path in the workspace.")


class LabelPreviewRequest(Labels):
    """What to try."""

    tagger: str = Field("", description="The identity of a tagger that was run here, as an answer has it; by default the last one.")
    count: int = Field(12, ge=1, le=100, description="How many captions are shown.")


class LabelRequest(Labels):
    """What to write."""

    tagger: str = Field(min_length=1, description="A tagger's folder, or its id at the hub.")
    again: bool = Field(False, description="Run the tagger also on pictures whose probabilities are stored.")
    batch_size: int = Field(8, ge=1, le=1024)
    priority: int = Field(0, ge=-100, le=100, description="Higher ones go first.")


class Tag(BaseModel):
    """A tag of the tagger's."""

    tag: str = Field(description="As the tagger's table has it.")
    category: str
    probability: float


class LabelPreview(BaseModel):
    """A caption before and after."""

    caption: str
    picture: str
    before: list[str]
    after: list[str]
    chosen: list[Tag] = Field(description="The tagger's tags that are used, the most probable first.")
    nearly_chosen: list[Tag] = Field(description="The most probable of the others.")


class LabelPreviews(BaseModel):
    """What a choice would do. Nothing is written."""

    tagger: str = Field(description="The identity of the tagger whose probabilities these are; empty where none was run yet.")
    choice: TagChoice = Field(description="With the thresholds that were used.")
    considered: int = Field(description="Captions that were selected, whether the tagger was run on their pictures or not.")
    shown: list[LabelPreview]


@router.post("/labels:preview")
def preview_labels(project: str, asked: LabelPreviewRequest, studio: OpenStudio) -> LabelPreviews:
    """What a choice would do to some captions, from the probabilities that are stored; nothing where no tagger was run yet."""
    with studio.datasets.open(studio.projects[project].dataset) as dataset:
        entries = select(dataset.captions, Scope(asked.where, tuple(asked.pictures)))
        vocabulary = vocabulary_named(studio.workspace, asked.vocabulary)
        untried = LabelPreviews(tagger="", choice=asked.choice, considered=len(entries), shown=[])
        if not (dataset.root / TAG_PROBABILITIES).is_file():
            return untried
        with ProbabilityStore(dataset.root) as store, PictureCache(studio.datasets.cache) as cache:
            identity = asked.tagger or next(iter(store.taggers()), "")
            if not identity:
                return untried
            choice = asked.choice.with_thresholds_of(store.thresholds(identity))
            previews = preview_tags(
                store, identity, entries, lambda picture: _content(dataset, picture, cache), choice, asked.mode, vocabulary, asked.count
            )
    shown = [
        LabelPreview(
            caption=one.key, picture=one.picture, before=one.before, after=one.after, chosen=list(map(_tag, one.chosen)),
            nearly_chosen=list(map(_tag, one.nearly_chosen)),
        )
        for one in previews
    ]  # fmt: skip
    return LabelPreviews(tagger=identity, choice=choice, considered=len(entries), shown=shown)


@router.post("/labels", status_code=201)
def write_labels(project: str, asked: LabelRequest, studio: OpenStudio) -> JobView:
    """Let a tagger write captions, as a job; pictures that it was run on before are not shown to it again."""
    folder = studio.projects[project]
    vocabulary_named(studio.workspace, asked.vocabulary)
    with studio.datasets.open(folder.dataset) as dataset:
        select(dataset.captions, Scope(asked.where, tuple(asked.pictures)))
    return _queued(studio, project, folder.dataset, asked)


def _queued(studio: Studio, project: str, dataset: Path, asked: LabelRequest) -> JobView:
    arguments = {
        "dataset": str(dataset), "tagger": asked.tagger, "choice": asked.choice.model_dump(exclude_unset=True), "mode": asked.mode,
        "where": asked.where, "only": asked.pictures, "vocabulary": asked.vocabulary, "again": asked.again, "batch_size": asked.batch_size,
    }  # fmt: skip
    return job_view(studio, enqueue(studio.queue, "tag", arguments, project, asked.priority, studio.start_supervisor))


def _content(dataset: Dataset, picture: str, cache: PictureCache) -> str:
    try:
        return content_of(dataset.root / picture, cache)
    except DatasetError:  # no tagger has seen it
        return ""


def _tag(tag: TagProbability) -> Tag:
    return Tag(tag=tag.name, category=tag.category, probability=tag.probability)
