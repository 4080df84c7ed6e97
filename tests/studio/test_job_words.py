"""The page says what each kind of job does in both of its languages; in English as the package does."""

from __future__ import annotations

import json
from pathlib import Path

from lorasmith.jobs.kinds.registry import KINDS

WORDS = Path(__file__).parents[2] / "studio-ui" / "src" / "words"


def test_the_page_has_words_for_each_kind_of_job():
    english, japanese = (json.loads((WORDS / language / "jobs.json").read_text(encoding="utf-8"))["kinds"] for language in ("en", "ja"))
    assert english == {name: kind.words for name, kind in KINDS.items()}
    assert set(japanese) == set(english)
