"""Markdown as HTML: with an anchor at each heading, with links that end inside the handbook, and without pictures, which stay behind."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

_TOGETHER = ("link_open", "link_close")


def html_of(markdown: str, place: str, pages: Collection[str]) -> str:
    """The HTML of the page at `place`; a link to what is not among `pages` is plain text."""
    reader = MarkdownIt("commonmark").enable("table")
    tokens = reader.parse(markdown)
    taken: set[str] = set()
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", _slug(tokens[at + 1].content, taken))
        if token.type == "inline":
            token.children = list(_within(token.children or [], place, pages))
    return str(reader.renderer.render(tokens, reader.options, {}))


def anchors_of(html: str) -> set[str]:
    """Where links into a page may end."""
    return set(re.findall(r'\bid="([^"]+)"', html))


def _within(tokens: list[Token], place: str, pages: Collection[str]) -> Iterator[Token]:
    """Tokens of a line without links that would end nowhere, and with the words of a picture in its place."""
    open_links: list[bool] = []
    for token in tokens:
        if token.type == "image":
            yield Token("text", "", 0, content=f"[{token.content}]" if token.content else "")
        elif token.type not in _TOGETHER:
            yield token
        elif token.type == "link_open":
            open_links.append(_ends_inside(str(token.attrGet("href")), place, pages))
            if open_links[-1]:
                yield token
        elif open_links.pop():
            yield token


def _ends_inside(target: str, place: str, pages: Collection[str]) -> bool:
    """Whether a link leads to a page of the handbook, or to another site."""
    if target.startswith(("#", "https:", "http:")):
        return True
    return posixpath.normpath(posixpath.join(posixpath.dirname(place), target.partition("#")[0])) in pages


def _slug(heading: str, taken: set[str]) -> str:
    """A heading as an anchor, as mkdocs makes it."""
    plain = re.sub(r"[^\w\s-]", "", re.sub(r"<[^>]*>", "", heading)).strip().lower()
    slug = name = re.sub(r"[-\s]+", "-", plain)
    number = 0
    while name in taken:
        number += 1
        name = f"{slug}_{number}"
    taken.add(name)
    return name
