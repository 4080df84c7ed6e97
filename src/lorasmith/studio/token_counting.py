"""How much of a caption a base's text encoders read, counted by a process of its own: tokenizers take memory that the server never gives back.

count = count_beside()
count(Question("base.safetensors", "zorvex, red hat")).tokens
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lorasmith.captions.breaks import CHUNK
from lorasmith.captions.caption import Caption
from lorasmith.captions.token_limit import tokens_taken, training_line, what_falls_off
from lorasmith.models.description import Description
from lorasmith.models.open import describe
from lorasmith.models.tokenizers import caption_tokenizers, tokens_read
from lorasmith.studio.beside import IDLE, Beside, answer_questions


@dataclass(frozen=True)
class Question:
    """A caption, and the base that is to read it."""

    base: str
    text: str


@dataclass(frozen=True)
class Limit:
    """The most tokens that are read of a caption."""

    tokens: int
    unread: str
    """The end of the caption that is then not read."""


@dataclass(frozen=True)
class Count:
    """What of a caption is read."""

    tokens: int
    """What the line that training reads takes, by whichever encoder needs the most."""
    chunk: int | None
    """Tokens that are read at a time; None where there is one chunk."""
    limits: tuple[Limit, ...]
    """What the base can be set to read, the usual limit first."""


def counted(question: Question) -> Count:
    """The answer, found in this process. Raises BaseModelError where the base or its tokenizers cannot be opened."""
    description, tokenizers = _opened(question.base)
    line = training_line(Caption(question.text.encode()))
    in_chunks = description.record.reads_breaks
    usual = tokens_read(description, tokenizers)
    longer = sorted(description.form.defaults.max_token_lengths) if in_chunks else ()
    limits = (usual, *(most for most in longer if most > usual))
    taken = max(tokens_taken(line, tokenizer, max(limits), in_chunks=in_chunks) for tokenizer in tokenizers.values())
    unread = [
        max((what_falls_off(line, tokenizer, most, in_chunks=in_chunks) for tokenizer in tokenizers.values()), key=len) for most in limits
    ]
    return Count(taken, CHUNK if in_chunks else None, tuple(Limit(most, end) for most, end in zip(limits, unread, strict=True)))


@lru_cache(maxsize=2)
def _opened(base: str) -> tuple[Description, Mapping[str, Any]]:
    description = describe(base)
    return description, caption_tokenizers(description)


def count_beside(idle: float = IDLE) -> Beside[Question, Count]:
    """Answers as `counted` does, in a process of its own."""
    return Beside(__name__, idle)


def main() -> None:
    """Answer in the other process."""
    answer_questions(counted)
