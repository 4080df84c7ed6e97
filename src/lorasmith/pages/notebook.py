"""A page inside a notebook's cell."""

from __future__ import annotations

from lorasmith.pages.content import Page
from lorasmith.pages.markup import Html, element
from lorasmith.pages.render import page_html

HEIGHT = 640
"""In pixels; the reader can pull the lower edge."""


def page_in_notebook(page: Page, height: int = HEIGHT) -> Html:
    """The page as HTML for a cell: in a frame of its own, so that its style and the notebook's do not meet, and without scripts."""
    look = f"width:100%;height:{height}px;resize:vertical;overflow:auto;border:1px solid rgba(128,128,128,.4);border-radius:6px"
    return element("iframe", title=page.title, style=look, sandbox=True, srcdoc=page_html(page))
