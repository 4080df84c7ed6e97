"""Captions as a text encoder reads them: in tokens, up to a limit.

Any object with a `tokenize` method is a tokenizer here, such as those of transformers, without their begin and end tokens.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from lorasmith.captions.breaks import length_in_chunks, sections
from lorasmith.captions.caption import Caption

_MARKS = ("</w>", "▁", "Ġ", "##")
"""What tokenizers put on a piece to mark the beginning or end of a word."""


class Tokenizer(Protocol):
    """Splits a text into the pieces that a text encoder knows."""

    def tokenize(self, text: str) -> Sequence[str]: ...


TokenCounter = Callable[[str], int]
"""How many tokens a text takes of what a text encoder reads."""


def training_line(caption: Caption) -> str:
    """The line of a caption that training reads unless it is asked for others: the first that is not blank."""
    return next((line for line in caption.text.split("\n") if line.strip()), "")


def lines_below(caption: Caption) -> list[str]:
    """The lines below the one that training reads, without blank ones."""
    return [line.strip() for line in caption.text.split("\n") if line.strip()][1:]


def pieces(text: str, tokenizer: Tokenizer) -> list[str]:
    """The pieces that a text is split into, without the tokenizer's own marks for beginnings and ends of words."""
    found = []
    for piece in tokenizer.tokenize(text):
        for mark in _MARKS:
            piece = piece.replace(mark, "")
        if piece:  # a mark alone is a space
            found.append(piece)
    return found


def count_tokens(text: str, tokenizer: Tokenizer) -> int:
    """Tokens of a text, without begin and end."""
    return len(tokenizer.tokenize(text))


def tokens_taken(text: str, tokenizer: Tokenizer, limit: int, *, in_chunks: bool = False) -> int:
    """The tokens that a text takes of an encoder's `limit`; where it reads in chunks, a BREAK takes the rest of one."""
    if not in_chunks:
        return count_tokens(text, tokenizer)
    return length_in_chunks([count_tokens(section, tokenizer) for section in sections(text)], limit)


def token_counter(tokenizers: Iterable[Tokenizer], limit: int, *, in_chunks: bool = False) -> TokenCounter:
    """Counts as `tokens_taken` does, by whichever of several encoders' tokenizers needs the most."""
    tokenizers = tuple(tokenizers)
    return lambda text: max(tokens_taken(text, tokenizer, limit, in_chunks=in_chunks) for tokenizer in tokenizers)


def what_falls_off(text: str, tokenizer: Tokenizer, limit: int, *, in_chunks: bool = False) -> str:
    """The end of `text` that an encoder of `limit` tokens never reads, from the first word that is not read as a whole; "" where all is read."""

    def taken(end: int) -> int:
        return tokens_taken(text[:end], tokenizer, limit, in_chunks=in_chunks)

    if taken(len(text)) <= limit:
        return ""
    ends = [i for i, letter in enumerate(text) if letter.isspace() or letter == ","] + [len(text)]
    fits = bisect.bisect_right(ends, limit, key=taken)
    start = ends[fits - 1] if fits else 0
    return text[start:].lstrip(" ,\n\t")
