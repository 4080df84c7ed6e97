"""Which encoding a caption that is not UTF-8 looks written in.

A byte order mark says it. Without one, the bytes hint at it: every other byte of UTF-16 is NUL in western text; Windows-1252 (cp1252) has
its curly quotes and dashes where Latin-1 has control characters; in those of Japanese, Chinese and Russian the high bytes come in runs.
"""

from __future__ import annotations

import codecs
import re

MARKS = {
    codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
"""Byte order mark -> encoding; that of UTF-32 begins as UTF-16's does and comes first."""

CONTROLS = re.compile("[\x80-\x9f]")
"""Control characters that Latin-1 has where cp1252 has quotes and dashes; nobody writes them."""

_KANA = re.compile("[\u3040-\u30ff]")
_CYRILLIC = re.compile("[\u0400-\u04ff]{2}")


def likely_encoding(raw: bytes) -> str | None:
    """The encoding that bytes look written in, by Python's name for it; None where they look like no text."""
    for mark, encoding in MARKS.items():
        if raw.startswith(mark):
            return encoding if _reads(raw, encoding) is not None else None
    if b"\0" in raw:
        return _wide(raw)
    if _in_runs(raw):
        if (text := _reads(raw, "shift-jis")) is not None and _KANA.search(text):
            return "shift-jis"
        if _reads(raw, "gbk") is not None and _common_hanzi(raw):
            return "gbk"
        if (text := _reads(raw, "cp1251")) is not None and _CYRILLIC.search(text):
            return "cp1251"
    return next((encoding for encoding in ("latin-1", "cp1252") if (text := _reads(raw, encoding)) is not None and plausible(text)), None)


def plausible(text: str) -> bool:
    """Whether a decoded text has no characters that nobody writes into a caption."""
    return "\0" not in text and not CONTROLS.search(text)


def _wide(raw: bytes) -> str | None:
    """UTF-16 without a byte order mark: the NULs are on one side of each pair of bytes."""
    low, high = raw[0::2].count(0), raw[1::2].count(0)
    encoding = "utf-16-le" if high > low else "utf-16-be"
    text = _reads(raw, encoding)
    return encoding if text is not None and "\0" not in text else None


def _in_runs(raw: bytes) -> bool:
    """Whether letters beyond ASCII mostly come in runs, as in texts of other scripts; in western ones they stand alone among others."""
    high = sum(byte >= 0x80 for byte in raw)
    return high >= 2 and 2 * sum(len(run) for run in re.findall(rb"[\x80-\xff]{2,}", raw)) > high


def _common_hanzi(raw: bytes) -> bool:
    """Whether most double bytes are of the common characters and the punctuation of GBK, whose first byte is 0xa1 to 0xd7."""
    pairs = re.findall(rb"[\x81-\xfe][\x40-\xfe]", raw)
    return 2 * sum(0xA1 <= pair[0] <= 0xD7 for pair in pairs) > len(pairs)


def _reads(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeError:
        return None
