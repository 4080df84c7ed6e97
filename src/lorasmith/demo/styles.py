"""Styles: what becomes of background and creature when they are put together, and filters over the finished picture."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter


def finish(background: Image.Image, creature: Image.Image, style: str, size: int) -> Image.Image:
    """The two layers as one RGB picture of `size` x `size` pixels in this style."""
    if style == "ink":
        background = Image.blend(background, Image.new("RGB", background.size, (252, 250, 244)), 0.45)
    elif style == "soft":
        small = background.resize((size, size), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(size / 40))
        background = small.resize(background.size, Image.Resampling.BILINEAR)
        creature = _shade(creature)
    whole = background.copy()
    whole.paste(creature, mask=creature.getchannel("A"))
    picture = whole.resize((size, size), Image.Resampling.BOX)
    if style in _FILTERS:
        picture = _FILTERS[style](picture, whole)
    return picture


def _shade(creature: Image.Image) -> Image.Image:
    """Light from the upper left: bright there, dark at the lower right of the creature's own box."""
    box = creature.getchannel("A").getbbox()
    if box is None:
        return creature
    h, w = box[3] - box[1], box[2] - box[0]
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
    light = 1.30 - 0.34 * (xx / w + yy / h)
    pixels = np.asarray(creature.crop(box), dtype=np.float32).copy()
    pixels[..., :3] = np.clip(pixels[..., :3] * light[..., None] + np.clip(light[..., None] - 1.12, 0, 1) * 160, 0, 255)
    shaded = creature.copy()
    shaded.paste(Image.fromarray(pixels.astype(np.uint8), "RGBA"), box[:2])
    return shaded


def _halftone(picture: Image.Image, whole: Image.Image) -> Image.Image:
    """Dots of ink on paper, a cell of 1/16 of the width, larger where the picture is darker; hue in the ink."""
    size = picture.width
    cell = max(2, size // 16)
    small = picture.resize((math.ceil(size / cell),) * 2, Image.Resampling.BOX)
    out = Image.new("RGB", (size * 4,) * 2, (250, 246, 232))
    draw = ImageDraw.Draw(out)
    for j in range(small.height):
        for i in range(small.width):
            r, g, b = small.getpixel((i, j))  # type: ignore[misc]
            dark = 1 - (0.3 * r + 0.59 * g + 0.11 * b) / 255
            radius = cell * 4 * (0.30 + 0.38 * dark)
            x, y = (i + 0.5) * cell * 4, (j + 0.5) * cell * 4
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(r, g, b))
    return out.resize((size, size), Image.Resampling.BOX)


def _stained_glass(picture: Image.Image, whole: Image.Image) -> Image.Image:
    """Saturated panes between dark leads: the nearest of a jittered grid of seeds gives the pane."""
    size = picture.width
    n = 9
    rng = np.random.default_rng(7)
    gy, gx = np.mgrid[0:n, 0:n]
    seeds = np.stack([(gx + rng.uniform(0.15, 0.85, (n, n))) / n, (gy + rng.uniform(0.15, 0.85, (n, n))) / n], -1).reshape(-1, 2)
    fine = size * 2
    yy, xx = (np.mgrid[0:fine, 0:fine] + 0.5) / fine
    distance = (xx[..., None] - seeds[:, 0]) ** 2 + (yy[..., None] - seeds[:, 1]) ** 2
    order = np.argpartition(distance, 1, axis=-1)[..., :2]
    near = np.sqrt(np.take_along_axis(distance, order, -1))
    pane = order[..., 0]
    pixels = np.asarray(picture.resize((fine, fine), Image.Resampling.BILINEAR), dtype=np.float32)
    sums = np.zeros((n * n, 3), np.float32)
    np.add.at(sums, pane, pixels)
    mean = sums / np.maximum(np.bincount(pane.ravel(), minlength=n * n)[:, None], 1)
    glass = 0.55 * mean[pane] + 0.45 * pixels
    grey = glass.mean(-1, keepdims=True)
    glass = np.clip(grey + (glass - grey) * 1.5, 0, 255)
    lead = (np.abs(near[..., 1] - near[..., 0]) < 0.016)[..., None]
    out = np.where(lead, np.array([16, 14, 20], np.float32), glass)
    return Image.fromarray(out.astype(np.uint8)).resize((size, size), Image.Resampling.BOX)


def _chalk(picture: Image.Image, whole: Image.Image) -> Image.Image:
    """Pale strokes on a dark green board: edges and a grainy, hatched half of the colour."""
    size = picture.width
    pixels = np.asarray(whole, dtype=np.float32)
    edges = np.asarray(whole.convert("L").filter(ImageFilter.FIND_EDGES).filter(ImageFilter.MaxFilter(5)), dtype=np.float32) / 255
    h = pixels.shape[0]
    rng = np.random.default_rng(11)
    yy, xx = np.mgrid[0:h, 0:h]
    hatch = 0.5 + 0.5 * np.sin((xx + yy) * math.tau / (h / 14))
    grain = rng.uniform(0.6, 1.0, (h, h))
    board = np.array([38, 62, 52], np.float32)
    strength = np.clip(0.42 * hatch * grain + np.clip(edges * 2.2, 0, 1) * 0.8 * grain, 0, 1)[..., None]
    out = board + (np.clip(pixels * 0.6 + 110, 0, 255) - board) * strength
    return Image.fromarray(out.astype(np.uint8)).resize((size, size), Image.Resampling.BOX)


def _pixel_mosaic(picture: Image.Image, whole: Image.Image) -> Image.Image:
    """Tiles of 1/16 of the width with dark joints."""
    size = picture.width
    tile = max(3, size // 16)
    small = picture.resize((math.ceil(size / tile),) * 2, Image.Resampling.BOX)
    out = small.resize((small.width * tile,) * 2, Image.Resampling.NEAREST).crop((0, 0, size, size))
    joints = Image.new("L", (size, size), 0)
    draw = ImageDraw.Draw(joints)
    for at in range(tile - 1, size, tile):
        draw.line([(at, 0), (at, size)], fill=150)
        draw.line([(0, at), (size, at)], fill=150)
    return ImageChops.composite(Image.new("RGB", out.size, (30, 26, 34)), out, joints)


_FILTERS: dict[str, Callable[[Image.Image, Image.Image], Image.Image]] = {
    "halftone": _halftone, "stained glass": _stained_glass, "chalk": _chalk, "pixel mosaic": _pixel_mosaic,
}  # fmt: skip
