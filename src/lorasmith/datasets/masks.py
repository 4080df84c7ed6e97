"""Masks: which parts of a picture count in the loss.

A mask is a grey picture beside its picture (`cat-masklabel.png` for `cat.jpg`) or under the picture's name in a folder of masks, or the
picture's own transparency: white counts, black does not, grey counts in part. It goes the picture's own way into the bucket (resized to
cover it, cropped, mirrored), and from there to the latent's cells, each of which counts as much as its pixels do on average. Of a picture
with several masks a pixel counts as much as the product of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageChops

from lorasmith.dataset_folder import MASK_ENDING, is_picture, mask_beside, walk
from lorasmith.datasets.buckets import Fit, Size
from lorasmith.datasets.folders import DECODERS, Picture, folder_finding
from lorasmith.datasets.settings import DatasetSettings
from lorasmith.errors import DatasetError
from lorasmith.findings import Finding
from lorasmith.images.looks import Look, look_at
from lorasmith.images.picture_cache import PictureCache
from lorasmith.images.read import read_opacity, read_picture

if TYPE_CHECKING:
    import torch

SHAPES_DIFFER = 0.02
"""Share by which a mask's aspect may differ from its picture's."""


@dataclass(frozen=True)
class Mask:
    """Where a mask of a picture is; `content` is the hash of that file's bytes."""

    path: Path
    content: str
    is_alpha: bool
    """Whether it is the transparency of `path`, not its grey."""


def masks_content(masks: Sequence[Mask]) -> str:
    """What the masks of a picture are, for records: the hashes of their files."""
    return " ".join(mask.content for mask in masks)


def mask_in_bucket(masks: Sequence[Mask], fit: Fit) -> Image.Image:
    """What counts of a picture as it trains, mode L, in pixels of the bucket; a mask smaller or larger than its picture is scaled with it.

    Raises DatasetError where a file cannot be read.
    """
    return reduce(ImageChops.multiply, (_one_in_bucket(mask, fit) for mask in masks))


def _one_in_bucket(mask: Mask, fit: Fit) -> Image.Image:
    grey = _grey(mask.path, mask.is_alpha)
    if grey is None:
        raise DatasetError(f"{mask.path} has no transparency that could be its mask: save it with an alpha channel.")
    return _in_bucket(grey, fit)


def _grey(path: Path, is_alpha: bool) -> Image.Image | None:
    return read_opacity(path) if is_alpha else read_picture(path, background=(0, 0, 0)).convert("L")


def _in_bucket(grey: Image.Image, fit: Fit) -> Image.Image:
    if grey.size != fit.resized:
        grey = grey.resize(fit.resized, Image.Resampling.BILINEAR)
    left, top = fit.crop
    return grey.crop((left, top, left + fit.bucket[0], top + fit.bucket[1]))


def mask_cells(masks: Sequence[Mask], fit: Fit, cells: Size) -> torch.Tensor:
    """float32 (1, height, width) of 0-1: how much each of the latent's cells, (width, height) of them, counts."""
    import torch

    pixels = torch.from_numpy(np.array(mask_in_bucket(masks, fit))).float() / 255
    return torch.nn.functional.interpolate(pixels[None, None], size=(cells[1], cells[0]), mode="area")[0]


def find_masks(
    pictures: Sequence[Picture], fits: Sequence[Fit], dataset: DatasetSettings, findings: list[Finding], cache: str | Path | None = None
) -> dict[Path, tuple[Mask, ...]]:
    """Picture -> its masks. One that is missing or cannot be used is named by a finding, and the picture counts without it.

    `cache` is the folder that keeps what was decoded before, as in `open_folder`.

    A picture of which nothing would count is left out, with an error among the findings. Raises DatasetError where there is no folder of masks.
    """
    if dataset.mask_path is not None and not dataset.mask_path.is_dir():
        raise DatasetError(f"The folder of masks {dataset.mask_path} does not exist: give the one with the masks of {dataset.path}.")
    files = {} if dataset.mask_path is None else _files_by_place(dataset.mask_path)
    beside = _beside(pictures) if dataset.masked_loss else {}
    if not (dataset.alpha_mask or dataset.mask_path is not None or beside):
        return {picture.path: () for picture in pictures}
    with PictureCache(cache) as known, ThreadPoolExecutor(DECODERS) as pool:
        looks = list(pool.map(lambda pair: _masks_of(pair[0], pair[1], dataset, files, beside, known), zip(pictures, fits, strict=True)))
    found: dict[Path, tuple[Mask, ...]] = {}
    for picture, (masks, wrong) in zip(pictures, looks, strict=True):
        findings += wrong
        if not any(finding.severity == "error" for finding in wrong):
            found[picture.path] = masks
    used = {file for picture in pictures if (file := _file_of(picture, files, dataset)) is not None}
    for file in sorted({file for file in files.values() if file not in used}):
        message = f"{file} masks no picture of {dataset.path}."
        fix = "Give it the name of its picture, or delete it."
        findings.append(folder_finding("mask_without_picture", Path(dataset.path), file, message, fix, about="file"))
    return found


Files = dict[tuple[str, str], Path]
"""(folder below the masks' folder, stem) -> file"""


def _files_by_place(root: Path) -> Files:
    """The masks in a folder and in the folders inside it."""
    found: Files = {}
    for place, names in walk(root, depth=1, through_links=True):
        for name in filter(is_picture, names):
            file = root / place / name
            found.setdefault((place, file.stem), file)
    return found


