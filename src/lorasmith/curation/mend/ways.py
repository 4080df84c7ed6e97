"""The ways to mend a picture: a look at it that gives the step to take, or the reason why none is needed.

A new way is a function and its row in `WAYS`. Its keyword arguments are the parameters of a `MendChange`, by which a command, a page or
a finding asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from lorasmith.curation.mend.steps import WHITE, Clean, Convert, Crop, Cut, Flatten, Flip, Resize, Rotate, Step, Upscale, Upscalers, opened
from lorasmith.images.crop import Box, about_subject, inside_bars, inside_margins
from lorasmith.images.heads import heads_in
from lorasmith.images.read import OPAQUE, read_opacity
from lorasmith.images.sheets import views_on_sheet
from lorasmith.images.upscale import size_from, size_within

LONGEST = 8192
"""Pixels of the longest side that enlarging may lead to."""


@dataclass
class Look:
    """A picture as it is looked at: its file, and its pixels after the steps so far."""

    path: Path
    picture: Image.Image
    steps: list[Step]
    upscalers: Upscalers

    @property
    def pixels(self) -> np.ndarray:
        return np.asarray(self.picture)


def bars(look: Look) -> Step | str:
    box = inside_bars(look.pixels)
    return "it has no letterbox bars" if box is None else Crop(box=box, why="bars")


def trim(look: Look) -> Step | str:
    box = inside_margins(look.pixels)
    return "it has no wide even margins" if box is None else Crop(box=box, why="margins")


def subject(look: Look) -> Step | str:
    """All that differs from an even ground; where a head may be, it stays whole."""
    opacity = None if look.steps else opacity_of(look.path)
    box = about_subject(look.pixels, opacity)
    if box is not None and (heads := heads_in(look.pixels)):
        box = about_subject(look.pixels, opacity, heads)
    return "no subject stands out clearly from an even ground" if box is None else Crop(box=box, why="to the subject")


def crop(look: Look, *, box: Box) -> Step | str:
    """`box`: left, top, right, bottom in pixels."""
    left, top, right, bottom = box
    inside = (max(0, left), max(0, top), min(look.picture.width, right), min(look.picture.height, bottom))
    if inside[2] - inside[0] < 1 or inside[3] - inside[1] < 1:
        return f"the box is outside its {look.picture.width} x {look.picture.height} pixels"
    return "the box is all of it" if inside == (0, 0, *look.picture.size) else Crop(box=inside)


def cut(look: Look) -> Step | str:
    boxes = views_on_sheet(look.pixels)
    return Cut(boxes=tuple(boxes)) if boxes else "it is not a sheet of several views on an even ground"


def rotate(look: Look, *, degrees: int) -> Step | str:
    """`degrees`: 90, 180 or 270, clockwise."""
    return Rotate.model_validate({"degrees": degrees})


def flip(look: Look, *, way: str = "horizontal") -> Step | str:
    return Flip.model_validate({"way": way})


def clean(look: Look, *, way: str = "filter") -> Step | str:
    return Clean.model_validate({"way": way})


def upscale(look: Look, *, pixels: int, network: str | Path | None = None) -> Step | str:
    """Until the shorter side has `pixels`, with the network in this file or with Lanczos."""
    size = size_from(look.picture.size, pixels)
    if size == look.picture.size:
        return f"no side is under {pixels} pixels"
    if max(size) > LONGEST:
        return f"it is so thin that enlarging would make it {size[0]} x {size[1]} pixels: crop it first"
    if network is None:
        return Resize(size=size)
    return Upscale(size=size, network=str(network), content=opened(str(network), look.upscalers).content)


def scale_down(look: Look, *, pixels: int) -> Step | str:
    """Until the longer side has `pixels`."""
    size = size_within(look.picture.size, pixels)
    return f"no side is over {pixels} pixels" if size == look.picture.size else Resize(size=size)


def flatten(look: Look, *, background: tuple[int, int, int] = WHITE) -> Step | str:
    """`background`: red, green, blue; 0-255."""
    return "nothing in it is transparent" if opacity_of(look.path) is None else Flatten(background=background)


def convert(look: Look, *, to: str) -> Step | str:
    suffix = look.path.suffix.lower().replace(".jpeg", ".jpg")
    return f"it is {to} already" if suffix == f".{to}" and not look.steps else Convert.model_validate({"to": to})


WAYS: Mapping[str, Callable[..., Step | str]] = {
    "bars": bars,
    "trim": trim,
    "subject": subject,
    "crop": crop,
    "cut": cut,
    "rotate": rotate,
    "flip": flip,
    "clean": clean,
    "upscale": upscale,
    "max": scale_down,
    "flatten": flatten,
    "convert": convert,
}
"""What users ask for -> the look at a picture. Several are done in this order."""

FOR_CHOSEN_PICTURES = ("crop", "rotate", "flip", "clean", "remove", "subject")
"""Ways that a person decides on for each picture: they do something to every one, or can be wrong about what matters in it."""


def opacity_of(path: Path) -> np.ndarray | None:
    """Opacity of each pixel, 0-255, upright; None where the picture is opaque throughout. Raises DatasetError if it cannot be read."""
    opacity = read_opacity(path)
    if opacity is None:
        return None
    alpha = np.asarray(opacity)
    return alpha if (alpha < OPAQUE).any() else None
