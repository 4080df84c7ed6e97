"""Taggers: an ONNX network and a list of tags. A descriptor says how pictures are prepared, see `tagger_descriptor`.

Most taggers have the format of the WD models. Input: float32 (n, height, width, 3), BGR, 0-255; the picture on a white square, resized
bicubically. Output: one probability per row of `selected_tags.csv` (`tag_id,name,category,count`; category
0 general, 4 character, 9 rating).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lorasmith.captions.caption import plain_tag
from lorasmith.captions.taggers.model_folder import model_folder
from lorasmith.captions.taggers.tagger_descriptor import (
    DESCRIPTORS,
    OWN_DESCRIPTOR,
    TaggerDescriptor,
    descriptor_from_hub_name,
    descriptor_of,
    files_of,
)
from lorasmith.errors import InputError
from lorasmith.pages.numbers import count

PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")


class Tagger:
    """A tagger opened from a folder. `names` and `categories` are in the order of the probabilities, `tags` are names with spaces."""

    def __init__(self, folder: str | Path, descriptor: TaggerDescriptor, threads: int = 0):
        import onnxruntime

        self.folder, self.descriptor = Path(folder), descriptor
        self.model = _file(self.folder, descriptor.model_files, descriptor)
        self.table = _file(self.folder, descriptor.tag_files, descriptor)
        self.names, self.categories = _read_table(self.table, descriptor)
        self.tags = tuple(plain_tag(name) for name in self.names)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        providers = [provider for provider in PROVIDERS if provider in onnxruntime.get_available_providers()]
        try:
            self._session = onnxruntime.InferenceSession(str(self.model), options, providers=providers)
        except Exception as error:  # the runtime has many exception classes of its own for a file that it cannot use
            raise InputError(
                f"{self.model} cannot be opened by ONNX Runtime ({_first_line(error)}): download it again.",
                code="tagger.not_readable", path=str(self.model),
            ) from error  # fmt: skip
        self._input = self._session.get_inputs()[0]
        self._layout, self.side = _layout_and_side(self._input.shape, descriptor, self.model)
        first = self._input.shape[0]
        self._fixed_batch: int | None = first if isinstance(first, int) and first > 0 else None
        self._output = _output_name([out.name for out in self._session.get_outputs()], descriptor, self.model)

    @cached_property
    def identity(self) -> str:
        """Hash (sha256, hex) of everything that determines the probabilities: the network, the table of tags, the descriptor."""
        digest = hashlib.sha256(self.descriptor.model_dump_json(exclude={"general_threshold", "character_threshold"}).encode())
        for file in (self.model, self.model.with_name(self.model.name + ".data"), self.table):
            if file.is_file():
                with file.open("rb") as stream:
                    digest.update(hashlib.file_digest(stream, "sha256").digest())
        return digest.hexdigest()

    def probabilities(self, pictures: Sequence[Image.Image], batch_size: int = 32) -> np.ndarray:
        """float32 (n, tags), 0-1, for RGB pictures of any size.

        Raises InputError where the network's output does not fit the descriptor.
        """
        if not pictures:
            return np.zeros((0, len(self.names)), np.float32)
        size = self._fixed_batch or batch_size
        return np.concatenate([self._run(pictures[first : first + size]) for first in range(0, len(pictures), size)])

    def _run(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        batch = np.stack([prepare(picture, self.side, self.descriptor) for picture in pictures])
        if self._layout == "nchw":
            batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        if self._fixed_batch and len(batch) < self._fixed_batch:  # the network takes full batches only: fill up, cut off again below
            batch = np.concatenate([batch, np.repeat(batch[-1:], self._fixed_batch - len(batch), axis=0)])
        if self._input.type == "tensor(float16)":
            batch = batch.astype(np.float16)
        raw = np.asarray(self._session.run([self._output], {self._input.name: batch})[0])[: len(pictures)].astype(np.float32)
        if raw.ndim != 2 or raw.shape[1] != len(self.names):
            raise InputError(
                f"{self.model} gives {raw.shape[1:]} numbers per picture, but {self.table} lists {count(len(self.names), 'tag')}: download both files again."
            )
        found = 1 / (1 + np.exp(-np.clip(raw, -80, 80))) if self.descriptor.activation == "sigmoid" else raw
        if not (np.isfinite(found).all() and found.min() >= -1e-4 and found.max() <= 1 + 1e-4):
            raise InputError(
                f"{self.model} gives numbers from {raw.min():.3g} to {raw.max():.3g}, which are not probabilities: choose a descriptor "
                'with activation = "sigmoid".'
            )
        return np.clip(found, 0, 1).astype(np.float32)


class WdTagger(Tagger):
    """A tagger in the format of the WD models, opened from a folder with `model.onnx` and `selected_tags.csv`."""

    def __init__(self, folder: str | Path, threads: int = 0):
        super().__init__(folder, DESCRIPTORS["wd"], threads)


def open_tagger(source: Path | str, descriptor: TaggerDescriptor | None = None, threads: int = 0) -> Tagger:
    """A tagger from a folder or a hub repository (`owner/name`, `owner/name/folder`); without a descriptor, the one that fits its files.

    Raises InputError where it cannot be found, downloaded or opened.
    """
    local = Path(os.path.expanduser(source)).is_dir()
    expected = descriptor or (None if local else descriptor_from_hub_name(str(source)))
    patterns = files_of(expected) if expected else ()
    folder = model_folder(source, patterns)
    return Tagger(folder, descriptor or descriptor_of(folder), threads)


def prepare(picture: Image.Image, side: int, descriptor: TaggerDescriptor) -> np.ndarray:
    """float32 (side, side, 3) as the descriptor's tagger expects it, for an RGB picture of any size."""
    how = Image.Resampling[descriptor.resample.upper()]
    square = picture
    if descriptor.fit == "pad":
        square = _padded(picture, max(picture.size), descriptor.padding)
    elif descriptor.fit == "shrink and pad":
        longest = max(picture.size)
        small = (max(1, side * picture.width // longest), max(1, side * picture.height // longest))
        square = _padded(picture if picture.size == small else picture.resize(small, how), side, descriptor.padding)
    if square.size != (side, side):
        square = square.resize((side, side), how)
    pixels = np.asarray(square, dtype=np.float32)
    if descriptor.channels == "bgr":
        pixels = pixels[:, :, ::-1]
    if (descriptor.white, descriptor.mean, descriptor.std) == (255.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)):
        return pixels
    scaled = pixels * np.float32(descriptor.white / 255)
    return (scaled - np.array(descriptor.mean, np.float32)) / np.array(descriptor.std, np.float32)


def _padded(picture: Image.Image, side: int, colour: tuple[int, int, int]) -> Image.Image:
    if picture.size == (side, side):
        return picture
    square = Image.new("RGB", (side, side), colour)
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return square


# -- the files of a tagger --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    name: str
    category: str


def _file(folder: Path, names: Sequence[str], descriptor: TaggerDescriptor) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise InputError(
        f"The tagger folder {folder} has no {' or '.join(names)}: give a folder with {descriptor.model_files[0]} and "
        f"{descriptor.tag_files[0]}, or another descriptor than {descriptor.name!r}.", code="tagger.missing_file", folder=str(folder),
    )  # fmt: skip


def _read_table(path: Path, descriptor: TaggerDescriptor) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and categories in the order of the network's output."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = _csv_rows(text) if descriptor.tag_format == "csv" else _json_rows(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} is not a table of tags in the format of {descriptor.name!r} ({_first_line(error)}): download it again."
        ) from error
    if not rows:
        raise InputError(f"{path} lists no tags: download it again.")
    known = descriptor.category_names
    return tuple(row.name for row in rows), tuple(known.get(row.category, row.category.lower()) for row in rows)


