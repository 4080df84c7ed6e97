"""Words on pictures: the one finding that needs a model to read them, so it is looked for only where asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lorasmith.curation.audit.finding_kind import Kind, Sign
from lorasmith.curation.measuring import Picture
from lorasmith.findings import Finding
from lorasmith.images.lettering import words_on
from lorasmith.images.read import read_picture
from lorasmith.images.signs import view_of

WORD_KINDS: dict[str, Kind] = {
    "text": Kind(
        title="text on the picture", severity="warning", message="The picture has text on it.",
        why="Letters come out of the LoRA as scribble.", fix="Crop the text away, paint over it, or take another copy.",
    ),
}  # fmt: skip


def judge_words(pictures: Sequence[Picture]) -> Iterator[Finding]:
    """Words that rapidocr reads on each picture. Raises ImportError where it is not installed."""
    for picture in pictures:
        if picture.measures.problem:
            continue
        words = words_on(view_of(np.asarray(read_picture(picture.path))))
        if words:
            read = ", ".join(repr(word) for word, _ in words[:5])
            confidence = round(max(confidence for _, confidence in words) * 0.95, 2)
            yield WORD_KINDS["text"].finding("text", (picture.name,), Sign(len(words), "words", f"reads {read}", confidence))
