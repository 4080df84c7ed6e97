"""`/api/projects/{project}/conversions`: captions that are not UTF-8, by the encoding that they look written in, and made UTF-8."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from lorasmith.captions.collection import CaptionCollection
from lorasmith.captions.encodings import Reading
from lorasmith.captions.plan import CaptionPlan
from lorasmith.studio.captions import EditOutcome, outcome, project_captions
from lorasmith.studio.studio import OpenStudio

router = APIRouter(prefix="/projects/{project}", tags=["captions"])

LETTERS = 200
"""Of a caption, that are shown of each reading."""


class ReadingView(BaseModel):
    """What a caption says in one encoding."""

    encoding: str
    text: str = Field(description="The beginning of the first caption, read so.")


class ConversionView(BaseModel):
    """Captions that look written in the same encoding."""

    captions: list[str]
    readings: list[ReadingView] = Field(
        description="One where the encoding is clear, several where it is not, none where they look like no text."
    )


class ConversionRequest(BaseModel):
    """Captions to be made UTF-8."""

    captions: list[str] = Field(min_length=1)
    encoding: str = Field("", max_length=40, description="What they are written in, such as cp1252. Empty: what each looks written in.")


@router.get("/conversions")
def list_conversions(project: str, studio: OpenStudio) -> list[ConversionView]:
    """The captions that are not UTF-8, together by encoding, those that are clear and most of all first. None is read by a training."""
    with project_captions(studio, project) as captions:
        alike: dict[tuple[str, ...], list[str]] = {}
        for key in captions.unreadable:
            alike.setdefault(tuple(one.encoding for one in captions.readings_of(key)), []).append(key)
        groups = sorted(alike.items(), key=lambda group: (len(group[0]) != 1, -len(group[1])))
        return [ConversionView(captions=keys, readings=list(map(_shown, captions.readings_of(keys[0])))) for _, keys in groups]


@router.post("/conversions")
def convert_captions(project: str, asked: ConversionRequest, studio: OpenStudio) -> EditOutcome:
    """Write captions as UTF-8, as one operation that can be undone. Where one cannot be read so, nothing is written."""
    with project_captions(studio, project, to_change=True) as captions:
        return outcome(_plan(captions, asked))


def _plan(captions: CaptionCollection, asked: ConversionRequest) -> CaptionPlan:
    wanted = [key for key in asked.captions if key in captions.unreadable]
    summary = f"convert from {asked.encoding}" if asked.encoding else "convert to UTF-8"
    return CaptionPlan(captions, summary, len(wanted), {key: captions.converted(key, asked.encoding or None) for key in wanted})


def _shown(reading: Reading) -> ReadingView:
    return ReadingView(encoding=reading.encoding, text=reading.text.removeprefix("\ufeff")[:LETTERS])
