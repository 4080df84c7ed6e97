"""A grid as a page, on which one flips between its cells."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from lorasmith.evaluation.grid.cells import PlannedCell
from lorasmith.evaluation.grid.plan import GridPlan
from lorasmith.images.read import read_picture
from lorasmith.models.prompts.parameters import parameters_text, read_png
from lorasmith.models.samplers import SAMPLERS
from lorasmith.pages import numbers
from lorasmith.pages.content import Code, Facts, Flip, FlipCell, Page, Section, Text, Words
from lorasmith.pages.picture import PIXEL_ART, Picture
from lorasmith.pages.render import write_page

LARGE, THUMBNAIL = 768, 128
"""Longest side in pixels of a cell that is looked at, and of the others."""
MANY, SMALLER = 60, 448
"""With this many cells or more a page would be too heavy, so its cells are no larger than this."""


def write_grid_page(plan: GridPlan, path: Path) -> Path:
    """Write the page of a grid whose cells are there."""
    write_page(path, grid_page(plan))
    return path


def grid_page(plan: GridPlan) -> Page:
    """What the page of a grid contains."""
    titles = [along.axis.title for along in plan.sides if along]
    sections = [Section(label or "The grid", (_flip(plan, k, label),)) for k, label in enumerate(plan.labels(2))]
    return Page(
        title=plan.subject.name,
        kicker=f"A grid: {' by '.join(title if title[:2].isupper() else title.lower() for title in titles)}",
        top=(_facts(plan), Text("Choose a cell, then flip with the arrow keys.", quiet=True)),
        sections=tuple(sections),
        footer="Made by Lorasmith. Each cell's PNG has its generation parameters.",
    )


def _facts(plan: GridPlan) -> Facts:
    """What all cells share."""
    varied = {along.key for along in plan.sides if along}
    request = next(iter(plan.cells.values())).drawing.request
    shared: dict[str, tuple[Words, set[str]]] = {
        "Prompt": (request.prompt or "empty", {"prompt", "prompt_sr"}),
        "Negative prompt": (request.negative_prompt, {"prompt", "prompt_sr"}),
        "Base": (Code(Path(plan.subject.start.base).name), {"base"}),
        "Seed": (str(request.seed), {"seed", "prompt"}),
        "Sampler": (SAMPLERS[request.sampler].title if request.sampler else "", {"sampler", "prompt"}),
        "Steps": (str(request.steps), {"steps", "prompt"}),
        "CFG scale": (f"{request.cfg_scale:g}", {"cfg_scale", "prompt"}),
        "Size": (f"{request.width}x{request.height}", {"size", "prompt"}),
    }
    facts = [(name, words) for name, (words, changed_by) in shared.items() if words and not changed_by & varied]
    return Facts((("Cells", numbers.count(len(plan.cells), "picture")), *facts))


def _flip(plan: GridPlan, k: int, label: str) -> Flip:
    columns, rows = plan.labels(0), plan.labels(1)
    largest = LARGE if len(plan.cells) < MANY else SMALLER
    cells = tuple(
        tuple(
            _cell(plan.cells[i, j, k], ", ".join(part for part in (column, row, label) if part), largest) for i, column in enumerate(columns)
        )
        for j, row in enumerate(rows)
    )  # fmt: skip
    return Flip(f"Cells of {label or plan.subject.name}", tuple(columns), tuple(rows), cells)


def _cell(cell: PlannedCell, caption: str, largest: int) -> FlipCell:
    picture = read_picture(cell.file).convert("RGB")
    details = parameters_text(read_png(cell.file))
    return FlipCell(_picture(picture, caption, THUMBNAIL), _picture(picture, caption, largest), caption, details)


def _picture(picture: Image.Image, alt: str, longest: int) -> Picture:
    return Picture.of(picture, alt, longest, "png" if max(picture.size) <= PIXEL_ART else "jpeg")
