"""The report on a set of captions: one page that can be opened anywhere, and the same numbers as JSON.

The tag cloud and the style lie inside the file; it runs no script and asks no other machine for anything.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from html import escape

from lorasmith.captions.advice import Finding
from lorasmith.captions.statistics import Spread, Statistics
from lorasmith.captions.tag_cloud import tag_cloud, undrawable

MOST_ROWS = 200
"""Rows of a table on the page; JSON has them all."""


def report_json(name: str, statistics: Statistics, findings: Sequence[Finding]) -> bytes:
    """Everything as JSON, UTF-8."""
    tree = {"name": name, **statistics.as_tree(), "findings": [asdict(finding) for finding in findings]}
    return json.dumps(tree, indent=1, ensure_ascii=False).encode()


def report_html(name: str, statistics: Statistics, findings: Sequence[Finding]) -> bytes:
    """The page, UTF-8."""
    cloud = io.BytesIO()
    tag_cloud(statistics.frequencies).save(cloud, "PNG", optimize=True)
    picture = base64.b64encode(cloud.getvalue()).decode()
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>Captions of {escape(name)}</title>
<style>{_STYLE}</style></head><body><main>
<h1>Captions of {escape(name)}</h1>
<dl class="facts">{_facts(statistics)}</dl>
<h2>Advice</h2>
{"".join(map(_finding, findings)) or "<p>Nothing was found that speaks against these captions.</p>"}
<h2>Tags</h2>
<img alt="The most frequent tags, the frequent ones large" src="data:image/png;base64,{picture}">
{_left_out(statistics)}
{_frequencies(statistics)}
<h2>Tags that stand together</h2>
{_together(statistics)}
<h2>Captions</h2>
{_by_caption(statistics)}
</main></body></html>
"""
    return page.encode()


def _facts(statistics: Statistics) -> str:
    facts: dict[str, str] = {
        "captions": f"{statistics.captions:,}",
        "empty": f"{statistics.empty:,}",
        "different tags": f"{len(statistics.frequencies):,}",
        "tags a caption": _spread(statistics.tags),
        "characters a caption": _spread(statistics.characters),
    }
    if statistics.tokens:
        facts["tokens a caption"] = _spread(statistics.tokens)
    return "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.items())


def _spread(numbers: Mapping[str, int]) -> str:
    spread = Spread.of(numbers.values())
    return f"{spread.least:g} to {spread.most:g}, mostly {spread.median:g}"


def _finding(finding: Finding) -> str:
    keys = ", ".join(map(escape, finding.pictures[:12])) + (f" and {len(finding.pictures) - 12} more" if len(finding.pictures) > 12 else "")
    details = "".join(f"<li>{escape(detail)}</li>" for detail in finding.details[:12])
    more = f"<li>and {len(finding.details) - 12} more</li>" if len(finding.details) > 12 else ""
    return (
        f'<section class="{finding.severity}"><h3>{finding.severity}: {escape(finding.what)}</h3>'
        f"<p><b>{finding.number:g} {escape(finding.unit)}.</b> {escape(finding.why)}</p><p>{escape(finding.remedy)}</p>"
        + (f"<ul>{details}{more}</ul>" if details else "")
        + f'<p class="keys">{keys}</p></section>'
    )


def _frequencies(statistics: Statistics) -> str:
    most = max(statistics.frequencies.values(), default=1)
    rows = [
        (
            escape(tag),
            f"{count:,}",
            f"{100 * count / statistics.captions:.0f} %",
            f'<span class="bar" style="width: {100 * count / most:.1f}%"></span>',
        )
        for tag, count in statistics.frequencies.items()
    ]
    return _table(("tag", "captions", "share", ""), rows)


def _left_out(statistics: Statistics) -> str:
    tags = undrawable(statistics.frequencies)
    if not tags:
        return ""
    return f"<p>Not in the picture, since no font of the machine that drew it has their letters: {escape(', '.join(tags[:20]))}.</p>"


def _together(statistics: Statistics) -> str:
    rows = [(escape(f"{pair.first} + {pair.second}"), f"{pair.captions:,}", f"{pair.strength:.2f}") for pair in statistics.together]
    if not rows:
        return "<p>No two tags stand together more often than by chance.</p>"
    return _table(("tags", "captions", "strength, 1 is always"), rows)


def _by_caption(statistics: Statistics) -> str:
    tokens = statistics.tokens
    rows = [
        (escape(key), f"{count:,}", f"{statistics.characters[key]:,}", *([f"{tokens[key]:,}"] if tokens else []))
        for key, count in sorted(statistics.tags.items(), key=lambda item: (-item[1], item[0]))
    ]
    return _table(("caption", "tags", "characters", *(["tokens"] if tokens else [])), rows)


def _table(head: Sequence[str], rows: Sequence[Iterable[str]]) -> str:
    """Cells are HTML already."""
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows[:MOST_ROWS])
    more = f"<p>and {len(rows) - MOST_ROWS:,} more, all of them in the JSON</p>" if len(rows) > MOST_ROWS else ""
    return "<table><thead><tr>" + "".join(f"<th>{escape(name)}</th>" for name in head) + f"</tr></thead><tbody>{body}</tbody></table>{more}"


_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --paper: #fcfbf8; --line: #dcd8cf; --bar: #2e6e5c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e1; --paper: #181b20; --line: #3a3f48; --bar: #5fae97; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 70rem; margin: 0 auto; padding: 2rem 1rem; }
.facts { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; } .facts dt { font-size: .85rem; opacity: .75; } .facts dd { margin: 0; font-size: 1.2rem; }
img { max-width: 100%; height: auto; border-radius: .5rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; } th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line); }
td:last-child { width: 40%; } .bar { display: block; height: .7rem; background: var(--bar); border-radius: .2rem; }
section { border-left: .3rem solid var(--line); padding: .1rem 1rem; margin: 1rem 0; } section h3 { margin: .3rem 0; font-size: 1.05rem; }
section.problem { border-color: #b0402c; } section.warning { border-color: #c08a1e; } section.hint { border-color: #4a76a8; }
.keys { font-size: .85rem; opacity: .75; overflow-wrap: anywhere; }
"""
