"""What a model's file or folder is called, where nothing in it says what its name does."""

from __future__ import annotations

import re
from pathlib import Path

TURBO = r"(?<!de)(?<!de[-_. ])turbo"
"""Bases that were distilled to few steps, and not those that were made from them to undo it."""


def is_called(source: Path, pattern: str) -> bool:
    """Whether the name of a file or folder has this pattern in it, in small letters; of a snapshot in the hub's cache the repository's name."""
    repositories = [parent.name for parent in source.parents if parent.name.startswith("models--")]
    return any(re.search(pattern, name.lower()) for name in (source.name, *repositories))
