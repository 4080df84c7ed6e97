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
from lorasmith.library.inspect import contents_of

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
        metadata, end = _metadata_of(raw)
        table = hashlib.sha256(raw[max(end, 0) :].rstrip()).hexdigest()
        key = (table, str(size - length), *(metadata.get(entry, "") for entry in _DECIDE))
        if end < 0 or key not in self._known:
            header = read_lora_header(path)
            metadata = header.metadata
            self._known[key] = _network_of(path, header)
        identity = hashlib.sha256(start + raw[: max(end, 0)] + table.encode()).hexdigest()[:32]
        return Head(metadata, self._known[key], f"{identity}-{size}")


def _metadata_of(raw: bytes) -> tuple[Mapping[str, str], int]:
    """The metadata in the text of a header, and where the table begins after them; -1 where the text is not as trainers write it."""
    if not raw.startswith(_METADATA):
        return {}, (-1 if _METADATA[1:] in raw or not raw else 0)
    try:
        text = raw.decode()
        metadata, end = json.JSONDecoder().raw_decode(text, len(_METADATA))
    except (ValueError, RecursionError):
        return {}, -1
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        return {}, -1
    try:
        "".join((*metadata, *metadata.values())).encode()
    except UnicodeEncodeError:  # halves of characters, which the header's reader refuses
        return {}, -1
    return metadata, len(text[:end].encode())


def _network_of(path: Path, header: LoraHeader) -> Network:
    contents = contents_of(path, header)
    kinds = {layer.kind.name for layer in contents.outlines}
    ranks = {layer.rank for layer in contents.outlines if layer.rank is not None}
    tensors = sorted(f"{name} {entry.dtype} {entry.shape}" for name, entry in header.tensors.items())
    layout = hashlib.sha256("\n".join(tensors).encode()).hexdigest()[:16]
    return Network(contents.family, tuple(sorted(kinds)), tuple(sorted(ranks)), layout)
