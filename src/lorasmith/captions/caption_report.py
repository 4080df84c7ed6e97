"""The report on a set of captions: a page, the same numbers as JSON, and the tag cloud as a picture."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lorasmith.atomic import write_atomically
from lorasmith.captions.statistics import Spread, Statistics
from lorasmith.captions.tag_cloud import tag_cloud
from lorasmith.findings import Finding
from lorasmith.pages import numbers
from lorasmith.pages.content import Bar, Block, Column, Facts, Findings, Page, Section, Table, TagCloud, Text, Words
from lorasmith.pages.render import write_page

MOST_ROWS = 200
"""Rows of a table on the page; the JSON has them all."""
MOST_TAGS = 120
"""Tags of the cloud."""


def write_report(folder: str | Path, name: str, statistics: Statistics, findings: Sequence[Finding]) -> Path:
    """Write `report.html`, `report.json` and `tag-cloud.png` into a folder, and return the page's path."""
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    cloud = io.BytesIO()
    tag_cloud(statistics.frequencies).save(cloud, "PNG", optimize=True)
    write_atomically(out / "tag-cloud.png", cloud.getvalue())
    data = json.dumps(report_data(name, statistics, findings), indent=1, ensure_ascii=False)
    write_atomically(out / "report.json", data.encode())
    write_page(out / "report.html", report_page(name, statistics, findings))
    return out / "report.html"


def report_data(name: str, statistics: Statistics, findings: Sequence[Finding]) -> dict[str, Any]:
    """Everything, for JSON."""
    return {"name": name, **statistics.as_data, "findings": [finding.as_data for finding in findings]}


def report_page(name: str, statistics: Statistics, findings: Sequence[Finding]) -> Page:
    """The page of a set of captions called `name`."""
    return Page(
        title=name,
        kicker="Captions of a dataset, by Lorasmith",
        top=(_facts(statistics),),
        sections=(
            Section("Advice", (Findings(tuple(findings), "Nothing is wrong with these captions."),)),
            Section("Tags", _tags(statistics)),
            Section("Tags that occur together", _pairs(statistics)),
            Section("Captions", _captions(statistics)),
        ),
    )


def _facts(statistics: Statistics) -> Facts:
    facts: list[tuple[str, Words]] = [
        ("Captions", f"{statistics.captions:,}"),
        ("Empty", f"{statistics.empty:,}"),
        ("Different tags", f"{len(statistics.frequencies):,}"),
        ("Tags per caption", _spread(statistics.tags)),
        ("Characters per caption", _spread(statistics.characters)),
    ]
    if statistics.tokens:
        facts.append(("Tokens per caption", _spread(statistics.tokens)))
    return Facts(tuple(facts))


def _spread(values: Mapping[str, int]) -> str:
    spread = Spread.of(values.values())
    return f"{spread.min:g} to {spread.max:g}, median {spread.median:g}"


def _tags(statistics: Statistics) -> tuple[Block, ...]:
    if not statistics.frequencies:
        return (Text("No caption has a tag.", quiet=True),)
    shares = {tag: count / statistics.captions for tag, count in statistics.frequencies.items()}
    rows = [(tag, f"{count:,}", Bar(shares[tag], numbers.percent(shares[tag]))) for tag, count in statistics.frequencies.items()]
    cloud = TagCloud(tuple(statistics.frequencies.items())[:MOST_TAGS])
    return (cloud, *_table("Tags", (Column("Tag"), Column("Captions", "number"), Column("Share")), rows))


def _pairs(statistics: Statistics) -> tuple[Block, ...]:
    rows = [
        (f"{pair.first} + {pair.second}", f"{pair.captions:,}", Bar(pair.strength, f"{pair.strength:.2f}")) for pair in statistics.pairs
    ]
    if not rows:
        return (Text("No two tags occur together more often than by chance.", quiet=True),)
    lead = Text("Strength 1: neither occurs without the other. Strength 0: as often as by chance.", quiet=True)
    return (lead, *_table("Tags that occur together", (Column("Tags"), Column("Captions", "number"), Column("Strength")), rows))


def _captions(statistics: Statistics) -> tuple[Block, ...]:
    tokens = statistics.tokens
    rows = [
        (key, f"{count:,}", f"{statistics.characters[key]:,}", *([f"{tokens[key]:,}"] if tokens else []))
        for key, count in sorted(statistics.tags.items(), key=lambda item: (-item[1], item[0]))
    ]
    titles = ("Tags", "Characters", *(("Tokens",) if tokens else ()))
    return _table("Captions", (Column("Caption"), *(Column(title, "number") for title in titles)), rows)


def _table(label: str, columns: tuple[Column, ...], rows: Sequence[tuple[Words | Bar, ...]]) -> tuple[Block, ...]:
    """A table of the first rows, and how many more there are."""
    if not rows:
        return (Text("There are none.", quiet=True),)
    table = Table(label, columns, tuple(rows[:MOST_ROWS]))
    left_out = len(rows) - MOST_ROWS
    return (table, Text(f"{left_out:,} more are in report.json.", quiet=True)) if left_out > 0 else (table,)
