"""PNGs with long notes: workflows of ComfyUI, prompts, padded colour profiles.

Pillow refuses a PNG whose compressed text or profile unpacks to over 1 MB, as a bomb would. The pixels are sound, and the notes are not
needed: so they are taken out before Pillow reads the rest.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"

LONG_NOTE = 64 * 1024
"""Bytes of a note, unpacked, above which it is taken out: camera data and short texts stay."""

LONGEST_PROFILE = 16 * 2**20
"""Bytes of an unpacked colour profile above which it is taken out, too."""


def with_short_notes(png: bytes) -> bytes:
    """The same PNG without long notes; a colour profile loses only what is behind its own end."""
    kept = [SIGNATURE]
    for kind, content in _chunks(png):
        if kind in (b"tEXt", b"zTXt", b"iTXt") and _unpacked_length(kind, content) > LONG_NOTE:
            continue
        if kind == b"iCCP":
            name, _, packed = content.partition(b"\0")
            profile = _unpacked(packed[1:], LONGEST_PROFILE)
            length = int.from_bytes(profile[:4], "big")
            if len(profile) > LONGEST_PROFILE or length > len(profile):
                continue
            content = name + b"\0\0" + zlib.compress(profile[:length])
        kept.append(struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content)))
    return b"".join(kept)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, content) of each whole chunk, in order."""
    at = len(SIGNATURE)
    while at + 12 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        yield kind, png[at + 8 : at + 8 + length]
        at += 12 + length


def _unpacked_length(kind: bytes, content: bytes) -> int:
    """Bytes of a note as Pillow would hold it; a little over `LONG_NOTE` stands for all that is longer."""
    _, _, rest = content.partition(b"\0")
    if kind == b"zTXt":
        return len(_unpacked(rest[1:], LONG_NOTE))
    if kind == b"iTXt" and rest[:1] == b"\1":  # packed; then the method, the language and the translated keyword
        _, _, rest = rest[2:].partition(b"\0")
        _, _, packed = rest.partition(b"\0")
        return len(_unpacked(packed, LONG_NOTE))
    return len(content)


def _unpacked(packed: bytes, most: int) -> bytes:
    """The unpacked bytes, at most one more than `most`; what is there before the first damage."""
    try:
        return zlib.decompressobj().decompress(packed, most + 1)
    except zlib.error:
        return b""