def _csv_rows(text: str) -> list[_Row]:
    rows = csv.DictReader(io.StringIO(text, newline=""))
    if not {"name", "category"} <= set(rows.fieldnames or ()):
        raise ValueError("it has no columns name and category")
    return [_Row(row["name"], row["category"]) for row in rows]


def _json_rows(content: Mapping[str, Any]) -> list[_Row]:
    """Of `{"0": {"tag": ..., "category": ...}}`, or of `idx_to_tag` and `tag_to_category`, also inside Camie's `dataset_info`."""
    if "dataset_info" in content:
        content = content["dataset_info"]["tag_mapping"]
    if "idx_to_tag" in content:
        names, of_tag = content["idx_to_tag"], content["tag_to_category"]
        return [_Row(names[str(i)], str(of_tag[names[str(i)]])) for i in range(len(names))]
    return [_Row(content[str(i)]["tag"], str(content[str(i)]["category"])) for i in range(len(content))]


def _layout_and_side(shape: Sequence[int | str | None], descriptor: TaggerDescriptor, model: Path) -> tuple[str, int]:
    if len(shape) != 4:
        raise InputError(f"{model} takes {len(shape)} dimensions instead of a batch of pictures: give a tagger.")
    layout = "nhwc" if shape[3] == 3 else "nchw" if shape[1] == 3 else descriptor.layout
    height, width = (shape[1], shape[2]) if layout == "nhwc" else (shape[2], shape[3])
    if isinstance(height, int) and isinstance(width, int):
        if height != width:
            raise InputError(
                f"{model} takes pictures of {width} x {height} pixels; but only square ones are supported: give another tagger."
            )
        return layout, height
    if descriptor.side is None:
        raise InputError(f"{model} does not fix the size of its pictures: write a descriptor ({OWN_DESCRIPTOR}) with side = its pixels.")
    return layout, descriptor.side


def _output_name(names: Sequence[str], descriptor: TaggerDescriptor, model: Path) -> str:
    if descriptor.output is None:
        return names[0]
    if descriptor.output not in names:
        raise InputError(
            f"{model} has no output {descriptor.output!r} (it has {', '.join(names)}): give a descriptor with the right output."
        )
    return descriptor.output


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
