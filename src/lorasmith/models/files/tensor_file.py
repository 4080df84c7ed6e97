"""A file of tensors as others made it: data, never code, and read no further than asked.

A safetensors file is eight bytes that say how long its header is, the header (JSON: name -> type, shape, first and last
byte), then the numbers. `SafetensorsFile` checks the header against the file's size and hands out tensors through a memory
map, whose pages it gives back after each. `PickleFile` reads a .ckpt or .pt by torch's weights-only unpickler, and is used on
request alone.
"""

from __future__ import annotations

import contextlib
import json
import math
import mmap
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from lorasmith.errors import BaseModelError

if TYPE_CHECKING:
    import torch

# safetensors' name of a type -> torch's name, bytes a number.
TYPES: dict[str, tuple[str, int]] = {
    "F64": ("float64", 8), "F32": ("float32", 4), "F16": ("float16", 2), "BF16": ("bfloat16", 2), "F8_E4M3": ("float8_e4m3fn", 1),
    "F8_E5M2": ("float8_e5m2", 1), "I64": ("int64", 8), "I32": ("int32", 4), "I16": ("int16", 2), "I8": ("int8", 1), "U8": ("uint8", 1),
    "BOOL": ("bool", 1),
}  # fmt: skip
# Types of the format that no part of ours has: their tensors are known by name and never read.
_OTHER_TYPES = {"U16": 2, "U32": 4, "U64": 8, "F8_E8M0": 1, "F8_E4M3FNUZ": 1, "F8_E5M2FNUZ": 1, "C64": 8}
_LONGEST_HEADER = 100_000_000  # bytes; the format's own bound
PICKLES = (".ckpt", ".pt", ".pth", ".bin")
READ_PICKLES = "read it as weights alone: base.allow_pickle in settings, --allow-pickle on the command line"
"""What to do about a pickle that is not read, in a sentence."""


