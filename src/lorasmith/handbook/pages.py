"""The handbook's pages by their addresses: the guides, and the references that are made from the code.

    PAGES["guide/proof.md"]()    # its Markdown
    title_of(text)               # what its first line calls it

The guides are `docs/guide/` of the repository, and travel in the wheel.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lorasmith.handbook import findings, moving, settings

GUIDE = Path(__file__).parent / "guide"

REFERENCES: dict[str, Callable[[], str]] = {settings.PAGE: settings.page, findings.PAGE: findings.page, moving.PAGE: moving.page}

BEGIN_WITH = ("first-lora.md", "studio.md", "images.md", "captions.md", "settings.md", "proof.md", "library.md")
"""The guides along the way from pictures to a LoRA; the others follow by name."""


def pages() -> dict[str, Callable[[], str]]:
    """Every page: its address -> a function that gives its Markdown. The references first, then the guides."""
    guides = sorted(
        GUIDE.glob("*.md"), key=lambda file: (BEGIN_WITH.index(file.name) if file.name in BEGIN_WITH else len(BEGIN_WITH), file.name)
    )
    return REFERENCES | {f"guide/{file.name}": lambda file=file: file.read_text(encoding="utf-8") for file in guides}


def title_of(markdown: str) -> str:
    """What the first line of a page calls it."""
    return markdown.partition("\n")[0].removeprefix("# ").strip()
