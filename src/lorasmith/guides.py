"""Whose advice the defaults, recipes and lints follow: guides by people who train LoRAs, named in words."""

from __future__ import annotations

SEAART = "SeaArt training, part 2"
CRASH_COURSE = "crash course: LoRA and LyCORIS"
COLAB = "colab trainer, settings and testing"
BOOTCAMP = "bootcamp: parameters and control"
FUNDAMENTALS = "fundamentals, on-site trainer"

GUIDES = (SEAART, CRASH_COURSE, COLAB, BOOTCAMP, FUNDAMENTALS)

MEASURED = "measured (docs/notebook.md)"
"""Our own measurements."""


def guides(*titles: str) -> str:
    """Several sources as one; without any, all of `GUIDES` agree."""
    return "; ".join(titles or GUIDES)
