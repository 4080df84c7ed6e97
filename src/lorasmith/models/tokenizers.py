"""The tokenizers of a base model: those in its folder, else the families' standard ones.

A single file holds no tokenizer. CLIP's is made from the merge list that an installed package carries (open_clip_torch, clip),
without importing that package; else it comes from the hub once and stays in the hub's cache. T5's has no such package.
"""

from __future__ import annotations

from typing import Any

from lorasmith.models.description import Description


def load_tokenizer(description: Description, name: str) -> Any:
    """The tokenizer `name` ("tokenizer", "tokenizer_2") of a base, as transformers has it."""
    raise NotImplementedError("follows")
