"""The header of a safetensors file, which may come from anybody: nothing in it is believed before it is checked.

A safetensors file is eight bytes that say how long its header is, the header, and the numbers of its tensors, without a gap:

    {"__metadata__": {"ss_epoch": "4"}, "lora_te_x.alpha": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}, ...}

A header is flat, so it is read entry by entry and nothing in it can nest, or grow beyond its own length. Entries that are written as
programs write them are taken by one pattern; others are read with care, and there may be few of them. What is refused is what the
format's own library refuses (safetensors 0.8), so that a file which is read here loads everywhere; and names that occur twice, which
the format forbids and that library passes over: programs would take one or the other.

Written, a header has its metadata sorted, no spaces, and the numbers after it at a multiple of 8 bytes: the same content has the same bytes.
(safetensors orders the metadata at random, differently in each process.)
"""

from __future__ import annotations

import json
import math
import os
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from json import JSONDecoder
from pathlib import Path
from typing import Any, NamedTuple

from lorasmith.errors import TensorFileError

# safetensors' name of a type -> torch's name (empty where torch has none), bits a number.
TYPES: dict[str, tuple[str, int]] = {
    "BOOL": ("bool", 8), "U8": ("uint8", 8), "I8": ("int8", 8), "I16": ("int16", 16), "U16": ("uint16", 16), "I32": ("int32", 32),
    "U32": ("uint32", 32), "I64": ("int64", 64), "U64": ("uint64", 64), "F16": ("float16", 16), "BF16": ("bfloat16", 16),
    "F32": ("float32", 32), "F64": ("float64", 64), "C64": ("complex64", 64), "F8_E4M3": ("float8_e4m3fn", 8),
    "F8_E5M2": ("float8_e5m2", 8), "F8_E8M0": ("float8_e8m0fnu", 8), "F8_E4M3FNUZ": ("float8_e4m3fnuz", 8),
    "F8_E5M2FNUZ": ("float8_e5m2fnuz", 8), "F4": ("", 4), "F6_E2M3": ("", 6), "F6_E3M2": ("", 6),
}  # fmt: skip
LONGEST = 12_000_000
"""The most bytes of a header; a whole base model has under one million. Read, it takes at most thirteen times as much
memory: text with one emoji in it has four bytes a letter, and is there three times while it is parsed."""
_MOST_ENTRIES = 50_000  # tensors, and likewise entries of metadata
_LONGEST_ENTRY = 4096  # characters that describe one tensor
_MOST_UNUSUAL = (
    2_000_000  # characters of entries that are not written as programs write them, at least 200 each; a whole base model has half as many
)
_MOST_NUMBERS = 2**63  # bits; no machine can address more
_MOST_AXES = 64  # torch's and numpy's own bound

_AGAIN = "download it again"
_OTHER_FORMATS: dict[bytes, tuple[str, str]] = {
    b"GGUF": (
        "is a GGUF file, whose weights are quantised for inference",
        "give the fp16, bf16 or fp8 safetensors file of that model",
    ),
    b"version https://git-lfs": ("is a Git LFS pointer, not the file itself", "download the file that it points to (git lfs pull)"),
    b"PK\x03\x04": ("is a ZIP archive or a pickle, not a safetensors file", ""),
    b"<!": ("is a web page, not a safetensors file", _AGAIN),
    b"<html": ("is a web page, not a safetensors file", _AGAIN),
}
"""How a file of another format begins -> what it is, what to do."""


class Entry(NamedTuple):
    """One tensor of a file."""

    dtype: str  # safetensors' name
    shape: tuple[int, ...]
    begin: int  # bytes from the file's start
    end: int


@dataclass(frozen=True)
class Header:
    """What a safetensors file says of itself."""

    entries: Mapping[str, Entry]
    metadata: Mapping[str, str]


def read_header(path: Path) -> Header:
    """The header of a safetensors file, checked: its tensors fill the file, none of them shares bytes with another.

    Raises TensorFileError where the file is absent, cut short, damaged, or of another format.
    """
    if path.exists() and not path.is_file():
        raise TensorFileError(path, "is not a file", case="unreadable")
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = _length_of_header(path, file.read(64), size)
            file.seek(8)
            raw = file.read(length)
    except OSError as error:
        raise TensorFileError(path, f"cannot be read ({error.strerror or error})", case="unreadable") from error
    return parse_header(path, raw, size)


