"""Signs of a bad training picture, each a number with a unit from pixels alone.

Two scales are used. What depends on the pixel grid (JPEG blocks) is measured on patches at the picture's own scale, `patches`. All else
is measured on a view of at most 512 x 512 pixels' area, `view_of`, so that the same picture gives the same number at any resolution.
Arrays are height x width x 3 (sRGB, uint8) or height x width (grey). Pictures are never enlarged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from lorasmith.images.channels import in_all_channels
from lorasmith.images.crop import TOLERANCE, Box, inside_bars, inside_margins, sides_of

VIEW_SIDE = 512
"""Pixels: the view has at most the area of a square with this side."""

PATCH = 192
"""Pixels: side of the patches at the picture's own scale; a multiple of 8, so that blocks are placed as in the picture."""

LUMINANCE_AT_50 = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
"""The table of Annex K of the JPEG standard, which libjpeg's quality 50 uses as it is, row by row."""


def view_of(pixels: np.ndarray) -> np.ndarray:
    """The picture scaled down to the view's area; a smaller one as it is."""
    height, width = pixels.shape[:2]
    scale = VIEW_SIDE / (height * width) ** 0.5
    if scale >= 1:
        return pixels
    if scale < 0.25:  # a plain reduction first: averaging many pixels at once is slow
        by = int(0.5 / scale)
        pixels = cv2.resize(pixels, (max(1, width // by), max(1, height // by)), interpolation=cv2.INTER_AREA)
    return cv2.resize(pixels, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA)


def patches(pixels: np.ndarray, across: int = 3) -> list[np.ndarray]:
    """Up to `across` x `across` patches at the picture's own scale, spread over it, each beginning on a JPEG block."""
    height, width = pixels.shape[:2]

    def starts(length: int) -> list[int]:
        if length < 2 * PATCH:
            return [0]
        count = min(across, length // PATCH)
        return [round(i * (length - PATCH) / max(1, count - 1)) // 8 * 8 for i in range(count)]

    def side(length: int) -> int:
        return length if length < 2 * PATCH else PATCH

    return [pixels[y : y + side(height), x : x + side(width)] for y in starts(height) for x in starts(width)]


def grey_of(pixels: np.ndarray) -> np.ndarray:
    """Brightness, 0-255."""
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


# Compression


def jpeg_quality(tables: Sequence[Sequence[int]]) -> float | None:
    """Quality 1-100 on libjpeg's scale that comes nearest to a JPEG's table for brightness; None where there is no table."""
    if not tables or len(tables[0]) != 64:
        return None
    # libjpeg clips entries to 1-255: those say little about the scale
    ratios = [100 * ours / usual for ours, usual in zip(sorted(tables[0]), sorted(LUMINANCE_AT_50), strict=True) if 1 < ours < 255]
    if not ratios:
        return 100.0 if max(tables[0]) <= 1 else 1.0
    scale = float(np.median(ratios))
    return round(max(1.0, min(100.0, (200 - scale) / 2 if scale <= 100 else 5000 / scale)), 1)


FEW_LEVELS = 32


def blocking(grey_patches: Sequence[np.ndarray]) -> float:
    """How much stronger brightness bends on the 8-pixel grid than elsewhere; 1 without blocks, 1.3 and more at JPEG quality 50.

    The second difference is used, as gradients are not blocks; the grid may begin anywhere, as in a cropped picture. Both directions
    must show it: fences have a grid, too, and so has pixel art, which a few levels of brightness give away.
    """
    if _levels(grey_patches) <= FEW_LEVELS:
        return 1.0  # compression leaves more: these are the large pixels of pixel art
    phases = np.zeros((2, 8))
    for grey in grey_patches:
        for axis, plane in enumerate((grey.astype(np.float32), grey.T.astype(np.float32))):
            if min(plane.shape) < 24:
                continue
            step = np.diff(plane, axis=1)
            bend = np.abs(2 * step[:, 1:-1] - step[:, :-2] - step[:, 2:])
            columns = np.minimum(bend, 24).mean(0)  # an edge of the drawing is one long bend: it may not outvote many blocks
            usable = len(columns) // 8 * 8
            phases[axis] += columns[:usable].reshape(-1, 8).mean(0)
    if (phases.sum(1) <= 1e-6).any():
        return 1.0
    ratios = []
    for axis in range(2):
        place = int(phases[axis].argmax())
        others = np.delete(phases[axis], [place, (place + 1) % 8, (place - 1) % 8])
        ratios.append(phases[axis][place] / (others.mean() + 0.2 * max(1, len(grey_patches))))  # a fifth of a step is not seen
    return float(min(ratios))


def _levels(grey_patches: Sequence[np.ndarray]) -> int:
    """How many levels of brightness there are."""
    return len(np.unique(np.concatenate([grey.ravel() for grey in grey_patches])))


# Sharpness and detail


def edge_width(grey: np.ndarray) -> float:
    """Blur of the sharpest edges of a view, as the sigma in pixels of a Gaussian that would make them so soft; 9 where no edge is.

    An edge blurred by s has a slope of 1/s; blurred once more by r, of 1/sqrt(s² + r²). So the ratio of the two slopes gives s, whatever
    the contrast. The sharpest tenth of the tiles counts: a blurred background behind a sharp subject is not a fault.
    """
    again = 1.5
    plane = cv2.GaussianBlur(grey, (3, 3), 0.6).astype(np.float32)
    slope = _slope(plane)
    softer = _slope(cv2.GaussianBlur(plane, (0, 0), again))
    tile = max(16, min(64, min(grey.shape) // 6))
    down, across = grey.shape[0] // tile, grey.shape[1] // tile
    if not down or not across:
        return 9.0
    slope, softer = (_tiles(image, tile, down, across) for image in (slope, softer))
    steepest = slope.max(1, keepdims=True)
    at = slope >= 0.8 * steepest
    ratio = np.where(at, slope / np.maximum(softer, 1e-3), 0).sum(1) / at.sum(1)
    ratio = ratio[steepest[:, 0] >= 4]  # grey levels a pixel: below, noise decides
    widths = again / np.sqrt(np.maximum(ratio**2 - 1, 0.02))
    return round(float(np.quantile(widths, 0.1)), 3) if len(widths) else 9.0


def _tiles(image: np.ndarray, tile: int, down: int, across: int) -> np.ndarray:
    """The image in squares: (number of tiles, pixels of a tile)."""
    part = image[: down * tile, : across * tile].reshape(down, tile, across, tile)
    return part.transpose(0, 2, 1, 3).reshape(down * across, tile * tile)


def _slope(plane: np.ndarray) -> np.ndarray:
    return cv2.magnitude(cv2.Sobel(plane, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(plane, cv2.CV_32F, 0, 1, scale=0.125))


FINE = 0.9
"""Share of the steepness of brightness that frequencies up to the `fineness` make up."""


def fineness(grey_patches: Sequence[np.ndarray]) -> tuple[float, float]:
    """The finest detail at the picture's own scale, across and down, in cycles a pixel (0-0.5): about 0.4 in a sharp photograph.

    Natural pictures are about equally steep at all frequencies. Enlarging leaves the high ones empty, and stretching those of one
    direction, however sharp the result looks: enlarged to twice its sides, a picture has about half of it.
    """
    across, down = (_finest(grey_patches, axis) for axis in (1, 0))
    return round(across, 4), round(down, 4)


def _finest(grey_patches: Sequence[np.ndarray], axis: int) -> float:
    frequencies = np.linspace(0, 0.5, 129)
    steepness = np.zeros(len(frequencies))
    for grey in grey_patches:
        length = grey.shape[axis]
        window = np.expand_dims(np.hanning(length), 1 - axis)
        plane = grey.astype(np.float32)
        power = (np.abs(np.fft.rfft((plane - plane.mean(axis, keepdims=True)) * window, axis=axis)) ** 2).mean(1 - axis)
        at = np.fft.rfftfreq(length)
        steepness += np.interp(frequencies, at, power * at**2 / length)
    total = np.cumsum(steepness)
    return float(np.interp(FINE * total[-1], total, frequencies)) if total[-1] > 0 else 0.5


def detail_share(grey: np.ndarray) -> float:
    """Share of cells of 8 x 8 pixels and their rim in which anything is to be seen (a spread above 3 of 255), 0-1.

    The rim is there for pixel art, whose edges may all lie between the cells.
    """
    plane = grey.astype(np.float32)
    mean = cv2.blur(plane, (9, 9))
    spread = cv2.blur(plane * plane, (9, 9)) - mean * mean
    return float((spread[4::8, 4::8] > 9).mean()) if min(grey.shape) >= 8 else 1.0


# Light


@dataclass(frozen=True)
class Light:
    """How the brightness of a picture is distributed, 0-255, and how much is at its end."""

    dark: float
    """Brightness of the darkest twentieth of the pixels at most."""
    bright: float
    """Brightness of the brightest fiftieth of the pixels at least."""
    clipped: float
    """Share of pixels with two channels or all at 254 or 255, 0-1."""
    rest: float
    """Brightness of the darkest fifth of the other pixels at most."""
    deepest: float
    """Brightness of the darkest 200th of the other pixels at most; 255 where there are hardly any."""
    fading: float
    """Share of the pixels next to those at the end that come near it, 0-1: light burns out by degrees, paper ends at a line."""
    rim: float
    """Share of the picture's outermost pixels that are at the end, 0-1: all of it for something on white."""
    white: float
    """Share of the pixels at the end that are so in all channels, 0-1: paper is white, light burns out one channel after the other."""
    thick: float
    """Share of the other pixels that are further than two pixels from the end, 0-1: hardly any of thin lines."""
    flat: float
    """Share of the other pixels that are as their four neighbours are, 0-1: most of a drawing's, even after compression half of them."""
    coloured: float
    """Mean distance of the channels from grey, 0-255."""


def light(view: np.ndarray) -> Light:
    """Brightness and its ends, of a view."""
    grey = grey_of(view)
    red, green, blue = view[..., 0], view[..., 1], view[..., 2]
    high, low = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    middle = np.maximum(np.minimum(red, green), np.minimum(np.maximum(red, green), blue))
    below = (middle < 254).astype(np.uint8)  # one channel alone is a strong colour
    everything = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel()
    others = cv2.calcHist([grey], [0], below, [256], [0, 256]).ravel()
    hardly_any = others.sum() <= 0.005 * grey.size
    inner = cv2.erode(below, np.ones((5, 5), np.uint8))
    beside = below - inner
    beyond = max(1, int(below.sum()))
    near = cv2.calcHist([middle], [0], beside, [256], [0, 256]).ravel()
    deep = max(1, round(0.015 * min(grey.shape)))
    rim = np.concatenate([part.ravel() for part in (below[:deep], below[-deep:], below[:, :deep], below[:, -deep:])])
    return Light(
        dark=_level(everything, 0.05),
        bright=_level(everything, 0.98),
        clipped=1 - float(others.sum() / everything.sum()),
        rest=255.0 if hardly_any else _level(others, 0.2),
        deepest=255.0 if hardly_any else _level(others, 0.005),
        fading=float(near[232:].sum() / near.sum()) if near.sum() > 20 else 0.0,
        rim=1 - float(rim.mean()),
        white=float((low >= 254).sum() / max(1, below.size - beyond)),
        thick=float(inner.sum() / beyond),
        flat=float((_is_flat(view) & (below == 1)).sum() / beyond),
        coloured=float((high - low).mean()),
    )


def _is_flat(view: np.ndarray) -> np.ndarray:
    """Of which pixels no channel differs from a neighbour's by more than a step of 255."""
    levels = view.astype(np.int16)
    across, down = (in_all_channels(np.abs(np.diff(levels, axis=axis)) <= 1) for axis in (1, 0))
    flat = np.ones(view.shape[:2], bool)
    flat[:, 1:] &= across
    flat[:, :-1] &= across
    flat[1:] &= down
    flat[:-1] &= down
    return flat


def _level(histogram: np.ndarray, share: float) -> float:
    """The level under which this share of a histogram is."""
    return float(np.searchsorted(np.cumsum(histogram), share * histogram.sum()))


# Layout


def margin_share(view: np.ndarray) -> float:
    """Share of the area that is an even border about the content, 0-1."""
    return _share_outside(inside_margins(view), view)


def bar_share(view: np.ndarray) -> float:
    """Share of the area that is letterbox bars, 0-1.

    Bars on opposite sides have one colour, near black or near white, and the picture meets them along most of their length: an even
    sky over snow is none, nor is a figure alone on white.
    """
    edges = (view[0], view[-1]), (view[:, 0], view[:, -1])
    if not any(_is_even(one) and _is_even(other) for one, other in edges):
        return 0.0  # the usual case, without looking at the rest
    box = inside_bars(view)
    if box is None:
        return 0.0
    left, top, right, bottom = box
    height, width = view.shape[:2]
    sides = [side for side, bar in (("top", top), ("left", left), ("bottom", height - bottom), ("right", width - right)) if bar]
    first, second = (
        view[0 if top else slice(None), 0 if left and not top else slice(None)],
        view[-1 if top else slice(None), -1 if left and not top else slice(None)],
    )
    colour = np.median(first.reshape(-1, 3), 0)
    if np.abs(colour - np.median(second.reshape(-1, 3), 0)).max() > 12 or 32 < colour.mean() < 232:
        return 0.0
    return _share_outside(box, view) if _contact(view, box, colour, sides) > 0.6 else 0.0


def frame_share(view: np.ndarray) -> float:
    """Share of the area that is an even frame on all four sides, which the picture meets along most of its length, 0-1."""
    box = inside_margins(view, pad=0)
    if box is None:
        return 0.0
    left, top, right, bottom = box
    if not (left and top and right < view.shape[1] and bottom < view.shape[0]):
        return 0.0
    colour = np.median(np.concatenate([view[0], view[-1]]), 0)
    met = _contact(view, box, colour, ("top", "left", "bottom", "right"))
    return _share_outside(box, view) if met > 0.6 and _has_corners(view, box, colour) else 0.0


def _has_corners(view: np.ndarray, box: Box, colour: np.ndarray) -> bool:
    """Whether at least three corners of the box are not of the colour around it: a frame's are square, a figure's and a button's are not."""
    left, top, right, bottom = box
    deep = max(2, min(sides_of(box)) // 40)
    corners = [view[y : y + deep, x : x + deep] for y in (top, bottom - deep) for x in (left, right - deep)]
    return sum((np.abs(corner.astype(np.int16) - colour) > 20).any(2).mean() > 0.5 for corner in corners) >= 3


def _is_even(line: np.ndarray) -> bool:
    """Whether nearly all pixels (n x 3) have one colour."""
    ordered = np.sort(line, axis=0)
    rim = len(ordered) // 40
    return bool((ordered[-1 - rim].astype(np.int16) - ordered[rim] <= 2 * TOLERANCE).all())


def _contact(view: np.ndarray, box: Box, colour: np.ndarray, sides: Sequence[str]) -> float:
    """Along how much of these sides the picture in the box differs from the colour around it, 0-1; four pixels deep."""
    left, top, right, bottom = box
    strips = {
        "top": (view[top : top + 4, left:right], 0),
        "bottom": (view[bottom - 4 : bottom, left:right], 0),
        "left": (view[top:bottom, left : left + 4], 1),
        "right": (view[top:bottom, right - 4 : right], 1),
    }
    met = [(np.abs(strips[side][0].astype(np.int16) - colour) > 20).any(2).any(strips[side][1]).mean() for side in sides]
    return float(np.mean(met)) if met else 0.0


def _share_outside(box: Box | None, view: np.ndarray) -> float:
    if box is None:
        return 0.0
    left, top, right, bottom = box
    return 1 - (right - left) * (bottom - top) / (view.shape[0] * view.shape[1])
