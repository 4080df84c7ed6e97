"""Gemma's standard tokenizer, from the hub. Every Gemma 2 has the same words, and no installed package carries them."""

from __future__ import annotations

from typing import Any

from lorasmith.models.family import Tokenizer
from lorasmith.models.files.hub import fetch_file

CLASS = "GemmaTokenizer"
ON_HUB = ("Alpha-VLLM/Lumina-Image-2.0", "tokenizer/tokenizer.json")  # open to all; Google's own repository is not


def load() -> Any:
    """Gemma 2's tokenizer."""
    from transformers import GemmaTokenizer

    return GemmaTokenizer.from_pretrained(fetch_file(*ON_HUB).parent, local_files_only=True)


GEMMA_TOKENIZER = Tokenizer(CLASS, load, "go online once")
