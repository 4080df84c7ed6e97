"""What can be done to a picture: the steps of a recipe, each with the words for it and what becomes of the pixels.

Steps hold plain numbers (the box, not 'find the margins'), so that they give the same result again. A new one is a class and its place
in `Step`.
"""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from PIL import Image, ImageOps
from pydantic import BaseModel, ConfigDict, Field

from lorasmith.errors import DatasetError
from lorasmith.images.clean import clean_by_filters, clean_by_scaling
from lorasmith.images.crop import Box
from lorasmith.images.erase import Method, Point, inpainted, region_of
from lorasmith.images.upscale import Upscaler, check_networks, lanczos, open_upscaler
from lorasmith.pages.numbers import count

WHITE = (255, 255, 255)

Upscalers = dict[str, Upscaler]
"""Opened networks by the path of their file."""


class PictureStep(BaseModel, ABC):
    """One thing done to a picture."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    at: float | None = None
    """When it was taken, in seconds since 1970; steps that were taken together have the same. None before, and in recipes of before."""
    undone: float | None = None
    """When it was taken back, of steps that could be taken again."""

    @property
    @abstractmethod
    def words(self) -> str:
        """As a person says it, of the picture: `mirrored`."""

    def apply(self, picture: Image.Image, upscalers: Upscalers) -> list[Image.Image]:
        """What becomes of an RGB picture: one, several (`Cut`) or none (`Remove`)."""
        return [picture]

    def apply_to_mask(self, mask: Image.Image) -> list[Image.Image]:
        """What becomes of the picture's mask (mode L, as large as the picture): nothing, where only colours change."""
        return [mask]


class Move(PictureStep):
    """A step by which pixels get other places, and keep their colours; those of a mask as those of its picture."""

    def apply_to_mask(self, mask: Image.Image) -> list[Image.Image]:
        return self.apply(mask, {})


class Scale(PictureStep):
    """A step to (width, height) pixels."""

    size: tuple[int, int]

    def apply_to_mask(self, mask: Image.Image) -> list[Image.Image]:
        return [mask.resize(self.size, Image.Resampling.BILINEAR)]


class Flatten(PictureStep):
    """Show `background` (red, green, blue; 0-255) where the picture is transparent; it is white where there is no such step.

    It happens as the picture is read.
    """

    do: Literal["flatten"] = "flatten"
    background: tuple[int, int, int] = WHITE

    @property
    def words(self) -> str:
        return f"flattened on {'white' if self.background == WHITE else '#{:02x}{:02x}{:02x}'.format(*self.background)}"


class Convert(PictureStep):
    """Save as this kind of file; mended pictures are PNG otherwise. `quality` (1-100) does not matter to PNG."""

    do: Literal["convert"] = "convert"
    to: Literal["png", "jpg", "webp"]
    quality: int = Field(95, ge=1, le=100)

    @property
    def words(self) -> str:
        return f"saved as {self.to.upper()}"


class Rotate(Move):
    """Turn clockwise, in degrees."""

    do: Literal["rotate"] = "rotate"
    degrees: Literal[90, 180, 270]

    @property
    def words(self) -> str:
        return f"turned by {self.degrees} degrees"

    def apply(self, picture: Image.Image, upscalers: Upscalers) -> list[Image.Image]:
        turn = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
        return [picture.transpose(turn[self.degrees])]


class Flip(Move):
    """Mirror: `horizontal` swaps left and right."""

    do: Literal["flip"] = "flip"
    way: Literal["horizontal", "vertical"] = "horizontal"

    @property
    def words(self) -> str:
        return "mirrored" if self.way == "horizontal" else "turned upside down"

    def apply(self, picture: Image.Image, upscalers: Upscalers) -> list[Image.Image]:
        return [ImageOps.mirror(picture) if self.way == "horizontal" else ImageOps.flip(picture)]


class Crop(Move):
    """Keep the box (left, top, right, bottom; pixels)."""

    do: Literal["crop"] = "crop"
    box: Box
    why: str = ""

    @property
    def words(self) -> str:
        left, top, right, bottom = self.box
        return f"cropped{f' ({self.why})' if self.why else ''} to {right - left} x {bottom - top} at {left},{top}"

    def apply(self, picture: Image.Image, upscalers: Upscalers) -> list[Image.Image]:
        return [picture.crop(self.box)]


class Cut(Move):
    """Make each box a picture of its own."""

    do: Literal["cut"] = "cut"
    boxes: tuple[Box, ...] = Field(min_length=2)

    @property
    def words(self) -> str:
        return f"cut into {count(len(self.boxes), 'picture')}"

    def apply(self, picture: Image.Image, upscalers: Upscalers) -> list[Image.Image]:
        return [picture.crop(box) for box in self.boxes]


class Resize(Scale):
    """Scale to (width, height) pixels with Lanczos."""

    do: Literal["resize"] = "resize"

    @property
    def words(self) -> str:
        return "scaled to {} x {}".format(*self.size)

    def apply(self, picture: Image.Image, upscalers: Upscalers) -> list[Image.Image]:
        return [lanczos(picture, self.size)]