def _length_of_header(path: Path, start: bytes, size: int) -> int:
    """How many bytes the header has, by the first bytes of the file."""
    for beginning, (what, remedy) in _OTHER_FORMATS.items():
        if start.startswith(beginning) and not looks_like_safetensors(start):
            raise TensorFileError(path, what, remedy, case="other_format")
    length = struct.unpack("<Q", start[:8])[0] if len(start) >= 8 else 0
    if length >= 2 and start[8:9] in (b"{", b" "):
        if length > LONGEST:
            raise TensorFileError(path, f"says that its header has {length:,} bytes, and no real file's has more than {LONGEST:,}", _AGAIN)
        if length > size - 8:
            raise TensorFileError(
                path, f"is cut short: its header alone has {length:,} bytes, and the file {size:,}", _AGAIN, case="cut_short"
            )
        return int(length)
    raise TensorFileError(path, "is not a safetensors file, or only the beginning of one" if size else "is empty", case="other_format")


def looks_like_safetensors(start: bytes) -> bool:
    """Whether a file that begins so is a safetensors file, whatever it is called."""
    return len(start) > 8 and start[8:9] == b"{" and start[4:8] == b"\0\0\0\0"


def parse_header(path: Path, raw: bytes, size: int) -> Header:
    """The header of a file of `size` bytes from its text; `path` is what an error calls the file.

    Raises TensorFileError where it is damaged, or the file is cut short.
    """
    try:
        text = _Text(raw.decode())
    except ValueError as error:
        raise TensorFileError(path, "is damaged: its header is not UTF-8 text", _AGAIN) from error
    content = _Content(8 + len(raw))
    try:
        for name in text.each_key():
            content.take(name, text)
            for plain in text.plain_entries():
                content.take_plain(*plain)
        text.end()
    except _Fault as fault:
        raise TensorFileError(path, fault.words, fault.remedy) from None
    except (ValueError, RecursionError):
        after = f" after {shown(content.last)}" if content.last else ""
        raise TensorFileError(path, f"is damaged: its header is not valid JSON{after}", _AGAIN) from None
    if not content.entries:
        raise TensorFileError(path, "has no tensors", case="empty")
    _check_places(path, content.entries, content.start, size)
    return Header(content.entries, content.metadata or {})


class _Content:
    """What is in a header, as far as it was read; `start` is where the numbers of the file begin."""

    def __init__(self, start: int):
        self.start = start
        self.entries: dict[str, Entry] = {}
        self.metadata: dict[str, str] | None = None
        self.last = ""
        """The name that was read last."""

    def take(self, name: str, text: _Text) -> None:
        """Read what belongs to a name, however it is written. Raises _Fault, or ValueError where it is not JSON."""
        self._begin(name)
        if name == "__metadata__":
            if self.metadata is not None:
                raise _twice(name)
            self.metadata = _metadata(text)
        else:
            self.entries[name] = _entry(name, text.flat_object(), self.start)

    def take_plain(self, name: str, dtype: str, shape: str, begin: str, end: str) -> None:
        """Take an entry that is written as programs write it. Raises _Fault."""
        self._begin(name)
        _check_type(name, dtype)
        sizes = list(map(int, shape.split(","))) if shape else []
        self.entries[name] = _fitting_entry(name, dtype, sizes, [int(begin), int(end)], self.start)

    def _begin(self, name: str) -> None:
        self.last = name
        if name in self.entries:
            raise _twice(name)
        if len(self.entries) == _MOST_ENTRIES:
            raise _Fault(f"has more than {_MOST_ENTRIES:,} tensors, which no real file has")


def _twice(name: str) -> _Fault:
    return _Fault(f"is damaged: its header has {shown(name)} twice, and programs differ in which they take")


class _Fault(Exception):
    """What is wrong with a header, and what to do."""

    def __init__(self, words: str, remedy: str = _AGAIN):
        self.words, self.remedy = words, remedy


def _number(digits: str) -> int | float:
    """A number as JSON writes it; raises ValueError for NaN, and for what is beyond 1.8e308."""
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(digits)
    return int(digits) if digits.removeprefix("-").isdigit() else value


