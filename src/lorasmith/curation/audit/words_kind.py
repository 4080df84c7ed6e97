"""Words on pictures: the one finding that needs a model to read them, so it is looked for only where asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from lorasmith.curation.audit.finding_kind import Kind, Sign
from lorasmith.findings import Finding
from lorasmith.images.lettering import words_on
from lorasmith.images.looks import Look
from lorasmith.images.read import read_picture
from lorasmith.images.signs import view_of

Words = tuple[tuple[str, float], ...]
"""What was read, each with how sure that is, 0-1."""

WORD_KINDS: dict[str, Kind] = {
    "text": Kind(
        title="text on the picture", severity="warning", message="The picture has text on it.",
        why="Letters come out of the LoRA as scribble.", fix="Crop the text away, paint over it, or take another copy.",
    ),
}  # fmt: skip


def _read(path: Path, content: str) -> Words:
    return tuple(words_on(view_of(np.asarray(read_picture(path)))))


def _recalled(value: bytes) -> Words:
    return tuple((str(word), float(sure)) for word, sure in json.loads(value))


WORDS: Look[Words] = Look("words 1", _read, lambda words: {WORDS.kind: json.dumps(words).encode()}, _recalled)
"""The words on a picture, which take a second or two to read. Raises ImportError where rapidocr is not installed."""


def judge_words(read: Mapping[str, Words]) -> Iterator[Finding]:
    """What words say that were read, by picture."""
    for picture, words in read.items():
        if words:
            said = ", ".join(repr(word) for word, _ in words[:5])
            confidence = round(max(confidence for _, confidence in words) * 0.95, 2)
            yield WORD_KINDS["text"].finding("text", (picture,), Sign(len(words), "words", f"reads {said}", confidence))