class Upscale(Scale):
    """Enlarge with a network, as often as it takes, then down to (width, height) pixels with Lanczos."""

    do: Literal["upscale"] = "upscale"
    network: str
    """Path of its file."""
    content: str
    """Hash of its file."""

    @property
    def words(self) -> str:
        return f"upscaled to {self.size[0]} x {self.size[1]} with {Path(self.network).name}"

    def apply(self, picture: Image.Image, upscalers: Upscalers) -> list[Image.Image]:
        network = opened(self.network, upscalers)
        if network.content != self.content:
            raise DatasetError(
                f"{self.network} is another file than the one that a picture was upscaled with: put that one back, or undo all.",
                code="mend.upscaler_changed", file=self.network,
            )  # fmt: skip
        while network.scale > 1 and (picture.width < self.size[0] or picture.height < self.size[1]):
            picture = network(picture)
        return [lanczos(picture, self.size)]


class Clean(PictureStep):
    """Take fine noise away, such as protections against training leave on a picture: see `images.clean`."""

    do: Literal["clean"] = "clean"
    way: Literal["filter", "down-up"] = "filter"

    @property
    def words(self) -> str:
        return "cleaned of fine noise by " + ("filters" if self.way == "filter" else "scaling down and up")

    def apply(self, picture: Image.Image, upscalers: Upscalers) -> list[Image.Image]:
        pixels = np.asarray(picture)
        return [Image.fromarray(clean_by_filters(pixels) if self.way == "filter" else clean_by_scaling(pixels))]


class Erase(PictureStep):
    """Paint regions over from what is around them; in the picture's mask they are black, so that training leaves them out."""

    do: Literal["erase"] = "erase"
    boxes: tuple[Box, ...] = ()
    polygons: tuple[tuple[Point, ...], ...] = ()
    painted: str = ""
    """A PNG as large as the picture, white where it is erased; in base64."""
    method: Method = "telea"

    @property
    def words(self) -> str:
        if len(self.boxes) == 1 and not self.polygons and not self.painted:
            left, top, right, bottom = self.boxes[0]
            return f"erased {right - left} x {bottom - top} at {left},{top}"
        regions = len(self.boxes) + len(self.polygons)
        return (
            f"erased {count(regions, 'region')}{' and what was painted' if self.painted else ''}" if regions else "erased what was painted"
        )

    def region(self, size: tuple[int, int]) -> Image.Image:
        """All that is erased of a picture of (width, height): mode L, 255 there and 0 elsewhere."""
        return region_of(size, self.boxes, self.polygons, base64.b64decode(self.painted))

    def apply(self, picture: Image.Image, upscalers: Upscalers) -> list[Image.Image]:
        return [Image.fromarray(inpainted(np.asarray(picture), np.asarray(self.region(picture.size)), self.method))]

    def apply_to_mask(self, mask: Image.Image) -> list[Image.Image]:
        return [Image.composite(Image.new("L", mask.size), mask, self.region(mask.size))]


class Remove(Move):
    """Take the picture out of the dataset, into the bin."""

    do: Literal["remove"] = "remove"
    why: str = ""
    captions_to: str = ""
    """Name of the picture in the same folder that gets its captions, if it has none."""

    @property
    def words(self) -> str:
        return f"taken out{f': {self.why}' if self.why else ''}"

    def apply(self, picture: Image.Image, upscalers: Upscalers) -> list[Image.Image]:
        return []


Step = Annotated[Flatten | Convert | Rotate | Flip | Crop | Cut | Resize | Upscale | Clean | Erase | Remove, Field(discriminator="do")]


def in_words(steps: tuple[Step, ...]) -> str:
    """Steps in a sentence: `mirrored, scaled to 512 x 512`."""
    return ", ".join(step.words for step in steps)


def background_of(steps: tuple[Step, ...]) -> tuple[int, int, int]:
    """The colour behind transparent parts of a picture that takes these steps."""
    return next((step.background for step in reversed(steps) if isinstance(step, Flatten)), WHITE)


def apply_all(picture: Image.Image, steps: tuple[Step, ...], upscalers: Upscalers) -> list[Image.Image]:
    """What becomes of a picture by all steps, one after the other."""
    pictures = [picture]
    for step in steps:
        pictures = [after for before in pictures for after in step.apply(before, upscalers)]
    return pictures


def apply_all_to_mask(mask: Image.Image, steps: tuple[Step, ...]) -> list[Image.Image]:
    """What becomes of a picture's mask by all steps: for each picture that the steps give, its mask."""
    masks = [mask]
    for step in steps:
        masks = [after for before in masks for after in step.apply_to_mask(before)]
    return masks


def check_steps(steps: Iterable[Step]) -> None:
    """Raises InputError where a network is to be used and none can be."""
    if any(isinstance(step, Upscale) for step in steps):
        check_networks()


def opened(network: str, upscalers: Upscalers) -> Upscaler:
    """The network in a file, opened once."""
    if network not in upscalers:
        upscalers[network] = open_upscaler(Path(network))
    return upscalers[network]