class _Text:
    """The JSON text of a header, read piece by piece; every piece raises ValueError where the text has something else."""

    _spaces = re.compile(r"[ \t\n\r]*")
    _string = JSONDecoder()
    _object = JSONDecoder(object_pairs_hook=list, parse_constant=_number, parse_float=_number, parse_int=_number)

    def __init__(self, text: str):
        self.text, self.place = text, 0
        self._unusual = 0
        """Characters of the entries that were not plain."""

    def next(self) -> str:
        """The next character that is not a space; it is not taken."""
        self.place = self._spaces.match(self.text, self.place).end()  # type: ignore[union-attr]
        return self.text[self.place : self.place + 1]

    def take(self, character: str) -> bool:
        """Take the next character if it is this one."""
        found = self.next() == character
        self.place += found
        return found

    def _expect(self, character: str) -> None:
        if not self.take(character):
            raise ValueError(character)

    def string(self) -> str:
        if self.next() != '"':
            raise ValueError
        value, self.place = self._string.raw_decode(self.text, self.place)
        if not value.isascii():
            value.encode()  # raises ValueError for halves of characters (\ud800)
        found: str = value
        return found

    def each_key(self) -> Iterator[str]:
        """The keys of the object that begins here; each value must be taken before the next key."""
        self._expect("{")
        if self.take("}"):
            return
        while True:
            key = self.string()
            self._expect(":")
            yield key
            if self.take("}"):
                return
            self._expect(",")

    def plain_entries(self) -> Iterator[tuple[str, ...]]:
        """(name, dtype, shape, begin, end) of the tensors that follow, up to the first that is written in another way."""
        while (found := _PLAIN_ENTRY.match(self.text, self.place)) is not None:
            self.place = found.end()
            yield found.groups()

    def flat_object(self) -> list[tuple[str, Any]]:
        """The pairs of an object in which there are no objects."""
        if self.next() != "{":
            raise ValueError
        end = self.text.find("}", self.place, self.place + _LONGEST_ENTRY) + 1
        self._unusual += max(end - self.place, 200)
        if self._unusual > _MOST_UNUSUAL:
            raise _Fault("has a header that is longer than its tensors need, which no real file has")
        pairs: list[tuple[str, Any]] = self._object.decode(self.text[self.place : end])
        self.place = end
        return pairs

    def snippet(self) -> str:
        """What the value that begins here looks like, in a few words."""
        kinds = {"{": "a table", "[": "a list", "t": "true", "f": "false", "n": "nothing (null)", "N": "NaN"}
        number = re.match(r"-?\d[\d.eE+-]{0,20}", self.text[self.place : self.place + 22])
        return f"the number {number[0]}" if number else kinds.get(self.next(), "something that is not JSON")

    def null(self) -> None:
        self.next()
        if not self.text.startswith("null", self.place):
            raise ValueError
        self.place += 4

    def end(self) -> None:
        if self.next():
            raise ValueError


_SIZE = r"(?:0|[1-9][0-9]{0,18})"
_PLAIN_ENTRY = re.compile(
    r' , "(?!__metadata__")([^"\\\x00-\x1f]*+)" : { "dtype" : "([A-Z0-9_]+)" , "shape" : \[ ((?:SIZE(?: , SIZE){0,63}+)?) ] ,'
    r' "data_offsets" : \[ (SIZE) , (SIZE) ] }'.replace(" ", r"[ \t\n\r]*+").replace("SIZE", _SIZE)
)  # fmt: skip
"""The comma before a tensor, its name without escapes, and what is said of it, in the order in which all programs say it."""


def _metadata(text: _Text) -> dict[str, str]:
    """The entries of `__metadata__`, of which each is text."""
    metadata: dict[str, str] = {}
    if text.next() == "n":
        text.null()
        return metadata
    if text.next() != "{":
        raise _Fault(f"is damaged: its metadata are {text.snippet()}, not a table")
    for key in text.each_key():
        if key in metadata:
            raise _Fault(f"is damaged: its metadata have {shown(key)} twice, and programs differ in which they take")
        if text.next() != '"':
            raise _Fault(
                f"has {text.snippet()} in its metadata under {shown(key)}, where the format has text alone, so that no program opens it",
                "save it again with every value as text, str(value) in Python",
            )
        metadata[key] = text.string()
        if len(metadata) > _MOST_ENTRIES:
            raise _Fault(f"has more than {_MOST_ENTRIES:,} entries of metadata, which no real file has")
    return metadata


