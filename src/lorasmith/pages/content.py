"""What a page contains, without a word about how it looks.

    Page(
        title="toy",
        top=(Status("good", "Finished in 20 steps."),),
        sections=(
            Section("Loss", (Curve("Loss over the steps", (Series("mean", ((1, 0.4), (2, 0.3))),)),)),
            Section("Files", (Table("LoRA files", (Column("File"), Column("Size", "number")), (("toy.safetensors", "1.2 MB"),)),)),
        ),
    )

A room turns its data into a `Page`; `lorasmith.pages.render` turns any page into HTML. All text here is plain: the renderer escapes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lorasmith.findings import Finding
from lorasmith.pages.picture import Picture

Tone = Literal["good", "busy", "error", "warning", "note"]
"""How something is meant; the severities of findings among them."""


# -- words ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Code:
    """Something to type, or the name of a file or setting."""

    text: str


@dataclass(frozen=True)
class Strong:
    text: str


@dataclass(frozen=True)
class Quiet:
    """A remark beside the rest, smaller and paler."""

    text: str


@dataclass(frozen=True)
class Verdict:
    """A word of judgement."""

    tone: Tone
    text: str


Words = str | Code | Strong | Quiet | Verdict | tuple["str | Code | Strong | Quiet | Verdict", ...]
"""A phrase, or its parts in order; a line break in it is kept."""


# -- blocks -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    words: Words
    quiet: bool = False


@dataclass(frozen=True)
class Status:
    """The outcome in one sentence, and what to do about it."""

    tone: Tone
    words: Words
    hint: Words = ""


@dataclass(frozen=True)
class Score:
    """Points of 100, and where the others went."""

    points: int
    words: Words


@dataclass(frozen=True)
class Facts:
    """Names and values, each a few words."""

    items: tuple[tuple[str, Words], ...]


@dataclass(frozen=True)
class Panel:
    """One picture of a figure, with a label on it; `picture` None where it is missing, and then `missing` says so."""

    picture: Picture | None
    label: str = ""
    missing: str = "The picture is missing or damaged."


@dataclass(frozen=True)
class Figure:
    """One or more pictures side by side under one caption, with points of a few words each below it."""

    panels: tuple[Panel, ...]
    caption: Words = ""
    points: tuple[Words, ...] = ()


@dataclass(frozen=True)
class Figures:
    """Figures as cards: `small` and `wide` ones in a grid, `strip` one below the other, each scrolled sideways."""

    figures: tuple[Figure, ...]
    layout: Literal["small", "wide", "strip"] = "small"


@dataclass(frozen=True)
class FlipCell:
    """A picture of a `Flip`: small among the others, large where it is looked at, with its caption and its details."""

    small: Picture
    large: Picture
    caption: str
    details: str = ""


@dataclass(frozen=True)
class Flip:
    """Pictures in rows and columns, one of which is shown large; arrow keys flip between them. `label` is its own on a page."""

    label: str
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    cells: tuple[tuple[FlipCell, ...], ...]
    """By row, then by column."""


@dataclass(frozen=True)
class Bar:
    """A share, 0-1, as a bar under its text."""

    share: float
    text: str
    faint: bool = False


@dataclass(frozen=True)
class Column:
    title: str
    kind: Literal["text", "number"] = "text"


@dataclass(frozen=True)
class Table:
    """Rows of cells; the first cell names the row. `label` is the table's name for those who cannot see it."""

    label: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Words | Bar, ...], ...]


@dataclass(frozen=True)
class Series:
    """A line of a curve: points (x, y) by rising x, and for each half of its 95 % interval where `margins` are known."""

    name: str
    points: tuple[tuple[float, float], ...]
    faint: bool = False
    margins: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Curve:
    """Lines over the steps. `marks` are labelled steps, `limits` the lowest and highest y that are shown (None: all there are)."""

    title: str
    series: tuple[Series, ...]
    caption: Words = ""
    x_label: str = "steps"
    y_label: str = ""
    marks: tuple[tuple[float, str], ...] = ()
    limits: tuple[float, float] | None = None
    height: int = 240


@dataclass(frozen=True)
class Findings:
    """What is wrong and what to do about it; `none` is said where there is nothing."""

    findings: tuple[Finding, ...]
    none: str = "Nothing was found."


@dataclass(frozen=True)
class TagCloud:
    """Tags with how often they occur, the frequent ones large."""

    tags: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Listing:
    """The text of a file, line by line as it is."""

    label: str
    text: str


@dataclass(frozen=True)
class Collapsible:
    """Blocks that open on demand."""

    title: str
    blocks: tuple[Block, ...]


Block = Text | Status | Score | Facts | Figures | Flip | Table | Curve | Findings | TagCloud | Listing | Collapsible


@dataclass(frozen=True)
class Section:
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """A page: a title with a line above it, what matters most, then sections."""

    title: str
    sections: tuple[Section, ...]
    top: tuple[Block, ...] = ()
    kicker: str = ""
    footer: str = ""
