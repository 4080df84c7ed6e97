"""`/docs`: the handbook of this version, in pages without a script; and where it explains a setting, a finding or a verdict.

The page links to `/docs/settings/network.rank`, `/docs/findings/audit.too_small` and `/docs/verdicts/over-cooked`, and need not know
which page of the handbook that is.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import HTMLResponse, RedirectResponse, Response

from lorasmith.handbook import findings, settings
from lorasmith.handbook.html import html_of
from lorasmith.handbook.pages import pages, title_of
from lorasmith.pages.markup import Html, element

DOCS = "/docs/"
STYLE = "style.css"

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def get_start() -> Response:
    """The way to the list of pages, from which their addresses are relative."""
    return RedirectResponse(DOCS)


@router.get("/docs/settings/{setting}")
def go_to_setting(setting: str) -> Response:
    """The way to a setting, by its dotted name."""
    return RedirectResponse(DOCS + settings.address(setting))


@router.get("/docs/findings/{code}")
def go_to_finding(code: str) -> Response:
    """The way to what explains a finding, by its code."""
    return RedirectResponse(DOCS + findings.address(code))


@router.get("/docs/verdicts/{verdict}")
def go_to_verdict(verdict: str) -> Response:
    """The way to what is said of a checkpoint."""
    return RedirectResponse(DOCS + findings.verdict_address(verdict))


@router.get("/docs/{place:path}")
def get_page(place: str) -> Response:
    """A page of the handbook, or the list of them."""
    if place == STYLE:
        return Response(_style(), media_type="text/css", headers={"cache-control": "no-cache"})
    if place == "":
        return HTMLResponse(_contents())
    if place not in pages():
        return HTMLResponse(
            _framed("Not there", element("h1", "This page is not there"), element("p", "Look for it in the contents.")), 404
        )
    return HTMLResponse(_page(place))


@cache
def _page(place: str) -> str:
    known = pages()
    markdown = known[place]()
    return _framed(title_of(markdown), Html(html_of(markdown, place, known.keys())))


@cache
def _contents() -> str:
    links = [element("li", element("a", title_of(markdown()), href=DOCS + place)) for place, markdown in pages().items()]
    return _framed("Handbook", element("h1", "Handbook"), element("ul", *links))


def _framed(title: str, *content: Html) -> str:
    """A page with its head and the way back to the contents."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{title} - Lorasmith"),
        element("link", rel="stylesheet", href=DOCS + STYLE),
    )
    body = element("body", element("nav", element("a", "Lorasmith's handbook", href=DOCS)), element("main", *content))
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


@cache
def _style() -> str:
    return files("lorasmith.handbook").joinpath("style.css").read_text(encoding="utf-8")
