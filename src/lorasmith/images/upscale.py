"""Make a picture larger: with Lanczos, which invents nothing, or with a network of the ESRGAN family, which draws plausible detail.

The network comes from a file of the user's, read by spandrel (an extra), which knows some forty architectures. spandrel names
torchvision among its needs, but what is used here works without: two of its architectures import it, and they find an empty stand-in
while spandrel is being imported (`python -m pip install --no-deps spandrel einops`).
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from lorasmith.errors import DatasetError, InputError
from lorasmith.images.read import content_hash

if TYPE_CHECKING:
    import torch

TILE, OVERLAP = 384, 24
"""Pixels: the network sees squares of this side, so that memory does not grow with the picture; they overlap and the seams are cut off."""


def lanczos(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture at `size` (width, height) pixels, larger or smaller."""
    return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)


def size_within(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """The size with the same shape whose longer side is at most `longest` pixels."""
    scale = min(1.0, longest / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def size_from(size: tuple[int, int], shortest: int) -> tuple[int, int]:
    """The size with the same shape whose shorter side is at least `shortest` pixels."""
    scale = max(1.0, shortest / min(size))
    return round(size[0] * scale), round(size[1] * scale)


@dataclass(frozen=True)
class Upscaler:
    """A network that makes pictures `scale` times as large; `content` is the hash of its file."""

    path: Path
    content: str
    scale: int
    architecture: str
    run: Callable[[torch.Tensor], torch.Tensor]
    """(1, 3, height, width) in [0, 1] -> the same, `scale` times as high and wide."""

    def __call__(self, picture: Image.Image) -> Image.Image:
        """The picture, RGB, `scale` times as large."""
        import torch

        pixels = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)[None].float() / 255
        large = in_tiles(pixels, self.run, self.scale)
        return Image.fromarray((large[0].clamp(0, 1).permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))


def in_tiles(
    pixels: torch.Tensor, run: Callable[[torch.Tensor], torch.Tensor], scale: int, tile: int = TILE, overlap: int = OVERLAP
) -> torch.Tensor:
    """`run` over a picture (1, channels, height, width) in overlapping squares; each pixel comes from the square that it is deepest in."""
    import torch

    _, channels, height, width = pixels.shape
    large = torch.empty(1, channels, height * scale, width * scale)
    step = tile - 2 * overlap
    for top in range(0, height, step):
        for left in range(0, width, step):
            y0, x0 = max(0, top - overlap), max(0, left - overlap)
            y1, x1 = min(height, top + step + overlap), min(width, left + step + overlap)
            seen = run(pixels[:, :, y0:y1, x0:x1])
            bottom, right = min(height, top + step), min(width, left + step)
            large[:, :, top * scale : bottom * scale, left * scale : right * scale] = seen[
                :, :, (top - y0) * scale : (bottom - y0) * scale, (left - x0) * scale : (right - x0) * scale
            ]
    return large


def open_upscaler(path: Path) -> Upscaler:
    """An ESRGAN-family network from its file (.safetensors, or .pth read as weights only).

    Raises:
        InputError: spandrel is not installed.
        DatasetError: the file is missing, is not an upscaling network that spandrel knows, or is not for RGB pictures.
    """
    import torch

    spandrel = _spandrel()
    content = content_hash(path)
    try:
        opened = spandrel.ModelLoader(device="cpu").load_from_file(str(path))
    except Exception as error:  # unpicklers, architectures and shapes fail in many ways; whatever it is, this file cannot be used
        raise DatasetError(
            f"{path} is not an upscaling network that spandrel can read ({error}): give an ESRGAN-family file.",
            code="upscaler.unreadable", file=str(path),
        ) from error  # fmt: skip
    if not isinstance(opened, spandrel.ImageModelDescriptor) or (opened.input_channels, opened.output_channels) != (3, 3):
        raise DatasetError(
            f"{path} holds a network ({opened.architecture.name}) that does not turn one RGB picture into another: give an ESRGAN-family file."
        )
    opened.eval()

    def run(pixels: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            result: torch.Tensor = opened(pixels)
        return result.float()

    return Upscaler(Path(path), content, opened.scale, opened.architecture.name, run)


def can_use_networks() -> bool:
    """Whether networks can be used."""
    return importlib.util.find_spec("spandrel") is not None


def why_no_networks() -> str:
    """Why networks cannot be used, with the command that changes that; "" where they can."""
    if can_use_networks():
        return ""
    return (
        "An upscaling network needs the library spandrel, which is not installed: run `python -m pip install --no-deps spandrel einops`, "
        "or upscale without a network (Lanczos)."
    )


def check_networks() -> None:
    """For whoever is about to use a network, or to choose one.

    Raises:
        InputError: networks cannot be used (`upscaler.not_installed`).
    """
    if why_not := why_no_networks():
        raise InputError(why_not, code="upscaler.not_installed")


def _spandrel() -> Any:
    """The library, imported with an empty stand-in for torchvision where that is not installed."""
    check_networks()
    if "spandrel" in sys.modules or importlib.util.find_spec("torchvision") is not None:
        return importlib.import_module("spandrel")
    stand_ins = {name: types.ModuleType(name) for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")}
    names = {"InterpolationMode": types.SimpleNamespace(NEAREST="nearest", BILINEAR="bilinear"), "rotate": None, "normalize": None}
    vars(stand_ins["torchvision.transforms.functional"]).update(names)
    sys.modules.update(stand_ins)
    try:
        return importlib.import_module("spandrel")
    finally:
        for name in stand_ins:
            del sys.modules[name]
