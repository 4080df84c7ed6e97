"""Any page as one HTML file that can be sent to a friend and opened anywhere.

Pictures and style are inside the file; it runs no script and asks no other machine for anything. It follows the reader's dark or light
mode, fits a phone, and prints. `html_of` has one case for each block of `lorasmith.pages.content`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from functools import cache, singledispatch
from importlib.resources import files
from pathlib import Path
from typing import Any

from lorasmith.atomic import write_atomically
from lorasmith.findings import CaptionChange, Change, Finding, MendChange, SettingChange
from lorasmith.pages import content
from lorasmith.pages.content import Code, Quiet, Strong, Verdict, Words
from lorasmith.pages.curve import curve_svg, dashes
from lorasmith.pages.markup import Html, element, joined
from lorasmith.pages.picture import Picture

MOST_SUBJECTS = 12
"""Subjects and details of a finding that are shown at once; the others open on demand."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What the browser may load: nothing but what is inside the file."""


def write_page(path: str | Path, page: content.Page) -> None:
    """Write a page as an HTML file; what was there before stays whole until the new file is."""
    write_atomically(Path(path), page_html(page).encode())


def page_html(page: content.Page) -> str:
    """The page as HTML."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("title", f"{page.title} - Lorasmith"),
        element("style", style()),
    )
    kicker = element("p", page.kicker, class_="kicker") if page.kicker else ""
    header = element("header", kicker, element("h1", page.title), *_blocks(page.top))
    sections = [element("section", element("h2", each.title), *_blocks(each.blocks), aria_label=each.title) for each in page.sections]
    footer = element("footer", element("p", page.footer)) if page.footer else ""
    body = element("body", header, element("main", *sections), footer)
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


@cache
def style() -> Html:
    """The one style of all pages."""
    return Html(files("lorasmith.pages").joinpath("style.css").read_text(encoding="utf-8"))


# -- words ------------------------------------------------------------------------------------------------------------


def words_html(words: Words) -> Html:
    """A phrase with its parts."""
    match words:
        case tuple():
            return joined(*(words_html(part) for part in words))
        case Code(text):
            return element("code", text)
        case Strong(text):
            return element("strong", text)
        case Quiet(text):
            return element("small", text)
        case Verdict(tone, text):
            return element("strong", text, class_=tone)
        case str():
            return joined(words)


# -- blocks -----------------------------------------------------------------------------------------------------------


@singledispatch
def html_of(block: content.Block) -> Html:
    """A block as HTML."""
    raise TypeError(f"A page has no block {type(block).__name__}.")


def _blocks(blocks: Sequence[content.Block]) -> list[Html]:
    return [html_of(block) for block in blocks]


@html_of.register
def _(block: content.Text) -> Html:
    return element("p", words_html(block.words), class_="quiet" if block.quiet else "")


@html_of.register
def _(block: content.Status) -> Html:
    dot = element("span", class_="dot", aria_hidden="true")
    sentence = element("p", dot, words_html(block.words), class_=f"status {block.tone}")
    return joined(sentence, element("p", words_html(block.hint), class_="quiet") if block.hint else "")


@html_of.register
def _(block: content.Score) -> Html:
    ring = element("div", element("b", str(block.points)), element("span", "of 100"), class_="ring", style=f"--part: {block.points}")
    return element("div", ring, element("p", words_html(block.words)), class_="score")


@html_of.register
def _(block: content.Facts) -> Html:
    items = [element("div", element("dt", name), element("dd", words_html(value))) for name, value in block.items]
    return element("dl", *items, class_="facts")


@html_of.register
def _(block: content.Figures) -> Html:
    return element("div", *(_figure(figure) for figure in block.figures), class_=f"figures {block.layout}")


def _figure(figure: content.Figure) -> Html:
    panels = element("div", *(_panel(panel) for panel in figure.panels), class_="panels", style=f"--panels: {len(figure.panels)}")
    points = element("ul", *(element("li", words_html(point)) for point in figure.points)) if figure.points else ""
    caption = element("figcaption", words_html(figure.caption), points) if figure.caption or figure.points else ""
    return element("figure", panels, caption)


def _panel(panel: content.Panel) -> Html:
    label = element("span", panel.label, class_="label") if panel.label else ""
    if panel.picture is None:
        return element("div", element("p", panel.missing, class_="missing"), label, class_="panel")
    return element("div", picture_html(panel.picture), label, class_="panel")


def picture_html(picture: Picture) -> Html:
    source = f"data:image/{picture.format};base64,{base64.b64encode(picture.data).decode()}"
    return element(
        "img", class_="pixelated" if picture.pixelated else "", src=source, width=picture.width, height=picture.height, alt=picture.alt
    )


@html_of.register
def _(block: content.Flip) -> Html:
    """A radio button for each cell: the one that is checked shows its picture on the stage."""
    corner = [element("td")] if any(block.rows) else []
    heads = [*corner, *(element("th", column, scope="col") for column in block.columns)]
    head = element("thead", element("tr", *heads)) if any(block.columns) else ""
    rows = []
    for number, (label, cells) in enumerate(zip(block.rows, block.cells, strict=True)):
        named = [element("th", label, scope="row")] if label else corner
        rows.append(element("tr", *named, *(_flip_cell(block, cell, number == 0 and k == 0) for k, cell in enumerate(cells))))
    table = element("div", element("table", head, element("tbody", *rows)), class_="scroll")
    return element("div", element("div", class_="stage"), table, class_="flip", role="radiogroup", aria_label=block.label)


def _flip_cell(block: content.Flip, cell: content.FlipCell, checked: bool) -> Html:
    radio = element("input", type="radio", name=block.label, checked=checked, aria_label=cell.caption)
    details = element("small", cell.details) if cell.details else ""
    large = element("span", picture_html(cell.large), element("span", element("b", cell.caption), details), class_="large")
    return element("td", element("label", radio, picture_html(cell.small), large))


@html_of.register
def _(block: content.Table) -> Html:
    kinds = ["number" if column.kind == "number" else "" for column in block.columns]
    heads = [element("th", column.title, scope="col", class_=kind) for column, kind in zip(block.columns, kinds, strict=True)]
    rows = []
    for row in block.rows:
        first, *others = [_cell(cell) for cell in row]
        cells = [element("td", cell, class_=kind) for cell, kind in zip(others, kinds[1:], strict=True)]
        rows.append(element("tr", element("th", first, scope="row"), *cells))
    table = element("table", element("thead", element("tr", *heads)), element("tbody", *rows))
    return element("div", table, class_="scroll", role="region", aria_label=block.label, tabindex="0")


def _cell(cell: Words | content.Bar) -> Html:
    if isinstance(cell, content.Bar):
        filled = element("span", style=f"width: {100 * min(max(cell.share, 0.0), 1.0):.1f}%")
        return joined(cell.text, element("span", filled, class_="bar faint" if cell.faint else "bar", aria_hidden="true"))
    return words_html(cell)


@html_of.register
def _(block: content.Curve) -> Html:
    caption = element("figcaption", words_html(block.caption)) if block.caption else ""
    return element("figure", _legend(block), curve_svg(block), caption, class_="card")


def _legend(curve: content.Curve) -> Html:
    """The lines' names, where there is more than one to tell apart."""
    if len(curve.series) < 2:
        return Html("")
    names = []
    for series, dash in zip(curve.series, dashes(curve.series), strict=True):
        line = element("line", class_="line faint" if series.faint else "line", x1="0", x2="28", y1="6", y2="6", stroke_dasharray=dash)
        names.append(element("span", element("svg", line, width="28", height="12", aria_hidden="true"), series.name))
    return element("p", *names, class_="legend")


