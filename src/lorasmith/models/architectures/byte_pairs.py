"""Byte pair encoding over bytes (Sennrich et al. 2016; Radford et al. 2019), as tokenizers are published: words with their ranks.

A text's bytes are merged two neighbours at a time, those first that make the token of the lowest rank.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache


@cache
def byte_letters() -> dict[int, str]:
    """Byte -> the printable letter that stands for it in vocabularies, in the order of their numbers: those that print come first."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + k) for k, byte in enumerate(others)}


def in_letters(token: bytes) -> str:
    """A token as vocabularies write it."""
    letters = byte_letters()
    return "".join(letters[byte] for byte in token)


def merges_of(ranks: Mapping[bytes, int]) -> list[tuple[str, str]]:
    """Every two tokens that make a third, in the order of its rank: what is merged first comes first."""
    return [
        (in_letters(first), in_letters(second))
        for token in sorted(ranks, key=ranks.__getitem__)
        for cut in range(1, len(token))
        if (first := token[:cut]) in ranks and (second := token[cut:]) in ranks
    ]
