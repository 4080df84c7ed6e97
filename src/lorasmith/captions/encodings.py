"""Which encoding a caption that is not UTF-8 looks written in.

A byte order mark says it, and so do the NULs of UTF-16. Without them the same bytes may be read in several encodings, each of which
makes other letters of them. Each reading is scored by its letters beyond ASCII: a letter that is common where the encoding is used, and
in a place for it, speaks for the reading, any other against it. A reading is taken where it is clearly ahead of all others, and a few
letters alone are often not enough: then the readings are all named, and the user chooses.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile

from lorasmith.captions.letters import (
    ARABIC,
    AT_THE_END,
    CENTRAL,
    CYRILLIC,
    GREEK,
    HANGUL,
    HANZI,
    HEBREW,
    KANA,
    KANJI,
    THAI,
    TURKISH,
    WESTERN,
)

MARKS = {
    codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
"""Byte order mark -> encoding; that of UTF-32 begins as UTF-16's does and comes first."""

LATIN: dict[str, Sequence[AbstractSet[str]]] = {
    "latin-1": [WESTERN], "cp1252": [WESTERN], "cp1250": CENTRAL, "iso-8859-2": CENTRAL, "cp1254": [TURKISH],
}  # fmt: skip
"""Encoding -> the letters beyond ASCII of the languages that it is used for, in small letters."""

OTHERS: dict[str, AbstractSet[str]] = {
    "shift-jis": KANA | KANJI, "cp932": KANA | KANJI, "euc-jp": KANA | KANJI, "gbk": HANZI, "gb18030": HANZI, "big5": HANZI, "cp950": HANZI,
    "euc-kr": HANGUL, "cp949": HANGUL,
    "cp1251": CYRILLIC, "koi8-r": CYRILLIC, "cp1253": GREEK, "cp1255": HEBREW, "cp1256": ARABIC, "cp874": THAI,
}  # fmt: skip
"""Encoding of another script -> letters that are common where it is used. Of encodings that give the same text, the first is named."""

LETTERS_SHOWN = 24
"""Of each reading, where several are shown."""
MOST_READINGS = 5
"""Readings that are named where none is clearly ahead."""
AHEAD_BY_LATIN, AHEAD_BY = 2, 4
"""Bytes beyond ASCII by which a reading in Latin letters, or in others, must be ahead of the rest, and ..."""
AHEAD_BY_SHARE = 0.25
"""... their share of all of them."""
LEAST_SHARE = 0.1
"""How much more must speak for a reading than against it, as a share of the same."""

CONTROLS = re.compile("[\x80-\x9f]")
"""Control characters that Latin-1 has where cp1252 has quotes and dashes; nobody writes them."""

_PUNCTUATION = re.compile(
    r"(?<=\w)[’´](?=\w|\W|$)|(?<!\w)[“‘«„¿¡](?=\w)|(?<=[\w.,!?])[”»“](?!\w)|(?<=[\s\d])[–—](?=[\s\d])|(?<=\w)…|(?<=\d)[°€]|[€£](?=\d)|^•(?=\s)",
    re.MULTILINE,
)
"""Quotes, dashes and the like in places where they are written."""


@dataclass(frozen=True)
class Reading:
    """What bytes say in one encoding."""

    encoding: str
    """By Python's name for it."""
    text: str


def readings(raw: bytes, beside: bytes = b"") -> list[Reading]:
    """What bytes may say: one reading where it is clear, several (the likeliest first) where it is not, none where they look like no text.

    `beside` is more text that is likely of the same encoding, such as that of the captions in the same folder.
    """
    for mark, encoding in MARKS.items():
        if raw.startswith(mark):
            return _only(raw, encoding)
    if b"\0" in raw:
        return _wide(raw)
    own = _likeliest(_scored(raw))
    around = _clear_encoding(beside) if len(own) > 1 and beside else None
    if around is None:
        return own
    return [one for one in own if one.text in {each.text for each in _only(raw, around)}] or own


@lru_cache(maxsize=8)
def _clear_encoding(beside: bytes) -> str | None:
    """The encoding that a text clearly is in; remembered, since each caption of a folder asks for the same."""
    found = _likeliest(_scored(beside))
    return found[0].encoding if len(found) == 1 else None


def in_words(found: Sequence[Reading]) -> str:
    """What `readings` found, as the end of a sentence: which encoding, or which ones with what they read."""
    if not found:
        return "it does not look like text"
    if len(found) == 1:
        return f"it looks like {found[0].encoding}"
    shown = [f"{one.encoding} ({_first_letters(one.text)!r})" for one in found]
    return f"it could be {', '.join(shown[:-1])} or {shown[-1]}"


