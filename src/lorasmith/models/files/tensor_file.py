"""A file of tensors as others made it: data, never code, and read no further than asked.

`SafetensorsFile` hands out tensors through a memory map, whose pages it gives back after each; its header is checked before
(see `safetensors_header`). `PickleFile` reads a .ckpt, .pt or .bin by torch's weights-only unpickler, and is used on request alone.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from lorasmith.errors import TensorFileError
from lorasmith.safetensors_header import TYPES, Entry, looks_like_safetensors, read_header, shown

if TYPE_CHECKING:
    import torch

PICKLES = (".ckpt", ".pt", ".pth", ".bin")
_MOST_NESTED = 4  # a state_dict in a state_dict in ...; a hostile file can contain itself


class SafetensorsFile:
    """A safetensors file, mapped into memory while it is open; who opens it once more, inside, uses the same map."""

    def __init__(self, path: Path):
        self.path = path
        header = read_header(path)
        self.entries, self.metadata = header.entries, header.metadata
        self._opened = 0

    def __enter__(self) -> Self:
        if not self._opened:
            with self.path.open("rb") as file:
                # A private copy-on-write map: torch asks for writable memory, which is never written.
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        self._opened += 1
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._opened -= 1
        if not self._opened:
            with contextlib.suppress(BufferError):  # an error's traceback still holds a tensor over the map; it closes with that
                self._map.close()

    def into(self, name: str, rows: slice, make: Any) -> torch.Tensor:
        """`make(tensor)` of the rows of one tensor; what `make` returns must be a copy, because the pages are released."""
        import torch

        entry = self.entries[name]
        if not TYPES[entry.dtype][0]:
            raise TensorFileError(self.path, f"has {shown(name)} in {entry.dtype}, which is not read here", "save it in fp32, fp16 or bf16")
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
            raise TensorFileError(path, f"cannot be read as weights alone ({reason})") from error
        for _ in range(_MOST_NESTED):
            if isinstance(tree, dict) and isinstance(tree.get("state_dict"), dict):
                tree = tree["state_dict"]
        tensors = {str(k): v for k, v in tree.items() if isinstance(v, torch.Tensor)} if isinstance(tree, dict) else {}
        if not tensors:
            raise TensorFileError(path, "has no tensors", case="empty")
        for name, tensor in tensors.items():
            if tensor.layout is not torch.strided or tensor.nbytes > tensor.untyped_storage().nbytes():
                raise TensorFileError(path, f"is damaged: {shown(name)} has more numbers by its shape than there are", "download it again")
        self._tensors = tensors
        self.entries = {name: Entry(_type_of(path, name, tensor), tuple(tensor.shape), 0, 0) for name, tensor in tensors.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to close: the tensors go with this object."""

    def into(self, name: str, rows: slice, make: Any) -> torch.Tensor:
        """As `SafetensorsFile.into`."""
        tensor = self._tensors[name]
        return make(tensor[rows] if tensor.dim() else tensor)


def _type_of(path: Path, name: str, tensor: torch.Tensor) -> str:
    """safetensors' name of a tensor's type. Raises TensorFileError where it has none."""
    dtype = str(tensor.dtype).removeprefix("torch.")
    if (found := _TYPES_OF_TORCH.get(dtype)) is None:
        raise TensorFileError(
            path, f"has {shown(name)} in numbers of the type {dtype}, which are not read", "save it in fp32, fp16 or bf16"
        )
    return found


_TYPES_OF_TORCH = {of_torch: name for name, (of_torch, _) in TYPES.items() if of_torch}

TensorFile = SafetensorsFile | PickleFile


def open_tensors(path: Path, allow_pickle: bool = False) -> TensorFile:
    """The file at `path` by its content; a pickle only where `allow_pickle` is set. Raises TensorFileError where it cannot be read."""
    if not is_pickle(path):
        return SafetensorsFile(path)
    if not allow_pickle:
        raise TensorFileError(path, "is a pickle, which can carry programs", case="pickle")
    return PickleFile(path)


def is_pickle(path: Path) -> bool:
    """Whether a file is a pickle by its name or its first bytes; some sites rename safetensors files, and some pickles."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise TensorFileError(path, f"cannot be read ({error.strerror or error})", case="unreadable") from error
    return not looks_like_safetensors(start) and (path.suffix.lower() in PICKLES or start.startswith((b"PK\x03\x04", b"\x80\x02")))