def _beside(pictures: Sequence[Picture]) -> dict[Path, Path]:
    """Picture -> the mask beside it, of those that have one; each folder is listed once."""
    folders = {os.path.dirname(picture.path) for picture in pictures}
    masks = {Path(folder, name) for folder in folders for name in os.listdir(folder) if MASK_ENDING in name}
    return {picture.path: mask for picture in pictures if (mask := mask_beside(picture.path)) in masks} if masks else {}


def _file_of(picture: Picture, files: Files, dataset: DatasetSettings) -> Path | None:
    """In the folder of masks a picture's mask is where the picture is in its own folder, or straight in it."""
    below = picture.path.parent.relative_to(dataset.path).as_posix()
    return files.get((below, picture.path.stem)) or files.get(("", picture.path.stem))


@dataclass(frozen=True)
class _MaskSeen:
    """What a file is as a mask."""

    size: Size | None
    """Width and height; None where it knows no transparency that could be one."""
    counts: bool
    """Whether anything counts of what is trained on."""


def _mask_look(is_alpha: bool, fit: Fit) -> Look[_MaskSeen]:
    """The look at a mask for one way into the bucket."""

    def learn(path: Path, content: str) -> _MaskSeen:
        grey = _grey(path, is_alpha)
        return _MaskSeen(None, False) if grey is None else _MaskSeen(grey.size, bool(np.asarray(_in_bucket(grey, fit)).any()))

    kind = f"mask 1, {'alpha' if is_alpha else 'grey'}, {fit.bucket} of {fit.resized} at {fit.crop}"
    return Look(kind, learn, lambda seen: {kind: json.dumps([seen.size, seen.counts]).encode()}, _mask_recalled)


def _mask_recalled(row: bytes) -> _MaskSeen:
    size, counts = json.loads(row)
    return _MaskSeen(None if size is None else (size[0], size[1]), counts)


def _masks_of(
    picture: Picture, fit: Fit, dataset: DatasetSettings, files: Files, beside: Mapping[Path, Path], cache: PictureCache
) -> tuple[tuple[Mask, ...], list[Finding]]:
    """The masks of a picture, and what is wrong with them."""
    looks = list(_masks_and_faults(picture, fit, dataset, files, beside, cache))
    masks = tuple(one for one in looks if isinstance(one, Mask))
    wrong = [one for one in looks if isinstance(one, Finding)]
    if len(masks) > 1 and not wrong and not np.asarray(mask_in_bucket(masks, fit)).any():
        wrong.append(
            _nothing_counts(picture, dataset, f"has masks that leave nothing between them ({', '.join(str(m.path) for m in masks)})")
        )
    return masks, wrong


def _masks_and_faults(
    picture: Picture, fit: Fit, dataset: DatasetSettings, files: Files, beside: Mapping[Path, Path], cache: PictureCache
) -> Iterator[Mask | Finding]:
    """Each mask that a picture has or should have, or what is wrong with it."""
    if dataset.alpha_mask:
        yield _look(picture, picture.path, fit, dataset, cache)
    if dataset.mask_path is not None:
        file = _file_of(picture, files, dataset)
        if file is None:
            message = f"{picture.path} has no mask in {dataset.mask_path}, so all of it counts."
            yield folder_finding("mask_missing", Path(dataset.path), picture.path, message, f"Add {picture.path.stem}.png there.")
        else:
            yield _look(picture, file, fit, dataset, cache)
    if picture.path in beside:
        yield _look(picture, beside[picture.path], fit, dataset, cache)


def _look(picture: Picture, file: Path, fit: Fit, dataset: DatasetSettings, cache: PictureCache) -> Mask | Finding:
    """The mask of a picture in a file, or what is wrong with it."""
    root, is_alpha = Path(dataset.path), file == picture.path
    seen = look_at(file, _mask_look(is_alpha, fit), cache)
    if seen.value is None:
        fix = "Until then all of it counts." if is_alpha else f"Until then all of {picture.path.name} counts."
        return folder_finding("mask_does_not_fit", root, file, seen.problem, fix, about="picture" if is_alpha else "file")
    if seen.value.size is None:
        message = f"{picture.path} has no transparency to be its mask, so all of it counts."
        fix = "Cut the subject out, or move the picture to a folder without alpha_mask."
        return folder_finding("mask_missing", root, picture.path, message, fix)
    width, height = seen.value.size
    if abs(width / height / (picture.size[0] / picture.size[1]) - 1) > SHAPES_DIFFER:
        message = (
            f"{file} is {width} x {height} and its picture {picture.size[0]} x {picture.size[1]}, so it cannot be its mask, and all of the "
            "picture counts."
        )
        return folder_finding("mask_does_not_fit", root, file, message, "Make the mask as large as the picture.", about="file")
    if not seen.value.counts:
        return _nothing_counts(picture, dataset, "is wholly transparent" if is_alpha else f"has a mask that is all black ({file})")
    return Mask(file, seen.content, is_alpha)


def _nothing_counts(picture: Picture, dataset: DatasetSettings, what: str) -> Finding:
    message = f"{picture.path} {what} where it is trained on, so nothing of it would count, and it is left out."
    return folder_finding(
        "mask_empty", Path(dataset.path), picture.path, message, "Correct the mask, or delete the picture.", left_out=True
    )
