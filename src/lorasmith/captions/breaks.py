"""`BREAK` in a caption, as AUTOMATIC1111's web UI has it in prompts: what follows begins the next chunk of 75 tokens that CLIP reads.

Where no chunk is left it means nothing, and encoders that read a caption whole, such as T5, take it for the word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

CHUNK = 75
"""Tokens that CLIP reads at once, without begin and end."""

BREAK = "BREAK"
AT_BREAKS = re.compile(r"\s*\bBREAK\b\s*")


def sections(text: str) -> list[str]:
    """What is between the BREAKs of a text."""
    return AT_BREAKS.split(text)


def runs(tags: Iterable[str]) -> list[list[str]]:
    """Tags on the sides of their BREAKs; joined with `with_breaks` they are the same again."""
    found: list[list[str]] = [[]]
    for tag in tags:
        if tag == BREAK:
            found.append([])
        else:
            found[-1].append(tag)
    return found


def with_breaks(sides: Iterable[Sequence[str]]) -> list[str]:
    """The tags of several sides with a BREAK between them."""
    return [tag for side in sides for tag in (BREAK, *side)][1:]


def starts(lengths: Sequence[int], limit: int) -> Iterator[int]:
    """Where sections of these `lengths` begin, in tokens, in an encoder that reads `limit` of them: each in a chunk of its own while there are any."""
    place = 0
    for length in lengths:
        gap = -place % CHUNK
        if length and place + gap < limit:
            place += gap
        yield place
        place += length


def length_in_chunks(lengths: Sequence[int], limit: int) -> int:
    """The tokens that sections take of `limit`, those that fill up the chunks before a BREAK counted."""
    return max((start + length for start, length in zip(starts(lengths, limit), lengths, strict=True)), default=0)
