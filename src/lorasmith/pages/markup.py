"""HTML elements from names and text. Here, and nowhere else, text is escaped."""

from __future__ import annotations

import html
import re

VOID = {"img", "input", "br", "link", "meta"}
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def escape(text: str) -> Html:
    """Text as HTML: what a user wrote stays text, control characters show as �, and bytes that are not text as `\\udce9`."""
    visible = _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)
    return Html(html.escape(visible.encode("utf-8", "backslashreplace").decode()))


def joined(*children: str) -> Html:
    """Children in order; those that are not HTML are escaped."""
    return Html("".join(child if isinstance(child, Html) else escape(child) for child in children))


def element(tag: str, *children: str, **attributes: str | float | bool | None) -> Html:
    """`<tag attributes>children</tag>`.

    Attributes are written `class_` for class and `aria_label` for aria-label; True gives a bare one, False, None and "" none.
    """
    written = "".join(
        f" {name.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(str(value))}"')
        for name, value in attributes.items()
        if value is not None and value is not False and value != ""
    )
    return Html(f"<{tag}{written}>" if tag in VOID else f"<{tag}{written}>{joined(*children)}</{tag}>")
