"""The words of a SentencePiece model (Kudo and Richardson 2018, https://github.com/google/sentencepiece), read without its library.

Such a model is a message of Protocol Buffers: fields one after the other, each begun by its number and by how long it is. Its first field
is repeated, once for each word.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
"""Kinds of words: UNKNOWN and CONTROL stand in no text, USER_DEFINED are found whole before anything is merged."""


@dataclass(frozen=True)
class Piece:
    """One word; its place in the model is its number."""

    text: str
    score: float = 0.0
    """Of two merges the one to the higher score comes first."""
    kind: int = NORMAL


def read_pieces(model: bytes) -> list[Piece]:
    """The words in the order of their numbers. Raises ValueError where this is no SentencePiece model."""
    pieces = [_piece(value) for field, value in _fields(model) if field == 1 and isinstance(value, bytes)]
    if not pieces:
        raise ValueError("there are no words in it")
    return pieces


def merges_of(pieces: list[Piece]) -> list[tuple[str, str]]:
    """Every two words that make a third, those that make the best first."""
    known = {piece.text for piece in pieces}
    made = sorted((piece for piece in pieces if piece.kind == NORMAL), key=lambda piece: -piece.score)
    return [
        (piece.text[:cut], piece.text[cut:])
        for piece in made
        for cut in range(1, len(piece.text))
        if piece.text[:cut] in known and piece.text[cut:] in known
    ]


def _piece(message: bytes) -> Piece:
    fields = dict(_fields(message))
    text, score, kind = fields[1], fields.get(2, b"\0" * 4), fields.get(3, NORMAL)
    if not isinstance(text, bytes) or not isinstance(score, bytes) or not isinstance(kind, int):
        raise ValueError("a word in it is damaged")
    return Piece(text.decode(), struct.unpack("<f", score)[0], kind)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field: a whole number, or the bytes of a number, a text or a message."""
    at = 0
    while at < len(message):
        tag, at = _number(message, at)
        match tag & 7:
            case 0:
                value, at = _number(message, at)
                yield tag >> 3, value
                continue
            case 1:
                size = 8
            case 2:
                size, at = _number(message, at)
            case 5:
                size = 4
            case _:
                raise ValueError("it is none of Protocol Buffers' messages")
        if at + size > len(message):
            raise ValueError("it ends too early")
        yield tag >> 3, message[at : at + size]
        at += size


def _number(message: bytes, at: int) -> tuple[int, int]:
    """A whole number in groups of seven bits, the lowest first, and where it ends."""
    value = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise ValueError("it ends too early")
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