@html_of.register
def _(block: content.Findings) -> Html:
    if not block.findings:
        return element("p", block.none, class_="quiet")
    return element("div", *(_finding(finding) for finding in block.findings), class_="findings")


def _finding(finding: Finding) -> Html:
    parts = [element("h3", element("span", finding.severity, class_=f"severity {finding.severity}"), finding.message)]
    measured = str(finding.evidence) if finding.evidence is not None else ""
    if reason := " ".join(part for part in (_sentence(measured), finding.why) if part):
        parts.append(element("p", reason))
    if finding.fix is not None:
        changes = [joined(" ", element("code", change_text(change))) for change in finding.fix.changes]
        parts.append(element("p", element("strong", "What to do: "), finding.fix.words, *changes))
    parts.append(_listed(finding.details, "detail", "details"))
    parts.append(_listed(finding.subjects, finding.about, "subjects"))
    sure = [f"{finding.confidence:.0%} sure"] if finding.confidence < 1 else []
    parts.append(element("p", " · ".join([finding.code, *sure, *([finding.source] if finding.source else [])]), class_="origin"))
    return element("article", *parts, class_=f"finding {finding.severity}")


def change_text(change: Change) -> str:
    """A change in short: `network.rank = 16`, `mend trim`, `captions add · tags: red hat, horn · front`."""
    match change:
        case SettingChange(setting, None):
            return f"remove {setting}"
        case SettingChange(setting, value):
            return f"{setting} = {json.dumps(value, ensure_ascii=False)}"
        case MendChange(name, parameters):
            verb = "mend"
        case CaptionChange(name, parameters):
            verb = "captions"
    return " · ".join([f"{verb} {name}", *(_parameter(key, value) for key, value in parameters.items() if value is not False)])


def _parameter(name: str, value: Any) -> str:
    if value is True:
        return name
    return f"{name}: {', '.join(map(str, value)) if isinstance(value, list | tuple) else value}"


def _listed(items: Sequence[str], noun: str, kind: str) -> Html:
    """Items in a list, the first few at once."""
    if not items:
        return Html("")
    shown, others = items[:MOST_SUBJECTS], items[MOST_SUBJECTS:]
    html = element("ul", *(element("li", item) for item in shown), class_=kind)
    if others:
        rest = element("ul", *(element("li", item) for item in others), class_=kind)
        html = joined(html, element("details", element("summary", f"{len(others):,} more"), rest))
    return html


def _sentence(text: str) -> str:
    return text if not text or text[-1] in ".!?" else f"{text}."


@html_of.register
def _(block: content.TagCloud) -> Html:
    most = max((count for _, count in block.tags), default=1)
    tags = [
        joined(element("span", tag, style=f"font-size: {0.8 + 2.4 * (count / most) ** 0.5:.2f}em", title=f"{tag}: {count:,}"), " ")
        for tag, count in block.tags
    ]
    return element("p", *tags, class_="cloud")


@html_of.register
def _(block: content.Listing) -> Html:
    return element("pre", block.text, tabindex="0", aria_label=block.label)


@html_of.register
def _(block: content.Collapsible) -> Html:
    return element("details", element("summary", block.title), *_blocks(block.blocks))
