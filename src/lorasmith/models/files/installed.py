"""Files that installed packages carry: found by name, without importing the package."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata
from pathlib import Path


def installed_file(distributions: Iterable[str], name: str) -> Path | None:
    """The file called `name` in the first of these distributions that is installed and has it; None where none has."""
    for distribution in distributions:
        try:
            files = metadata.files(distribution) or []
        except metadata.PackageNotFoundError:
            continue
        for file in files:
            if file.name == name and (path := Path(str(file.locate()))).is_file():
                return path
    return None