def _entry(name: str, pairs: list[tuple[str, Any]], start: int) -> Entry:
    """What the header says of one tensor; `start` is where the numbers begin."""
    said = dict(pairs)
    for key, words in _WORDS.items():
        if key not in said:
            raise _Fault(f"is damaged: its header does not say the {words} of {shown(name)}")
    if len(said) < len(pairs):
        raise _Fault(f"is damaged: its header says something of {shown(name)} twice")
    dtype, shape, place = said["dtype"], said["shape"], said["data_offsets"]
    _check_type(name, dtype)
    if not _are_sizes(shape):
        raise _Fault(f"is damaged: the shape of {shown(name)} is {_short(shape)}, not a list of whole numbers from 0")
    if not _are_sizes(place) or len(place) != 2:
        raise _Fault(f"is damaged: the place of {shown(name)} is {_short(place)}, not its first byte and the one after its last")
    return _fitting_entry(name, dtype, shape, place, start)


def _check_type(name: str, dtype: Any) -> None:
    if not isinstance(dtype, str) or dtype not in TYPES:
        raise _Fault(
            f"has {shown(name)} in numbers of the type {shown(str(dtype))}, which the format does not have",
            "save it in fp32, fp16 or bf16, or download it again",
        )


def _fitting_entry(name: str, dtype: str, shape: list[int], place: list[int], start: int) -> Entry:
    """A tensor whose type, shape and place fit one another. Raises _Fault where they do not."""
    bits = TYPES[dtype][1] * math.prod(shape)
    if len(shape) > _MOST_AXES or max(math.prod(filter(None, shape)), bits, *place) >= _MOST_NUMBERS:
        raise _Fault(f"is damaged: the shape or place of {shown(name)} is larger than any file can have")
    if bits % 8 or bits // 8 != place[1] - place[0]:
        raise _Fault(
            f"is damaged: {shown(name)} has {place[1] - place[0]:,} bytes by its place, and "
            f"{bits / 8:,.10g} by its shape {_short(shape)} in {dtype}"
        )
    return Entry(dtype, tuple(shape), start + place[0], start + place[1])


_WORDS = {"dtype": "type", "shape": "shape", "data_offsets": "place"}


def _are_sizes(value: Any) -> bool:
    """Whether a value is a list of whole numbers from 0; true and false are none."""
    return isinstance(value, list) and all(type(number) is int and number >= 0 for number in value)


def _check_places(path: Path, entries: Mapping[str, Entry], start: int, size: int) -> None:
    """Raises TensorFileError where the tensors do not fill the file from `start` to its end, one after the other."""
    end, before = start, ""
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin < end:
            raise TensorFileError(path, f"is damaged: its tensors {shown(before)} and {shown(name)} share bytes", _AGAIN)
        if entry.begin > end:
            raise TensorFileError(path, f"is damaged: {entry.begin - end:,} bytes before {shown(name)} belong to no tensor", _AGAIN)
        end, before = entry.end, name
    if end > size:
        raise TensorFileError(
            path, f"is cut short: {shown(before)} ends at byte {end:,}, and the file has {size:,}", _AGAIN, case="cut_short"
        )
    if end < size:
        raise TensorFileError(path, f"is damaged: {size - end:,} bytes at its end belong to no tensor", _AGAIN)


def shown(name: str) -> str:
    """A name from a file as it can be shown: on one line, not endless."""
    return repr(_short(name))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


# ---- writing


def header_bytes(metadata: Mapping[str, str], rows: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The bytes in front of the numbers; `rows` are the tensors in their order, each as {"dtype", "shape", "data_offsets"}."""
    header = {"__metadata__": dict(sorted(metadata.items())), **rows}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def rows_of(entries: Mapping[str, Entry]) -> dict[str, dict[str, Any]]:
    """The tensors of a file as `header_bytes` takes them, in their order."""
    start = min(entry.begin for entry in entries.values())
    return {
        name: {"dtype": entry.dtype, "shape": list(entry.shape), "data_offsets": [entry.begin - start, entry.end - start]}
        for name, entry in entries.items()
    }
