"""The ways to mend a picture: a look at it that gives the step to take, or the reason why none is needed.

A new way is a function and its row in `WAYS`. Its keyword arguments are the parameters of a `MendChange`, by which a command, a page or
a finding asks for it; their types say which values they take (`parameters`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from PIL import Image
from pydantic import BeforeValidator, Field, WithJsonSchema

from lorasmith.curation.mend.steps import (
    WHITE,
    Clean,
    Convert,
    Crop,
    Cut,
    Erase,
    Flatten,
    Flip,
    Resize,
    Rotate,
    Step,
    Upscale,
    Upscalers,
    opened,
)
from lorasmith.errors import InputError
from lorasmith.images.crop import Box, about_subject, inside_bars, inside_margins
from lorasmith.images.erase import Method, Point
from lorasmith.images.heads import heads_in
from lorasmith.images.read import OPAQUE, read_opacity
from lorasmith.images.sheets import views_on_sheet
from lorasmith.images.upscale import size_from, size_within

LONGEST = 8192
"""Pixels of the longest side that enlarging may lead to."""

MOST_BOXES = 100
"""Pictures that one is cut into at most."""

Side = Annotated[int, Field(ge=16, le=16384)]
"""Pixels."""

Level = Annotated[int, Field(ge=0, le=255)]

MOST_REGIONS = 1000
"""Boxes, or polygons, that are erased at once at most."""

Regions = Annotated[tuple[Box, ...], Field(max_length=MOST_REGIONS)]

Polygon = Annotated[tuple[Point, ...], Field(min_length=3, max_length=10_000)]


def _from_base64(value: object) -> object:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else value
    except binascii.Error as error:
        raise ValueError("it is not base64") from error


Png = Annotated[
    bytes, BeforeValidator(_from_base64), WithJsonSchema({"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"})
]
"""The bytes of a PNG; where they come as JSON, in base64."""


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
    """Cut letterbox bars off."""
    box = inside_bars(look.pixels)
    return "it has no letterbox bars" if box is None else Crop(box=box, why="bars")


def trim(look: Look) -> Step | str:
    """Cut wide even margins off."""
    box = inside_margins(look.pixels)
    return "it has no wide even margins" if box is None else Crop(box=box, why="margins")


def subject(look: Look) -> Step | str:
    """Crop to all that differs from an even ground; where a head may be, it stays whole."""
    opacity = None if look.steps else opacity_of(look.path)
    box = about_subject(look.pixels, opacity)
    if box is not None and (heads := heads_in(look.pixels)):
        box = about_subject(look.pixels, opacity, heads)
    return "no subject stands out clearly from an even ground" if box is None else Crop(box=box, why="to the subject")


def crop(look: Look, *, box: Box) -> Step | str:
    """Crop to the `box`: left, top, right, bottom in pixels."""
    inside = _inside(box, look.picture)
    if inside is None:
        return f"the box is outside its {look.picture.width} x {look.picture.height} pixels"
    return "the box is all of it" if inside == (0, 0, *look.picture.size) else Crop(box=inside)


def cut(look: Look, *, boxes: Annotated[tuple[Box, ...], Field(min_length=2, max_length=MOST_BOXES)] | None = None) -> Step | str:
    """Cut into pictures: the `boxes` (left, top, right, bottom in pixels), or by default the views of a sheet."""
    if boxes is None:
        views = views_on_sheet(look.pixels)
        return Cut(boxes=tuple(views)) if views else "it is not a sheet of several views on an even ground"
    inside = tuple(found for box in boxes if (found := _inside(box, look.picture)) is not None)
    if len(inside) < len(boxes):
        return f"a box is outside its {look.picture.width} x {look.picture.height} pixels"
    return Cut(boxes=inside)


def erase(
    look: Look, *, boxes: Regions = (), polygons: Annotated[tuple[Polygon, ...], Field(max_length=MOST_REGIONS)] = (),
    painted: Png = b"", method: Method = "telea",
) -> Step | str:  # fmt: skip
    """Paint `boxes` (left, top, right, bottom in pixels), `polygons` and the white of a `painted` PNG over; training leaves them out."""
    if not (boxes or polygons or painted):
        raise InputError("'erase' needs a region: boxes, polygons or a painted PNG.", code="mend.wrong_parameters", way="erase")
    inside = tuple(found for box in boxes if (found := _inside(box, look.picture)) is not None)
    if len(inside) < len(boxes):
        return f"a box is outside its {look.picture.width} x {look.picture.height} pixels"
    step = Erase(boxes=inside, polygons=polygons, painted=base64.b64encode(painted).decode(), method=method)
    least, most = step.region(look.picture.size).getextrema()
    if most == 0:
        return "no pixel of it is in the region"
    return "the region is all of it, and nothing would be left to train on" if least else step


def _inside(box: Box, picture: Image.Image) -> Box | None:
    """The part of a box that is in the picture; None where no pixel is."""
    left, top, right, bottom = max(0, box[0]), max(0, box[1]), min(picture.width, box[2]), min(picture.height, box[3])
    return (left, top, right, bottom) if right > left and bottom > top else None


def rotate(look: Look, *, degrees: Literal[90, 180, 270]) -> Step | str:
    """Turn clockwise by these `degrees`."""
    return Rotate(degrees=degrees)


def flip(look: Look, *, way: Literal["horizontal", "vertical"] = "horizontal") -> Step | str:
    """Mirror; `horizontal` swaps left and right."""
    return Flip(way=way)


def clean(look: Look, *, way: Literal["filter", "down-up"] = "filter") -> Step | str:
    """Take fine noise away, as protections against training leave it."""
    return Clean(way=way)


def upscale(look: Look, *, pixels: Side, network: str | Path | None = None) -> Step | str:
    """Enlarge until the shorter side has `pixels`, with the network in this file or with Lanczos."""
    size = size_from(look.picture.size, pixels)
    if size == look.picture.size:
        return f"no side is under {pixels} pixels"
    if max(size) > LONGEST:
        return f"it is so thin that enlarging would make it {size[0]} x {size[1]} pixels: crop it first"
    if network is None:
        return Resize(size=size)
    return Upscale(size=size, network=str(network), content=opened(str(network), look.upscalers).content)


def scale_down(look: Look, *, pixels: Side) -> Step | str:
    """Scale down until the longer side has `pixels`."""
    size = size_within(look.picture.size, pixels)
    return f"no side is over {pixels} pixels" if size == look.picture.size else Resize(size=size)


def flatten(look: Look, *, background: tuple[Level, Level, Level] = WHITE) -> Step | str:
    """Put a `background` (red, green, blue; 0-255) behind a transparent picture."""
    return "nothing in it is transparent" if opacity_of(look.path) is None else Flatten(background=background)


def convert(look: Look, *, to: Literal["png", "jpg", "webp"]) -> Step | str:
    """Save as this kind of file."""
    suffix = look.path.suffix.lower().replace(".jpeg", ".jpg")
    return f"it is {to} already" if suffix == f".{to}" and not look.steps else Convert(to=to)


WAYS: Mapping[str, Callable[..., Step | str]] = {
    "erase": erase,
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

FOR_CHOSEN_PICTURES = ("erase", "crop", "rotate", "flip", "clean", "remove", "subject")
"""Ways that a person decides on for each picture: they do something to every one, or can be wrong about what matters in it."""

PLACES = ("box", "boxes", "polygons", "painted")
"""Parameters that are places in a picture, which are no use in another."""


def opacity_of(path: Path) -> np.ndarray | None:
    """Opacity of each pixel, 0-255, upright; None where the picture is opaque throughout. Raises DatasetError if it cannot be read."""
    opacity = read_opacity(path)
    if opacity is None:
        return None
    alpha = np.asarray(opacity)
    return alpha if (alpha < OPAQUE).any() else None
