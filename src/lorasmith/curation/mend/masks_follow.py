"""A picture's mask follows it: what is cropped, turned, scaled or cut is so in both, and what is erased is black in the mask."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from lorasmith.curation.mend.steps import Step, apply_all_to_mask
from lorasmith.dataset_folder import PICTURE_SUFFIXES, mask_beside
from lorasmith.datasets.masks import SHAPES_DIFFER
from lorasmith.errors import DatasetError
from lorasmith.images.read import read_picture

EVERYTHING_COUNTS = (255, 255)
"""The darkest and the lightest grey of a mask that leaves nothing out."""


def masks_after(picture: Path, size: tuple[int, int], mask: Path | None, steps: tuple[Step, ...]) -> list[bytes | None]:
    """For each picture that the steps give, its mask as a PNG; None where all of it counts.

    `picture` is where the original was, `size` its width and height; `mask` keeps its mask, None where it has none.

    Raises:
        DatasetError: the mask cannot be read, or has another shape than its picture.
    """
    before = Image.new("L", size, 255) if mask is None else _as_large(read_picture(mask, background=(0, 0, 0)).convert("L"), size, picture)
    return [None if after.getextrema() == EVERYTHING_COUNTS else _png(after) for after in apply_all_to_mask(before, steps)]


def _as_large(mask: Image.Image, size: tuple[int, int], picture: Path) -> Image.Image:
    if abs(mask.width / mask.height / (size[0] / size[1]) - 1) > SHAPES_DIFFER:
        raise DatasetError(
            f"{mask_beside(picture)} is {mask.width} x {mask.height} pixels and its picture {size[0]} x {size[1]}, so it cannot follow it: "
            "make it as large as the picture, or remove it.",
            code="mend.mask_does_not_fit", file=str(mask_beside(picture)),
        )  # fmt: skip
    return mask if mask.size == size else mask.resize(size, Image.Resampling.BILINEAR)


def _png(mask: Image.Image) -> bytes:
    buffer = io.BytesIO()
    mask.save(buffer, "PNG")
    return buffer.getvalue()


def refuse_shared_mask(picture: Path, was: set[Path]) -> None:
    """A mask beside a picture is that of all pictures of its name: `cat.png` and `cat.jpg`. `was` are files that the picture replaces.

    Raises:
        DatasetError: there is another picture of this name.
    """
    for suffix in PICTURE_SUFFIXES:
        twin = picture.with_suffix(suffix)
        if twin != picture and twin not in was and twin.is_file():
            raise DatasetError(
                f"{twin.name} would have the mask of {picture.name}, too, since they have one name: rename one of them in {picture.parent}.",
                code="mend.mask_shared", file=str(twin),
            )  # fmt: skip
