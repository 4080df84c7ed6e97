"""Sentences as the API shows them, beside their English: what a page needs to say them in another language."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, Field, JsonValue

from lorasmith.sentences import Sentence


class Said(BaseModel):
    """A sentence by its code and values."""

    code: str = Field(description="`room.sentence`; the same in all versions.")
    values: dict[str, JsonValue] = Field(
        description='What the sentence names: numbers, texts, `{"epoch": 7}` and the like, `{"sentence": ...}` for another one, and lists.'
    )


def said(sentence: Sentence) -> Said:
    """One of them."""
    return Said.model_validate(sentence.as_data)


def all_said(sentences: Iterable[Sentence]) -> list[Said]:
    """All of them, in their order."""
    return [said(one) for one in sentences]
