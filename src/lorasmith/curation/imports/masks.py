"""The masks that come with pictures, by the habits of other trainers; in the dataset each is beside its picture, `cat-masklabel.png`.

    OneTrainer                     cat.jpg and cat-masklabel.png
    ai-toolkit, our own exports    img/10_anna/cat.jpg and masks/10_anna/cat.png, or cat.jpg and masks/cat.png
    sd-scripts' dataset TOML       a subset's `conditioning_data_dir`, for --masked_loss

A picture in a folder `masks` is one only where it is grey and has the name of a picture that the folder can be the masks of: masks may be
what a LoRA is of. One that is white all over leaves nothing out, so it is none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
from PIL import Image

from lorasmith.curation.imports.source import FoundPicture, SourceFile, label, left_out
from lorasmith.dataset_folder import MASK_ENDING, MASKS_ARE_BESIDE
from lorasmith.errors import DatasetError
from lorasmith.findings import Finding

MASK_FOLDERS = ("mask", "masks")
PICTURE_FOLDERS = ("img", "image", "images")
"""What a folder beside one of masks may be called."""

COLOURLESS = 16
"""How far the channels of a grey picture may differ; a JPEG's do by a few."""

_Place = tuple[tuple[str, ...], str]
"""Folders and the name without its suffix, in lower case."""


def give_masks(pictures: list[FoundPicture], labels: Mapping[str, SourceFile], root: str, left: list[Finding]) -> list[FoundPicture]:
    """Give pictures their masks; those that are no masks themselves come back.

    `labels` are files named as masks or conditioning pictures (`dataset_folder.is_label`). What belongs to no picture goes to `left`.
    """
    by_place: dict[_Place, list[FoundPicture]] = defaultdict(list)
    for picture in pictures:
        by_place[_place(picture.name)].append(picture)
    in_folders = {
        picture.name: masked
        for picture in pictures
        if (masked := [one for place in _could_mask(picture.name) for one in by_place.get(place, ())])
        and _look(_file_of(picture)) != "coloured"
    }
    train = [picture for picture in pictures if picture.name not in in_folders]
    for picture in pictures:
        for one in in_folders.get(picture.name, ()):
            _give(one, _file_of(picture))
    for name, file in labels.items():
        folders, stem = _place(name)
        own = by_place.get((folders, stem.removesuffix(MASK_ENDING)), ()) if stem.endswith(MASK_ENDING) else ()
        for one in own:
            one.mask = file
        if not own:
            shown = label(root, name)
            message = f"{shown} is by its name a mask or conditioning picture, and no picture beside it has it as its mask."
            left.append(left_out("mask", shown, message, MASKS_ARE_BESIDE))
    return train


def masks_from_folder(pictures: Iterable[FoundPicture], files: Iterable[SourceFile], folder: str, left: list[Finding]) -> None:
    """Give pictures their masks of a folder that says it has them, by their names; what is not grey goes to `left`."""
    by_stem: dict[str, SourceFile] = {_place(file.name)[1]: file for file in files}
    for picture in pictures:
        file = by_stem.get(_place(picture.name)[1])
        if file is None:
            continue
        if _look(file) == "coloured":
            message = f"{folder}/{file.name} is no grey picture, so it is not the mask of {picture.source}."
            left.append(left_out("mask", f"{folder}/{file.name}", message, "Save it in grey if it is one."))
        else:
            _give(picture, file)


def _file_of(picture: FoundPicture) -> SourceFile:
    return SourceFile(picture.name, picture.open, picture.path, picture.sequential)


def _give(picture: FoundPicture, file: SourceFile) -> None:
    if _look(file) == "grey":
        picture.mask = file


def _place(name: str) -> _Place:
    path = PurePosixPath(name)
    return tuple(part.casefold() for part in path.parts[:-1]), path.stem.casefold()


def _could_mask(name: str) -> list[_Place]:
    """Where the picture of a mask in a folder of masks can be: around that folder, or in one of pictures beside it."""
    folders, stem = _place(name)
    return [
        ((*folders[:at], *instead, *folders[at + 1 :]), stem)
        for at, folder in enumerate(folders)
        if folder in MASK_FOLDERS
        for instead in ((), *((one,) for one in PICTURE_FOLDERS))
    ]


def _look(file: SourceFile) -> Literal["grey", "white", "coloured"]:
    """What a file is as a mask; one that cannot be read is `coloured`."""
    try:
        with file.open() as stream, Image.open(stream) as image:
            image.draft("RGB", (256, 256))
            image.thumbnail((256, 256), Image.Resampling.BOX)
            painted = image.convert("RGBA")
            pixels = np.asarray(Image.alpha_composite(Image.new("RGBA", painted.size, "black"), painted))[..., :3]
    except (DatasetError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return "coloured"
    if int(np.ptp(pixels, axis=2).max()) > COLOURLESS:
        return "coloured"
    return "white" if int(pixels.min()) == 255 else "grey"
