"""Masks: which parts of a picture count in the loss.

A mask is the picture's own transparency, or a grey picture of the same name in a folder of masks: white counts, black does not, grey counts
in part. It goes the picture's own way into the bucket (resized to cover it, cropped, mirrored), and from there to the latent's cells, each
of which counts as much as its pixels do on average.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lorasmith.dataset_folder import is_picture, walk
from lorasmith.datasets.buckets import Fit, Size
from lorasmith.datasets.folders import DECODERS, Picture, folder_finding
from lorasmith.datasets.settings import DatasetSettings
from lorasmith.errors import DatasetError
from lorasmith.findings import Finding
from lorasmith.images.read import content_hash, read_opacity, read_picture

if TYPE_CHECKING:
    import torch

SHAPES_DIFFER = 0.02
"""Share by which a mask's aspect may differ from its picture's."""


@dataclass(frozen=True)
class Mask:
    """Where a picture's mask is; `content` is the hash of that file's bytes."""

    path: Path
    content: str
    is_alpha: bool
    """Whether it is the transparency of `path`, not its grey."""


def mask_in_bucket(mask: Mask, fit: Fit) -> Image.Image:
    """The mask as its picture trains, mode L, in pixels of the bucket; a mask smaller or larger than its picture is scaled with it.

    Raises DatasetError where its file cannot be read.
    """
    grey = read_opacity(mask.path) if mask.is_alpha else read_picture(mask.path, background=(0, 0, 0)).convert("L")
    if grey is None:
        raise DatasetError(f"{mask.path} has no transparency that could be its mask: save it with an alpha channel.")
    if grey.size != fit.resized:
        grey = grey.resize(fit.resized, Image.Resampling.BILINEAR)
    left, top = fit.crop
    return grey.crop((left, top, left + fit.bucket[0], top + fit.bucket[1]))


def mask_cells(mask: Mask, fit: Fit, cells: Size) -> torch.Tensor:
    """float32 (1, height, width) of 0-1: how much each of the latent's cells, (width, height) of them, counts."""
    import torch

    pixels = torch.from_numpy(np.array(mask_in_bucket(mask, fit))).float() / 255
    return torch.nn.functional.interpolate(pixels[None, None], size=(cells[1], cells[0]), mode="area")[0]


def find_masks(
    pictures: Sequence[Picture], fits: Sequence[Fit], dataset: DatasetSettings, findings: list[Finding]
) -> dict[Path, Mask | None]:
    """Picture -> its mask, None where it has none that can be used: it then counts whole, and a finding says so.

    A picture of which nothing would count is left out, with an error among the findings. Raises DatasetError where there is no folder of masks.
    """
    if dataset.mask_path is not None and not dataset.mask_path.is_dir():
        raise DatasetError(f"The folder of masks {dataset.mask_path} does not exist: give the one with the masks of {dataset.path}.")
    files = {} if dataset.mask_path is None else _files_by_place(dataset.mask_path)
    with ThreadPoolExecutor(DECODERS) as pool:
        looks = list(pool.map(lambda pair: _look(pair[0], pair[1], dataset, files), zip(pictures, fits, strict=True)))
    found: dict[Path, Mask | None] = {}
    used: set[Path] = set()
    for picture, (mask, finding) in zip(pictures, looks, strict=True):
        if finding is not None:
            findings.append(finding)
        if finding is None or finding.severity != "error":
            found[picture.path] = mask
        file = _file_of(picture, dataset, files)
        if file is not None:
            used.add(file)
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


def _file_of(picture: Picture, dataset: DatasetSettings, files: Files) -> Path | None:
    """In the folder of masks a picture's mask is where the picture is in its own folder, or straight in it."""
    below = picture.path.parent.relative_to(dataset.path).as_posix()
    return files.get((below, picture.path.stem)) or files.get(("", picture.path.stem))


def _look(picture: Picture, fit: Fit, dataset: DatasetSettings, files: Files) -> tuple[Mask | None, Finding | None]:
    """The mask of a picture, or what is wrong with it."""
    root = Path(dataset.path)
    if dataset.alpha_mask:
        try:
            opacity = read_opacity(picture.path)
        except DatasetError as error:
            return None, folder_finding("mask_does_not_fit", root, picture.path, str(error), "Until then all of it counts.")
        if opacity is None:
            message = f"{picture.path} has no transparency to be its mask, so all of it counts."
            fix = "Cut the subject out, or move the picture to a folder without alpha_mask."
            return None, folder_finding("mask_missing", root, picture.path, message, fix)
        mask = Mask(picture.path, picture.content, is_alpha=True)
    else:
        file = _file_of(picture, dataset, files)
        if file is None:
            message = f"{picture.path} has no mask in {dataset.mask_path}, so all of it counts."
            return None, folder_finding("mask_missing", root, picture.path, message, f"Add {picture.path.stem}.png there.")
        try:
            width, height = read_picture(file).size
            mask = Mask(file, content_hash(file), is_alpha=False)
        except DatasetError as error:
            fix = f"Until then all of {picture.path.name} counts."
            return None, folder_finding("mask_does_not_fit", root, file, str(error), fix, about="file")
        if abs(width / height / (picture.size[0] / picture.size[1]) - 1) > SHAPES_DIFFER:
            message = (
                f"{file} is {width} x {height} and its picture {picture.size[0]} x {picture.size[1]}, so it cannot be its mask, and all of the "
                "picture counts."
            )
            return None, folder_finding("mask_does_not_fit", root, file, message, "Make the mask as large as the picture.", about="file")
    if not np.asarray(mask_in_bucket(mask, fit)).any():
        whose = "is wholly transparent" if mask.is_alpha else f"has a mask that is all black ({mask.path})"
        message = f"{picture.path} {whose} where it is trained on, so nothing of it would count, and it is left out."
        return None, folder_finding("mask_empty", root, picture.path, message, "Correct the mask, or delete the picture.", left_out=True)
    return mask, None
