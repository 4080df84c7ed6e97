"""Sheets that show several views: whether a picture is one, and where each view is. The audit and the cutting ask the same function.

A sheet is parted along even stripes of its border's colour that go right through, again and again (a recursive X-Y cut; Nagy and Seth
1984). What comes of it are views only where they fill their sheet, are alike in size and stand beside one another: the parts of one
drawing, lines of text, a logo beside a figure and what lies about in a photograph are none.
"""

from __future__ import annotations

import numpy as np

from lorasmith.images.crop import Box, border_colour, box_of, content_on, sides_of
from lorasmith.images.signs import view_of

SMALLEST = 1 / 10
"""A view's shorter side, as a share of the sheet's, at least."""

LEAST = 1 / 8
"""A view's area, as a share of the largest view's, at least: what is smaller is a logo or a label."""

ALIKE = 0.4
"""Share of the largest view's area from which a view is alike; half of the views are."""

FILLED = 0.45
"""Share of the area about all views that they fill, at least."""

LONGEST = 6.0
"""A view's long side over its short side, at most: a line of text is longer."""

GRAIN = 2.5
"""Mean difference of a sheet's ground from its colour, in steps of 255, at most; a photograph's even ground differs more."""


def views_on_sheet(pixels: np.ndarray) -> list[Box]:
    """The single views on a sheet (height x width x 3, uint8), row by row, in its pixels; an empty list where it is not a sheet."""
    view = view_of(pixels)
    colour = border_colour(view)
    if colour is None:
        return []
    content = content_on(view, colour)
    smallest = SMALLEST * min(content.shape)
    boxes = [box for box in _cut(content, (0, 0, view.shape[1], view.shape[0])) if min(sides_of(box)) >= smallest]
    largest = max((_area(box) for box in boxes), default=0)
    views = [box for box in boxes if _area(box) >= LEAST * largest]
    if not _fill_a_sheet(views) or _grain(view, boxes, colour) > GRAIN:
        return []
    return [_in_pixels(box, view, pixels, colour) for box in views]


def _grain(view: np.ndarray, boxes: list[Box], colour: np.ndarray) -> float:
    """Mean difference of what is between the boxes from the ground's colour, away from their edges."""
    ground = np.ones(view.shape[:2], bool)
    for left, top, right, bottom in boxes:
        ground[max(0, top - 3) : bottom + 3, max(0, left - 3) : right + 3] = False
    return float(np.abs(view[ground].astype(np.int16) - colour).max(1).mean()) if ground.any() else 0.0


def _fill_a_sheet(boxes: list[Box]) -> bool:
    """Whether parts of a picture are views, by their sizes and places."""
    if len(boxes) < 2:
        return False
    areas = np.array([_area(box) for box in boxes])
    lefts, tops, rights, bottoms = np.array(boxes).T
    beside = max(lefts[1:] >= rights[:-1])  # parts that are only above one another are a figure's as often as a sheet's
    filled = areas.sum() / ((rights.max() - lefts.min()) * (bottoms.max() - tops.min()))
    longest = max(max(sides_of(box)) / min(sides_of(box)) for box in boxes)
    return bool(beside and (areas >= ALIKE * areas.max()).sum() >= max(2, len(boxes) / 2) and filled >= FILLED and longest <= LONGEST)


def _area(box: Box) -> int:
    width, height = sides_of(box)
    return width * height


def _in_pixels(box: Box, view: np.ndarray, pixels: np.ndarray, colour: np.ndarray) -> Box:
    """The box of a view in the pixels of the picture that the view was made of, to its content's edge."""
    if pixels.shape == view.shape:
        return box
    height, width = pixels.shape[:2]
    across, down = width / view.shape[1], height / view.shape[0]
    left, top = max(0, int((box[0] - 1) * across)), max(0, int((box[1] - 1) * down))
    right, bottom = min(width, int(np.ceil((box[2] + 1) * across))), min(height, int(np.ceil((box[3] + 1) * down)))
    inner = box_of(content_on(pixels[top:bottom, left:right], colour))
    return (left, top, right, bottom) if inner is None else (left + inner[0], top + inner[1], left + inner[2], top + inner[3])


def _cut(content: np.ndarray, box: Box) -> list[Box]:
    """The parts of `box` that empty stripes separate, trimmed to their content."""
    left, top, right, bottom = box
    inner = box_of(content[top:bottom, left:right])
    if inner is None:
        return []
    left, top, right, bottom = left + inner[0], top + inner[1], left + inner[2], top + inner[3]
    part = content[top:bottom, left:right]
    shortest = max(3, round(0.006 * min(content.shape)))  # pixels that a stripe is wide
    for across in (False, True):
        runs = _runs(np.asarray(part.any(0 if across else 1)), shortest)
        if len(runs) > 1:
            cuts = [(left + a, top, left + b, bottom) if across else (left, top + a, right, top + b) for a, b in runs]
            return [view for one in cuts for view in _cut(content, one)]
    return [(left, top, right, bottom)]


def _runs(filled: np.ndarray, gap: int) -> list[tuple[int, int]]:
    """(start, end) of the filled stretches; gaps shorter than `gap` do not part them."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], filled.astype(np.int8), [0]])))
    runs: list[tuple[int, int]] = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if runs and start - runs[-1][1] < gap:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return runs
