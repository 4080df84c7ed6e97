"""The files that hold the weights of one part, and their headers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lorasmith.errors import BaseModelError, TensorFileError
from lorasmith.models.files.tensor_file import open_tensors
from lorasmith.pages.numbers import count
from lorasmith.safetensors_header import Header

INDEXES = ("model_index.json", "modular_model_index.json")
"""The file in which a diffusers folder names its pipeline: a whole one, or one that is put together from blocks."""
READ_PICKLES = "read it as weights alone: base.allow_pickle in settings, --allow-pickle on the command line"
"""What to do about a pickle that is not read, in a sentence."""


@contextmanager
def files_of_a_base() -> Iterator[None]:
    """Within, a file of tensors that cannot be read is a BaseModelError, which says what to give."""
    try:
        yield
    except TensorFileError as error:
        pickles = f"give the safetensors file of that model, or {READ_PICKLES}"
        raise error.wanted(BaseModelError, "base", pickles if error.case == "pickle" else "give the file of a base model") from error


def header_of(path: Path, allow_pickle: bool) -> Header:
    """The tensors and metadata of a file, without their numbers."""
    with files_of_a_base():
        file = open_tensors(path, allow_pickle)
        return Header(file.entries, file.metadata)


def index_of(folder: Path) -> Path | None:
    """The file in which a diffusers folder names its pipeline; None where it has none."""
    return next((folder / name for name in INDEXES if (folder / name).is_file()), None)


def read_json(path: Path) -> dict[str, Any]:
    """A small config file; raises BaseModelError where it is missing or damaged."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BaseModelError(f"{path} cannot be read ({error.strerror or error}); download the base again.") from error
    except (ValueError, RecursionError) as error:
        raise BaseModelError(f"{path} is damaged (no JSON); download the base again.") from error
    if not isinstance(tree, dict):
        raise BaseModelError(f"{path} is damaged (no table of settings); download the base again.")
    return tree


def weight_files(folder: Path, allow_pickle: bool = False) -> tuple[Path, ...]:
    """The files with the weights of one part of a diffusers folder, one or its shards.

    Where a folder has the weights in half precision too (`.fp16.`), those are read: half the bytes, and what the single files in
    circulation hold.
    """
    for stem in ("diffusion_pytorch_model", "model", "pytorch_model"):
        for variant in (".fp16", ""):
            whole = folder / f"{stem}{variant}.safetensors"
            if whole.is_file():
                return (whole,)
            for index in (folder / f"{stem}.safetensors.index{variant}.json", folder / f"{stem}{variant}.safetensors.index.json"):
                if index.is_file():
                    return _shards(folder, index)
    pickles = [f for stem in ("diffusion_pytorch_model", "pytorch_model") if (f := folder / f"{stem}.bin").is_file()]
    if pickles:
        if allow_pickle:
            return (pickles[0],)
        raise BaseModelError(
            f"{folder} has its weights as a pickle alone ({pickles[0].name}), which can carry programs; give a base with safetensors files, or {READ_PICKLES}."
        )
    raise BaseModelError(f"{folder} has no file of weights; download the base again.")


def _shards(folder: Path, index: Path) -> tuple[Path, ...]:
    table = read_json(index).get("weight_map")
    names = sorted({str(name) for name in table.values()}) if isinstance(table, dict) else []
    if not names or any(Path(name).name != name for name in names):
        raise BaseModelError(f"{index} does not name the files of the weights beside it; download the base again.")
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:
        raise BaseModelError(
            f"{folder} lacks {absent[0]} ({len(absent):,} of {count(len(names), 'file')} {'is' if len(absent) == 1 else 'are'} absent); download the base again."
        )
    return tuple(folder / name for name in names)
