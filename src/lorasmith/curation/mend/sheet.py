"""Before and after on one sheet, to look at before anything is mended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lorasmith.curation.mend.proposals import Proposal
from lorasmith.curation.mend.steps import Upscalers, apply_all, background_of
from lorasmith.curation.mend.ways import opacity_of
from lorasmith.images.read import read_picture

GAP, LINE = 12, 20
"""Pixels between pictures, and of a line of text."""


@dataclass(frozen=True)
class _Row:
    text: str
    before: Image.Image
    after: list[Image.Image]


def before_and_after(root: str | Path, proposals: Sequence[Proposal], height: int = 200, most: int = 24) -> Image.Image | None:
    """A sheet with up to `most` of the pictures that would change, each before on the left and after on the right; None if none would.

    `height` is that of each picture, in pixels.
    """
    upscalers: Upscalers = {}
    changing = [proposal for proposal in proposals if proposal.steps]
    rows = [_row(Path(root), proposal, height, upscalers) for proposal in changing[:most]]
    if not rows:
        return None
    font = ImageFont.load_default(13)
    left = max(row.before.width for row in rows)
    right = max(sum(one.width + GAP for one in row.after) for row in rows)
    rest = f"and {len(changing) - most} more" if len(changing) > most else ""
    width = max(left + right + 4 * GAP, int(max(font.getlength(row.text) for row in rows)) + 2 * GAP)
    sheet = Image.new("RGB", (width, len(rows) * (height + LINE + GAP) + GAP + (LINE if rest else 0)), (238, 238, 238))
    draw = ImageDraw.Draw(sheet)
    top = GAP
    for row in rows:
        draw.text((GAP, top), row.text, fill="black", font=font)
        sheet.paste(row.before, (GAP, top + LINE))
        draw.text((left + GAP + 3, top + LINE + height // 2 - 8), ">", fill="black", font=font)
        x = left + 3 * GAP
        for picture in row.after:
            sheet.paste(picture, (x, top + LINE))
            x += picture.width + GAP
        top += height + LINE + GAP
    draw.text((GAP, top), rest, fill="black", font=font)
    return sheet


def _row(root: Path, proposal: Proposal, height: int, upscalers: Upscalers) -> _Row:
    after = apply_all(read_picture(proposal.path, background_of(proposal.steps)), proposal.steps, upscalers)
    text = f"{proposal.path.relative_to(root).as_posix()}: {proposal.words}"
    return _Row(text, _within(_on_checks(proposal.path), height), [_within(picture, height) for picture in after])


def _on_checks(path: Path) -> Image.Image:
    """The picture, with grey checks where it is transparent."""
    picture = read_picture(path)
    opacity = opacity_of(path)
    if opacity is None:
        return picture
    rows, columns = np.indices((picture.height, picture.width)) // 12
    checks = np.where((rows + columns) % 2, 205, 165).astype(np.uint8)
    clear = Image.fromarray(255 - opacity)
    return Image.composite(Image.fromarray(checks).convert("RGB"), picture, clear)


def _within(picture: Image.Image, height: int) -> Image.Image:
    shown = picture.copy()
    shown.thumbnail((height * 2, height), Image.Resampling.LANCZOS)
    return shown
