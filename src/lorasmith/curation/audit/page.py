"""An audit as one HTML page that needs nothing else: the score and where it went, the findings, pictures of the worst."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path

from PIL import Image

from lorasmith.curation.audit.audit import Audit
from lorasmith.curation.audit.kinds import KINDS, Finding
from lorasmith.errors import DatasetError
from lorasmith.images.read import read_picture

THUMBNAIL = 220
"""Pixels: longest side."""

COLOURS = {"error": "#b3261e", "warning": "#b26a00", "note": "#4a6785"}


def audit_page(audit: Audit, worst: int = 24, copies: int = 8) -> str:
    """The page; `worst` pictures are shown, and the first `copies` groups of copies."""
    spoilt = audit.worst(worst)
    groups = [f for f in audit.findings if f.kind in ("exact duplicate", "near duplicate")][:copies]
    ofset = [f for f in audit.findings if f.kind in _SET]
    parts = [
        f"<header><div class=score style='--part:{audit.score}'><b>{audit.score}</b><i>of 100</i></div><div><h1>{escape(audit.root.name)}</h1>",
        f"<p>{len(audit.pictures)} pictures, judged for a training at {audit.resolution} x {audit.resolution} pixels"
        + (f", as a {audit.kind}" if audit.kind else "") + ".</p>",
        "<p class=why>" + ("Points lost: " + ", ".join(f"{escape(why)} {points:g}" for why, points in audit.why[:6]) if audit.why else "Nothing to find fault with.") + "</p>",
        "</div></header>",
        "<h2>What was found</h2><table>",
    ]  # fmt: skip
    most = max(audit.counts.values(), default=1)
    for kind, count in audit.counts.items():
        meaning = KINDS[kind]
        parts.append(
            f"<tr><td><span class=dot style='background:{COLOURS[meaning.severity]}'></span>{escape(meaning.title)}</td>"
            f"<td class=number>{count}</td><td class=bar><i style='width:{100 * count / most:.0f}%;background:{COLOURS[meaning.severity]}'></i></td>"
            f"<td>{escape(meaning.consequence)} <em>{escape(meaning.remedy)}</em></td></tr>"
        )
    parts.append("</table>")
    if ofset:
        parts.append("<h2>The set</h2><ul>" + "".join(f"<li>{_sentence(finding)}</li>" for finding in ofset) + "</ul>")
    if spoilt:
        parts.append("<h2>The worst</h2><div class=grid>")
        for picture, worth in spoilt:
            reasons = "".join(f"<li>{_sentence(finding)}</li>" for finding in audit.of(picture.path)[:4])
            parts.append(
                f"<figure>{_thumbnail(picture.path)}<figcaption><b>{_name(audit, picture.path)}</b> <span>{worth:.0%}</span><ul>{reasons}</ul></figcaption></figure>"
            )
        parts.append("</div>")
    if groups:
        parts.append("<h2>Copies</h2>")
        for finding in groups:
            shown = "".join(
                f"<figure>{_thumbnail(path)}<figcaption>{'keep ' if place == 0 else ''}<b>{_name(audit, path)}</b></figcaption></figure>"
                for place, path in enumerate(finding.paths[:6])
            )
            parts.append(f"<p>{_sentence(finding)}</p><div class=grid>{shown}</div>")
    title = f"Audit of {escape(audit.root.name)}"
    return f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>{title}</title><style>{_STYLE}</style><main>{''.join(parts)}</main></html>\n"


_SET = ("same background", "same pose", "one source", "set too small", "set too large", "same lettering")


def _sentence(finding: Finding) -> str:
    meaning = finding.meaning
    detail = f" <small>{escape(finding.detail)}</small>" if finding.detail and finding.kind != "unreadable" else ""
    return (
        f"<strong style='color:{COLOURS[meaning.severity]}'>{escape(meaning.title)}</strong>: {escape(finding.evidence)}"
        f" <small>(sure: {finding.certainty:.0%})</small>{detail}"
    )


def _name(audit: Audit, path: Path) -> str:
    return escape(path.relative_to(audit.root).as_posix())


def _thumbnail(path: Path) -> str:
    try:
        picture = read_picture(path)
    except DatasetError:
        return "<div class=none>no picture</div>"
    picture.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=82)
    return f"<img alt='{escape(path.name, quote=True)}' src='data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}'>"


_STYLE = """
:root{color-scheme:light dark;--ink:#1d2126;--soft:#5c6670;--line:#dfe3e8;--ground:#fbfbfa;--card:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#9aa4ae;--line:#343a41;--ground:#16191d;--card:#1f2429}}
*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1120px;margin:0 auto;padding:32px 24px 64px}
header{display:flex;gap:28px;align-items:center}h1{margin:0;font-size:28px}h2{margin:40px 0 12px;font-size:19px}
header p{margin:4px 0;color:var(--soft)}
.score{flex:none;width:112px;height:112px;border-radius:50%;display:grid;place-content:center;text-align:center;
background:radial-gradient(var(--ground) 62%,transparent 63%),conic-gradient(#2e7d5b calc(var(--part)*1%),var(--line) 0)}
.score b{font-size:34px;line-height:1}.score i{font-style:normal;font-size:12px;color:var(--soft)}
table{width:100%;border-collapse:collapse}td{padding:8px 10px;border-top:1px solid var(--line);vertical-align:top}
td:first-child{white-space:nowrap}.number{text-align:right;font-variant-numeric:tabular-nums}.bar{width:110px}
.bar i{display:block;height:9px;margin-top:7px;border-radius:5px;min-width:4px}
.dot{display:inline-block;width:9px;height:9px;border-radius:50%;margin-right:9px}
em{color:var(--soft)}small{color:var(--soft)}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(230px,1fr));gap:16px}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px;overflow-wrap:anywhere}
img,.none{display:block;width:100%;height:190px;object-fit:contain;background:repeating-conic-gradient(#8881 0 25%,#0000 0 50%) 0/18px 18px;border-radius:6px}
.none{display:grid;place-content:center;color:var(--soft)}
figcaption{margin-top:8px;font-size:13px}figcaption span{color:var(--soft)}figcaption ul{margin:6px 0 0;padding-left:16px}
"""
