"""Gemma 2's tokenizer: from the text encoder's file, where ComfyUI's has the model of SentencePiece beside the weights, or from the hub.

No installed package carries it.
"""

from __future__ import annotations

from typing import Any

from lorasmith.errors import BaseModelError
from lorasmith.models.architectures.sentence_pieces import CONTROL, USER_DEFINED, Piece, merges_of, read_pieces
from lorasmith.models.family import Tokenizer
from lorasmith.models.files.hub import fetch_file

CLASS = "GemmaTokenizer"
ON_HUB = ("Alpha-VLLM/Lumina-Image-2.0", "tokenizer/tokenizer.json")  # open to all; Google's own repository is not
TENSOR = "spiece_model"


def load() -> Any:
    """Gemma 2's tokenizer from the hub."""
    from transformers import GemmaTokenizer

    return GemmaTokenizer.from_pretrained(fetch_file(*ON_HUB).parent, local_files_only=True)


def from_model(model: bytes) -> Any:
    """A tokenizer with the words of a SentencePiece model."""
    try:
        return from_pieces(read_pieces(model))
    except (ValueError, KeyError) as error:
        raise BaseModelError(
            f"The tokenizer in the text encoder's file ({TENSOR}) cannot be read ({error}): download that file again.", code="base.damaged"
        ) from error


def from_pieces(pieces: list[Piece]) -> Any:
    """A tokenizer with these words, each with its place as its number."""
    from tokenizers import AddedToken
    from transformers import GemmaTokenizer

    vocabulary = {piece.text: number for number, piece in enumerate(pieces)}
    made = GemmaTokenizer(vocab=vocabulary, merges=merges_of(pieces), add_bos_token=True)
    made.add_tokens(
        [
            AddedToken(piece.text, normalized=piece.kind == USER_DEFINED, special=piece.kind == CONTROL)
            for piece in pieces
            if piece.kind in (CONTROL, USER_DEFINED)
        ]
    )
    return made


GEMMA_TOKENIZER = Tokenizer(
    CLASS, load, "go online once, or give ComfyUI's file of the text encoder, which has it", tensor=TENSOR, from_bytes=from_model
)