@dataclass(frozen=True)
class Entry:
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
    """The header of a safetensors file, checked: every tensor is whole inside the file.

    Raises BaseModelError where the file is absent, cut short, or none of the format.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if start[:4] == b"GGUF":
                raise BaseModelError(
                    f"{path} is a GGUF file, whose weights are quantised for inference; train on the fp16, bf16 or fp8 safetensors file of that model."
                )
            if not 2 <= length <= min(_LONGEST_HEADER, size - 8):
                raise BaseModelError(
                    f"{path} cannot be opened as a single file of weights: it is not a safetensors file, or only the beginning of one; download it again."
                )
            raw = file.read(length)
    except OSError as error:
        raise BaseModelError(f"{path} cannot be read ({error.strerror or error}); give the file of a base model.") from error
    try:
        tree = json.loads(raw)
    except (ValueError, RecursionError) as error:  # also text that is not UTF-8
        raise BaseModelError(f"{path} is damaged (its header is not valid JSON); download it again.") from error
    if not isinstance(tree, dict):
        raise BaseModelError(f"{path} is damaged (its header is not a table of tensors); download it again.")
    metadata = tree.pop("__metadata__", {})
    if not isinstance(metadata, dict):
        raise BaseModelError(f"{path} is damaged (its metadata are not a table); download it again.")
    entries = {name: _entry(path, name, value, 8 + length, size) for name, value in tree.items()}
    if not entries:
        raise BaseModelError(f"{path} holds no tensors; give the file of a base model.")
    return Header(entries, {str(key): str(value) for key, value in metadata.items()})


def _entry(path: Path, name: str, value: Any, start: int, size: int) -> Entry:
    """One record of a header, checked."""
    try:
        dtype, shape, (begin, end) = value["dtype"], tuple(value["shape"]), value["data_offsets"]
        whole = all(type(n) is int and n >= 0 for n in (*shape, begin, end))
        width = TYPES[dtype][1] if dtype in TYPES else _OTHER_TYPES.get(dtype)
    except (KeyError, TypeError, ValueError) as error:
        raise BaseModelError(f"{path} is damaged (its header does not say where {name!r} is); download it again.") from error
    if not whole:
        raise BaseModelError(f"{path} is damaged (its header gives no shape or place of {name!r}); download it again.")
    if width is not None and math.prod(shape) * width != end - begin:
        raise BaseModelError(f"{path} is damaged (its header gives {name!r} another size than its shape has); download it again.")
    if start + end > size or begin > end:
        raise BaseModelError(
            f"{path} cannot be opened, for it is cut short: {name!r} ends after the file's last byte ({size:,}); download it again."
        )
    return Entry(dtype, shape, start + begin, start + end)


class SafetensorsFile:
    """A safetensors file, mapped into memory while it is open."""

    def __init__(self, path: Path):
        self.path = path
        header = read_header(path)
        self.entries, self.metadata = header.entries, header.metadata

    def __enter__(self) -> Self:
        with self.path.open("rb") as file:
            # A private copy-on-write map: torch asks for writable memory, which is never written.
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(BufferError):  # an error's traceback still holds a tensor over the map; it closes with that
            self._map.close()

    def into(self, name: str, rows: slice, make: Any) -> torch.Tensor:
        """`make(tensor)` of the rows of one tensor; what `make` returns must be a copy, because the pages are released."""
        import torch

        entry = self.entries[name]
        dtype = getattr(torch, TYPES[entry.dtype][0])
        first, last, _ = rows.indices(entry.shape[0]) if entry.shape else (0, 1, 1)
        row = (entry.end - entry.begin) // max(entry.shape[0] if entry.shape else 1, 1)
        begin, end = entry.begin + first * row, entry.begin + last * row
        shape = (last - first, *entry.shape[1:]) if entry.shape else ()
        if begin == end:
            return make(torch.empty(shape, dtype=dtype))
        made = make(torch.frombuffer(self._map, dtype=dtype, count=math.prod(shape), offset=begin).view(shape))
        self._give_back(begin, end)
        return made

    def _give_back(self, begin: int, end: int) -> None:
        """Let go of the pages from `begin` to `end`; those that other tensors share are read again when needed."""
        if sys.platform != "win32":
            begin -= begin % mmap.PAGESIZE
            self._map.madvise(mmap.MADV_DONTNEED, begin, end - begin)


class PickleFile:
    """A .ckpt, .pt or .bin file, read by the weights-only unpickler and mapped where its format allows."""

    metadata: Mapping[str, str] = {}

    def __init__(self, path: Path):
        import pickle

        import torch

        self.path = path
        try:
            try:
                tree = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            except RuntimeError:  # the format before torch 1.6 cannot be mapped
                tree = torch.load(path, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:150]
            raise BaseModelError(f"{path} cannot be read as weights alone ({reason}); give the safetensors file of that model.") from error
        while isinstance(tree, dict) and isinstance(tree.get("state_dict"), dict):
            tree = tree["state_dict"]
        tensors = {str(k): v for k, v in tree.items() if isinstance(v, torch.Tensor)} if isinstance(tree, dict) else {}
        if not tensors:
            raise BaseModelError(f"{path} holds no tensors; give the file of a base model.")
        self._tensors = tensors
        names = {torch_name: name for name, (torch_name, _) in TYPES.items()}
        self.entries = {
            name: Entry(names.get(str(tensor.dtype).removeprefix("torch."), "I64"), tuple(tensor.shape), 0, 0)
            for name, tensor in tensors.items()
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to close: the tensors go with this object."""

    def into(self, name: str, rows: slice, make: Any) -> torch.Tensor:
        """As `SafetensorsFile.into`."""
        tensor = self._tensors[name]
        return make(tensor[rows] if tensor.dim() else tensor)


TensorFile = SafetensorsFile | PickleFile


def open_tensors(path: Path, allow_pickle: bool = False) -> TensorFile:
    """The file at `path` by its kind; a pickle only where `allow_pickle` is set."""
    if path.suffix.lower() in PICKLES and not _starts_like_safetensors(path):
        if not allow_pickle:
            raise BaseModelError(
                f"{path} is a pickle, which can carry programs; give the safetensors file of that model, or {READ_PICKLES}."
            )
        return PickleFile(path)
    return SafetensorsFile(path)


def _starts_like_safetensors(path: Path) -> bool:
    """Whether a file with a pickle's suffix is a safetensors file after all: some sites rename them."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise BaseModelError(f"{path} cannot be read ({error.strerror or error}); give the file of a base model.") from error
    return len(start) == 9 and start[8:] == b"{" and start[4:8] == b"\0\0\0\0"
