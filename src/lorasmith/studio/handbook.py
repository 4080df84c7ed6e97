"""`/docs`: the handbook of this version, for the links that stand beside settings, findings and verdicts. Pages without a script."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import HTMLResponse, RedirectResponse, Response

from lorasmith.handbook.html import html_of
from lorasmith.handbook.pages import pages, title_of
from lorasmith.pages.markup import Html, element

DOCS = "/docs/"
STYLE = "style.css"

router = APIRouter(include_in_schema=False)


def help_at(address: str) -> str:
    """The handbook's address as one of the studio; "" stays ""."""
    return DOCS + address if address else ""


@router.get("/docs")
def get_start() -> Response:
    """The way to the list of pages, from which their addresses are relative."""
    return RedirectResponse(DOCS)


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
