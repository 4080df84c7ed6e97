"""T5's standard tokenizer, from the hub. Every T5 has the same words, and no package carries them."""

from __future__ import annotations

from typing import Any

from lorasmith.models.family import Tokenizer
from lorasmith.models.files.hub import fetch_file

ON_HUB = ("google-t5/t5-base", "tokenizer.json")  # open to all
TOKENS = 512


def load() -> Any:
    """T5's tokenizer, which reads 512 tokens at most."""
    from transformers import T5Tokenizer

    return T5Tokenizer.from_pretrained(fetch_file(*ON_HUB).parent, local_files_only=True, model_max_length=TOKENS)


T5_TOKENIZER = Tokenizer("T5Tokenizer", load, "go online once")
