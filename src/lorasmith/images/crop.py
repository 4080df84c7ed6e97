"""Find what of a picture to keep: inside bars and margins, or about the subject.

All functions look at pixels, an array of height x width x 3 in sRGB (uint8), and give boxes (left, top, right, bottom) in pixels, the
right and bottom ones outside, as Pillow's `crop` takes them; or None where there is nothing to cut off. They do not cut: a person sees
the box first.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from lorasmith.images.channels import in_all_channels, in_any_channel

Box = tuple[int, int, int, int]

TOLERANCE = 14
"""Steps of 255 by which a pixel of an even area may differ from its colour, in any channel: noise and JPEG stay below."""

ROWS_AT_ONCE = 32
"""Whose colours are compared together."""

SPECK = 12
"""Pixels that hang together, under which they are dust on a ground."""


def inside_bars(pixels: np.ndarray) -> Box | None:
    """The picture between letterbox bars: even stripes along two opposite sides, or along all four if they are black.

    A bar is at least 2 % of the side, and has one on the other side that is about as thick: sky alone is not a bar. Where the other two
    sides are even, too, stripes that are not black are margins.
    """
    height, width = pixels.shape[:2]
    top, bottom = _stripe(pixels), _stripe(pixels[::-1])
    left, right = _stripe(pixels.transpose(1, 0, 2)), _stripe(pixels.transpose(1, 0, 2)[::-1])
    all_round = bool((top or bottom) and (left or right))
    if not _pair(top, bottom, height):
        top = bottom = 0
    if not _pair(left, right, width):
        left = right = 0
    stripe = pixels[: top // 2 + 1] if top else pixels[:, : left // 2 + 1]
    if all_round and stripe.max() > 2 * TOLERANCE:
        return None
    return _if_less((left, top, width - right, height - bottom), pixels)


def inside_margins(pixels: np.ndarray, pad: float = 0.03) -> Box | None:
    """The picture without the even area around it, but `pad` (a share of the content's longer side) of it kept for air.

    None if less than a twentieth of the area would go, if the border is not even, or if all is.
    """
    height, width = pixels.shape[:2]
    colour = border_colour(pixels)
    if colour is None:
        return None
    box = box_of(content_on(pixels, colour))
    if box is None:
        return None
    return _if_less(_padded(box, pad, width, height), pixels, at_least=0.05)


def about_subject(pixels: np.ndarray, alpha: np.ndarray | None = None, keep: Sequence[Box] = (), pad: float = 0.08) -> Box | None:
    """A box about what stands out: what is not clear where there is transparency, else all that differs from an even ground.

    The border's colours are taken for the ground (the boundary prior of Zhu et al. 2014, "Saliency Optimization from Robust Background
    Detection"): the distance of each pixel from the nearest of a few typical border colours in Lab, smoothed. Something must stand out by
    Otsu's threshold, and whatever differs from the ground at all stays whole, also where it is faint, so that only ground is cut off.
    `keep` are boxes, such as those of heads, that stay whole in any case.

    None where nothing stands out clearly, the ground is not even enough to be told from what is on it, or hardly anything could go: a
    wrong crop is worse than none.
    """
    height, width = pixels.shape[:2]
    if alpha is not None and (alpha < 128).mean() > 0.01:
        box = box_of(alpha > FAINT_OPACITY)
        return None if box is None else _if_less(_around([_padded(box, pad, width, height), *keep]), pixels, at_least=0.05)
    scale = 160 / max(height, width)
    small = cv2.resize(pixels, (max(8, round(width * scale)), max(8, round(height * scale))), interpolation=cv2.INTER_AREA)
    distance = distance_from_ground(small)
    furthest = max(float(distance.max()), 12.0)  # a difference below 12 in Lab is hardly one
    _, subject = cv2.threshold(np.round(distance / furthest * 255).astype(np.uint8), 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    if not subject.any() or subject.mean() < 0.005 or distance[subject == 1].mean() - distance[subject == 0].mean() < 0.3 * furthest:
        return None
    rim = np.concatenate([distance[0], distance[-1], distance[:, 0], distance[:, -1]])
    ground = max(LIKE_GROUND, 2 * float(np.median(rim)))
    if ground > 0.5 * distance[subject == 1].mean():
        return None
    box = box_of(cv2.medianBlur((distance > ground).astype(np.uint8), 3).astype(bool))
    assert box is not None
    box = _grown_to_even_edges(box, distance)
    across, down = width / small.shape[1], height / small.shape[0]
    wide = (int(box[0] * across), int(box[1] * down), int(np.ceil(box[2] * across)), int(np.ceil(box[3] * down)))
    whole = [_padded(part, pad, width, height) for part in (wide, _all_on_even_ground(pixels)) if part is not None]
    return _if_less(_around([*whole, *keep]), pixels, at_least=0.1)


def _all_on_even_ground(pixels: np.ndarray) -> Box | None:
    """Everything on a ground of one colour, also lines that are too thin for a small picture, as drawings have; None on other grounds."""
    colour = border_colour(pixels)
    return None if colour is None else box_of(content_on(pixels, colour))


def _grown_to_even_edges(box: Box, distance: np.ndarray) -> Box:
    """The box with each side moved out until what it passes through is as even as the picture's own rim: it cuts through nothing."""
    slope = np.hypot(cv2.Sobel(distance, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(distance, cv2.CV_32F, 0, 1, scale=0.125))
    rim = np.concatenate([slope[0], slope[-1], slope[:, 0], slope[:, -1]])
    even = max(EVEN_SLOPE, 4 * float(np.median(rim)))
    height, width = distance.shape
    left, top, right, bottom = box
    while True:
        before = (left, top, right, bottom)
        left -= left > 0 and slope[top:bottom, left - 1].max() > even
        top -= top > 0 and slope[top - 1, left:right].max() > even
        right += right < width and slope[top:bottom, right].max() > even
        bottom += bottom < height and slope[bottom, left:right].max() > even
        if before == (left, top, right, bottom):
            return int(left), int(top), int(right), int(bottom)


EVEN_SLOPE = 0.25
"""Distance in Lab from one pixel of the small picture to the next, up to which an edge is even."""

FAINT_OPACITY = 8
"""Opacity (of 255) up to which a pixel counts as clear: soft hair is fainter than half."""

LIKE_GROUND = 6.0
"""Distance in Lab from the ground's colours up to which a pixel may be ground: noise and slow slopes stay below."""


def distance_from_ground(pixels: np.ndarray) -> np.ndarray:
    """How far each pixel is from the border's typical colours in Lab, smoothed: float32, height x width."""
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    height, width = lab.shape[:2]
    rim = max(1, min(height, width) // 20)
    sides = [side.reshape(-1, 3) for side in (lab[:rim], lab[-rim:], lab[:, :rim], lab[:, -rim:])]
    typical = np.stack([np.median(np.concatenate(sides), 0), *(np.median(side, 0) for side in sides)])
    distance = np.min(np.linalg.norm(lab[:, :, None] - typical, axis=3), axis=2)
    return cv2.GaussianBlur(distance, (0, 0), max(1.0, max(height, width) / 60)).astype(np.float32)


def _around(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds all of them."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _stripe(pixels: np.ndarray) -> int:
    """How many rows at the top are even and of one colour, with up to 8 more that compression has smeared; 0 if all are."""
    colour = np.median(pixels[0], 0)
    for first in range(0, len(pixels), ROWS_AT_ONCE):  # what is below the stripe is not looked at
        low, colours, high = np.percentile(pixels[first : first + ROWS_AT_ONCE], (2, 50, 98), axis=1)
        even = ((high - low) <= TOLERANCE).all(1) & (np.abs(colours - colour) <= TOLERANCE).all(1)
        if not even.all():
            break
    else:
        return 0
    edge = first + int(even.argmin())
    if not edge:
        return 0
    near = in_all_channels(np.abs(pixels[edge : edge + 8].astype(np.int16) - colour) <= 3 * TOLERANCE).mean(1) >= 0.9
    return edge + (int(near.argmin()) if not near.all() else len(near))


def _pair(one: int, other: int, side: int) -> bool:
    return min(one, other) >= max(2, 0.02 * side) and max(one, other) <= 1.5 * min(one, other) + 2


def border_colour(pixels: np.ndarray) -> np.ndarray | None:
    """The colour of the outermost pixels, or None if fewer than 90 % of them share it."""
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]).astype(np.int16)
    colour = np.median(border, 0).astype(np.int16)
    shared = (np.abs(border - colour) <= TOLERANCE).all(1).mean()
    return colour if shared >= 0.9 else None


def content_on(pixels: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """Which pixels differ from the ground's colour, thin lines too, but without specks: bool, height x width."""
    differs = in_any_channel(np.abs(pixels.astype(np.int16) - ground) > TOLERANCE).astype(np.uint8)
    _, part, stats, _ = cv2.connectedComponentsWithStats(differs, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= SPECK
    large[0] = False  # what does not differ
    kept: np.ndarray = large[part]
    return kept


def box_of(mask: np.ndarray) -> Box | None:
    """The smallest box that holds all that is set."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _padded(box: Box, pad: float, width: int, height: int) -> Box:
    air = round(pad * max(sides_of(box)))
    return max(0, box[0] - air), max(0, box[1] - air), min(width, box[2] + air), min(height, box[3] + air)


def sides_of(box: Box) -> tuple[int, int]:
    """Width and height."""
    return box[2] - box[0], box[3] - box[1]


def _if_less(box: Box, pixels: np.ndarray, at_least: float = 0.0) -> Box | None:
    """The box, if it leaves out more than the share `at_least` of the picture's area and something remains."""
    area = pixels.shape[0] * pixels.shape[1]
    width, height = sides_of(box)
    return box if min(width, height) >= 8 and 1 - width * height / area > at_least else None
