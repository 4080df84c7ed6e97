"""The headers of LoRA files, read quickly one after the other.

A header is the metadata and a table of all tensors. The table takes the most time to read, and files that one trainer wrote at one rank
have the same, byte by byte. So each table is read and checked once, and known again by its hash.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lorasmith.adapters.files.header import LoraHeader, read_lora_header
from lorasmith.library.inspect import inspect

_METADATA = b'{"__metadata__":'
_DECIDE = ("ss_base_model_version", "modelspec.architecture", "ss_network_module", "ss_network_args")
"""Entries of the metadata that say what network the table is of."""
_LONGEST = 32 * 2**20
"""Bytes of a header above which its table is not looked up."""


@dataclass(frozen=True)
class Network:
    """What a table of tensors is."""

    family: str
    """"" where nothing shows it, or it is not supported."""
    kinds: tuple[str, ...]
    ranks: tuple[int, ...]
    layout: str
    """A hash of the names, types and shapes of the tensors."""


@dataclass(frozen=True)
class Head:
    """What a file's header says."""

    metadata: Mapping[str, str]
    network: Network
    identity: str
    """A hash of the header and the file's size, by which the file is known again under another name."""


class Heads:
    """Reads headers, and remembers their tables."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], Network] = {}

    def read(self, path: Path) -> Head:
        """A file's header. Raises AdapterError where it is not a LoRA, is damaged, or would run code; OSError where it cannot be read."""
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(8)
            length = int.from_bytes(start, "little")
            raw = file.read(length) if length <= min(size, _LONGEST) else b""
        metadata, table = _taken_apart(raw)
        key = (hashlib.sha256(table).hexdigest(), str(size - length), *(metadata.get(entry, "") for entry in _DECIDE))
        if not table or key not in self._known:
            header = read_lora_header(path)
            metadata = header.metadata
            self._known[key] = _network_of(path, header)
        return Head(metadata, self._known[key], f"{hashlib.sha256(start + raw).hexdigest()[:32]}-{size}")


def _taken_apart(raw: bytes) -> tuple[Mapping[str, str], bytes]:
    """The metadata and the table in the text of a header; an empty table where the text is not as trainers write it."""
    if not raw.startswith(_METADATA):
        return {}, (b"" if _METADATA[1:] in raw else raw.rstrip())
    try:
        text = raw.decode()
        metadata, end = json.JSONDecoder().raw_decode(text, len(_METADATA))
    except (ValueError, RecursionError):
        return {}, b""
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        return {}, b""
    return metadata, text[end:].rstrip().encode()


def _network_of(path: Path, header: LoraHeader) -> Network:
    info = inspect(path)
    tensors = sorted(f"{name} {entry.dtype} {entry.shape}" for name, entry in header.tensors.items())
    layout = hashlib.sha256("\n".join(tensors).encode()).hexdigest()[:16]
    return Network(info.family, tuple(sorted(info.kinds)), tuple(sorted(map(int, info.ranks))), layout)
