"""A grid as one picture: cells in rows and columns, with the values of the axes at the top and the left."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from lorasmith.atomic import write_atomically
from lorasmith.errors import SettingsError
from lorasmith.evaluation.grid.plan import GridPlan
from lorasmith.images.read import read_picture

MOST_PIXELS, MOST_SIDE = 80_000_000, 16_383
"""Of a sheet; 16,383 pixels is the largest side of a WebP."""
FORMATS = {"png": "PNG", "webp": "WEBP"}
INK, QUIET, GROUND = "#1d1b26", "#5c5868", "#ffffff"
SMALL = 160
"""Pixels: cells whose longest side is shorter are enlarged without blur, so that there is room for labels."""
LEAST = 48
"""Pixels: cells that would have to be smaller than this are not worth a sheet."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Block:
    """The cells of one value of z: a title, labels, and pictures by (column, row)."""

    title: str
    columns: Sequence[str]
    rows: Sequence[str]
    pictures: Mapping[tuple[int, int], Image.Image]


def write_sheet(plan: GridPlan, path: Path) -> tuple[Path, tuple[str, ...]]:
    """Write the sheet of a grid whose cells are there; its path, and what was made smaller.

    Raises SettingsError where the format is unknown, or there are too many cells for a sheet.
    """
    if (suffix := path.suffix[1:].lower()) not in FORMATS:
        raise SettingsError(f"A sheet cannot be written as {suffix!r}. Choose {' or '.join(FORMATS)}.", code="grid.format", value=suffix)
    columns, rows, titles = (plan.labels(side) for side in range(3))
    blocks = [
        Block(
            title, columns, rows,
            {(i, j): read_picture(plan.cells[i, j, k].file).convert("RGB") for i in range(len(columns)) for j in range(len(rows))},
        )
        for k, title in enumerate(titles)
    ]  # fmt: skip
    sheet, scale = labelled_sheet(blocks)
    file = io.BytesIO()
    sheet.save(file, FORMATS[suffix], quality=90, method=4)
    write_atomically(path, file.getvalue())
    smaller = f"The sheet would have been too large, so its pictures are {scale:.0%} of their size; the page and the cells have them whole."
    return path, (smaller,) if scale < 1 else ()


def labelled_sheet(blocks: Sequence[Block]) -> tuple[Image.Image, float]:
    """The blocks one below the other, on white; and how much their pictures were made smaller, 1 for not at all.

    Raises SettingsError where they would be too small to see.
    """
    sizes = [picture.size for block in blocks for picture in block.pictures.values()]
    width, height = max(size[0] for size in sizes), max(size[1] for size in sizes)
    enlarged = max(1, -(-SMALL // max(width, height)))
    scale = float(enlarged)
    while True:
        layouts = [_Layout.of(block, max(1, round(width * scale)), max(1, round(height * scale))) for block in blocks]
        whole = (max(layout.width for layout in layouts), sum(layout.height for layout in layouts))
        over = max(math.sqrt(whole[0] * whole[1] / MOST_PIXELS), max(whole) / MOST_SIDE)
        if over <= 1:
            break
        scale /= max(over, 1.02)
        if max(width, height) * scale < LEAST:
            cells = len(sizes)
            raise SettingsError(
                f"{cells:,} pictures are too many for one sheet: they would be under {LEAST} pixels. Vary less, or look at the page of parts.",
                code="grid.sheet_too_large", cells=cells,
            )  # fmt: skip
    sheet = Image.new("RGB", whole, GROUND)
    top = 0
    for block, layout in zip(blocks, layouts, strict=True):
        layout.draw(sheet, block, top)
        top += layout.height
    return sheet, min(1.0, scale / enlarged if enlarged > 1 else scale)


@dataclass(frozen=True)
class _Layout:
    """Where things are in a block; all in pixels."""

    cell: tuple[int, int]
    font: Font
    gap: int
    left: int
    """Width of the labels of rows."""
    title: list[str]
    columns: list[list[str]]
    rows: list[list[str]]

    @classmethod
    def of(cls, block: Block, width: int, height: int) -> _Layout:
        font = ImageFont.load_default(max(14, min(40, round(max(width, height) / 22))))
        gap = max(4, round(width / 64))
        longest = max((font.getlength(label) for label in block.rows), default=0)
        left = math.ceil(min(longest, max(90, width / 2))) + 2 * gap if any(block.rows) else 0
        across = left + len(block.columns) * (width + gap)
        return cls(
            (width, height), font, gap, left, wrapped(block.title, font, across - 2 * gap),
            [wrapped(label, font, width) for label in block.columns], [wrapped(label, font, left - 2 * gap) for label in block.rows],
        )  # fmt: skip

    @property
    def line(self) -> int:
        """Height of a line of text."""
        return round(getattr(self.font, "size", 11) * 1.3)

    @property
    def head(self) -> int:
        """Height of the title."""
        return len(self.title) * self.line + self.gap if self.title else 0

    @property
    def labels(self) -> int:
        """Height of the labels of columns."""
        return max(map(len, self.columns)) * self.line + 2 * self.gap if any(self.columns) else self.gap

    @property
    def row_heights(self) -> list[int]:
        """Of the cells' rows: their pictures, or a label that is higher."""
        return [max(self.cell[1], len(label) * self.line) + self.gap for label in self.rows]

    @property
    def width(self) -> int:
        return self.left + len(self.columns) * (self.cell[0] + self.gap) + (0 if self.left else self.gap)

    @property
    def height(self) -> int:
        return self.head + self.labels + sum(self.row_heights)

    def draw(self, sheet: Image.Image, block: Block, top: int) -> None:
        """Draw the block with its upper edge at `top`."""
        pen = ImageDraw.Draw(sheet)
        first = self.left or self.gap
        self._write(pen, self.title, self.gap, top + self.gap, INK)
        top += self.head
        for column, label in enumerate(self.columns):
            x = first + column * (self.cell[0] + self.gap)
            lowest = top + self.labels - self.gap - len(label) * self.line
            self._write(pen, label, x + self.cell[0] / 2, lowest, QUIET, anchor="ma")
        top += self.labels
        for row, (label, high) in enumerate(zip(self.rows, self.row_heights, strict=True)):
            self._write(pen, label, self.gap, top + (high - self.gap - len(label) * self.line) / 2, QUIET)
            for column in range(len(self.columns)):
                picture = _fitted(block.pictures[column, row], self.cell)
                x = first + column * (self.cell[0] + self.gap) + (self.cell[0] - picture.width) // 2
                sheet.paste(picture, (x, top + (self.cell[1] - picture.height) // 2))
            top += high

    def _write(self, pen: ImageDraw.ImageDraw, lines: Sequence[str], x: float, y: float, colour: str, anchor: str = "la") -> None:
        for number, line in enumerate(lines):
            pen.text((x, y + number * self.line), line, fill=colour, font=self.font, anchor=anchor)


def _fitted(picture: Image.Image, cell: tuple[int, int]) -> Image.Image:
    """The picture as large as the cell allows, in its own proportions; enlarged without blur."""
    ratio = min(cell[0] / picture.width, cell[1] / picture.height)
    if ratio == 1:
        return picture
    size = (max(1, round(picture.width * ratio)), max(1, round(picture.height * ratio)))
    return picture.resize(size, Image.Resampling.NEAREST if ratio > 1 else Image.Resampling.LANCZOS)


def wrapped(text: str, font: Font, width: float) -> list[str]:
    """The text in lines of at most `width` pixels, between words, inside those that are longer; none for an empty text."""
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
            continue
        lines.append("")
        for letter in word:
            if lines[-1] and font.getlength(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return lines
