"""The side of the square that a project will train at, as far as that is known yet."""

from __future__ import annotations

from lorasmith.errors import BaseModelError
from lorasmith.models.open import describe
from lorasmith.projects.project import Project

USUAL = 1024
"""Pixels, where no base is chosen."""


def resolution_of(project: Project) -> int:
    """The base's own size in pixels; the usual one where no base is chosen, or where it cannot be opened."""
    if project.base is None:
        return USUAL
    try:
        return describe(project.base).native.side
    except BaseModelError:
        return USUAL