def _first_letters(text: str) -> str:
    """A piece of a text from its first word beyond ASCII on, on one line."""
    start = next((at for at, one in enumerate(text) if one > "\x7f"), 0)
    words = " ".join(text[max(0, text.rfind(" ", 0, start)) :].split())
    return words if len(words) <= LETTERS_SHOWN else f"{words[:LETTERS_SHOWN]}..."


def plausible(text: str) -> bool:
    """Whether a decoded text has no characters that nobody writes into a caption."""
    return "\0" not in text and not CONTROLS.search(text) and all(unicodedata.category(one) not in ("Co", "Cn") for one in set(text))


def _only(raw: bytes, encoding: str) -> list[Reading]:
    try:
        return [Reading(encoding, raw.decode(encoding))]
    except UnicodeError:
        return []


def _wide(raw: bytes) -> list[Reading]:
    """UTF-16 without a byte order mark: the NULs are on one side of each pair of bytes."""
    low, high = raw[0::2].count(0), raw[1::2].count(0)
    return [one for one in _only(raw, "utf-16-le" if high > low else "utf-16-be") if "\0" not in one.text]


def _scored(raw: bytes) -> list[tuple[float, Reading]]:
    """Each different text that the bytes may be, with how much speaks for it less what speaks against it; the best first."""
    found: dict[str, tuple[float, Reading]] = {}
    for encoding in (*LATIN, *OTHERS):
        for one in _only(raw, encoding):
            if plausible(one.text):
                latin = LATIN.get(encoding)
                score = _other_score(one.text, OTHERS[encoding]) if latin is None else max(_latin_score(one.text, each) for each in latin)
                before, first = found.get(one.text, (score, one))
                found[one.text] = max(score, before), first
    return sorted(found.values(), key=lambda scored: -scored[0])


def _likeliest(found: list[tuple[float, Reading]]) -> list[Reading]:
    """The best reading alone where it is likely and clearly ahead, else the first few."""
    if not found:
        return []
    best, first = found[0]
    letters = sum(map(_weight, first.text))
    needed = max(AHEAD_BY_LATIN if first.encoding in LATIN else AHEAD_BY, AHEAD_BY_SHARE * letters)
    is_likely = best >= LEAST_SHARE * letters
    return [one for score, one in found if not is_likely or best - score < needed][:MOST_READINGS]


def _weight(letter: str) -> int:
    """The bytes of a letter, roughly: two where it is as wide as those of East Asia; none in ASCII, which all encodings have."""
    return 0 if letter <= "\x7f" else 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _latin_score(text: str, letters: AbstractSet[str]) -> int:
    in_place = {found.start() for found in _PUNCTUATION.finditer(text)}
    return sum(1 if at in in_place or _is_in_word(text, at, letters) else -1 for at, one in enumerate(text) if one > "\x7f")


def _is_in_word(text: str, at: int, letters: AbstractSet[str]) -> bool:
    """Whether a letter with an accent is a usual one, and near a plain letter of its word, or a word by itself."""
    before, after = text[max(0, at - 1) : at], text[at + 1 : at + 2]
    beside_plain = _is_near_plain(text, at)
    alone = not before.strip() and not after.strip(" \n,.")
    return (text[at] in letters or text[at].lower() in letters) and (beside_plain or alone) and not _is_capital_inside(text, at)


def _is_near_plain(text: str, at: int) -> bool:
    """Whether one of the two letters before it or behind it, in the same word, is a plain one: accents come in short rows."""
    behind, ahead = text[max(0, at - 2) : at][::-1], text[at + 1 : at + 3]
    return any(one.isascii() for side in (behind, ahead) for one in takewhile(str.isalpha, side))


def _other_score(text: str, letters: AbstractSet[str]) -> float:
    """Common letters speak for the text unless they are beside Latin ones, capitals in a row half; punctuation of any width says nothing."""
    score = 0.0
    for at, one in enumerate(text):
        if one > "\x7f" and unicodedata.category(one)[0] not in "PZ":
            before, after = text[max(0, at - 1) : at], text[at + 1 : at + 2]
            beside_latin = any(near.isascii() and near.isalpha() for near in (before, after))
            inside = one in AT_THE_END and after.isalpha()
            if one.lower() not in letters or beside_latin or inside or _is_capital_inside(text, at):
                score -= 1  # a character of East Asia is of two bytes and only half as bad: there are thousands of rare ones
            else:
                score += _weight(one) * (0.5 if one.isupper() and before.isupper() else 1)
    return score


def _is_capital_inside(text: str, at: int) -> bool:
    """Whether it is a capital behind a small letter, as where letters are read wrongly."""
    return text[at].isupper() and text[max(0, at - 1) : at].islower()
