"""CLIP's standard tokenizer, made from the merge list that an installed package carries (open_clip_torch, or OpenAI's clip).

That package is not imported. Without one the tokenizer comes from the hub once, and stays in the hub's cache.
"""

from __future__ import annotations

import gzip
import json
from functools import partial
from pathlib import Path
from typing import Any

from lorasmith.errors import BaseModelError
from lorasmith.models.architectures.byte_pairs import byte_letters
from lorasmith.models.family import Tokenizer
from lorasmith.models.files.hub import fetch_file
from lorasmith.models.files.installed import installed_file

BOS, EOS = "<|startoftext|>", "<|endoftext|>"
CLIP_WORDS = 49408  # tokens of CLIP's tokenizer, its two marks among them
# Distributions that carry CLIP's merge list, and the list's name in them.
_CARRIERS = ("open_clip_torch", "clip", "clip-anytorch")
_MERGES = "bpe_simple_vocab_16e6.txt.gz"
ON_HUB = ("openai/clip-vit-large-patch14", "tokenizer.json")  # open to all


def load(pad_token: str = EOS) -> Any:
    """CLIP's tokenizer; OpenAI's encoders fill captions up with the end mark, OpenCLIP's with "!"."""
    from transformers import CLIPTokenizer

    options = {"unk_token": EOS, "bos_token": BOS, "eos_token": EOS, "pad_token": pad_token, "model_max_length": 77}
    compressed = merge_list()
    if compressed is not None:
        merges = clip_merges(compressed)
        return CLIPTokenizer(vocab=clip_vocabulary(merges), merges=merges, **options)
    vocabulary, merges = _read_bpe(fetch_file(*ON_HUB))
    return CLIPTokenizer(vocab=vocabulary, merges=merges, **options)


def merge_list() -> Path | None:
    """The file with CLIP's merges in an installed package; None where no package has it."""
    return installed_file(_CARRIERS, _MERGES)


def clip_merges(compressed: Path) -> list[tuple[str, str]]:
    """The merges of CLIP's tokenizer, from the compressed list.

    The list's first line says its version; of the rest as many are used as fill the vocabulary, which has besides them the 256
    bytes, the 256 bytes at a word's end, and two marks.
    """
    lines = gzip.decompress(compressed.read_bytes()).decode("utf-8").split("\n")[1 : 1 + CLIP_WORDS - 2 * 256 - 2]
    return [(first, second) for first, _, second in (line.partition(" ") for line in lines)]


def clip_vocabulary(merges: list[tuple[str, str]]) -> dict[str, int]:
    """Token -> number: the bytes as printable letters (those that print first), the same at a word's end, the merges, the marks."""
    letters = byte_letters().values()
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *(a + b for a, b in merges), BOS, EOS]
    return {token: number for number, token in enumerate(tokens)}


def _read_bpe(file: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges of a tokenizer.json."""
    try:
        model = json.loads(file.read_text(encoding="utf-8"))["model"]
        pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
        return dict(model["vocab"]), [(str(first), str(second)) for first, second in pairs]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BaseModelError(f"{file} is not a tokenizer: delete it and go online once.", code="base.damaged", path=str(file)) from error


_CARRIER = "install open_clip_torch (it has CLIP's words), go online once"
CLIP_TOKENIZER = Tokenizer("CLIPTokenizer", load, _CARRIER, in_chunks=True)
"""Of OpenAI's encoders."""
OPEN_CLIP_TOKENIZER = Tokenizer("CLIPTokenizer", partial(load, "!"), _CARRIER, in_chunks=True)
"""Of OpenCLIP's encoders."""
