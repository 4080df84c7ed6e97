"""Settings to start a project's training from."""

from __future__ import annotations

from pathlib import Path

from lorasmith.projects.project import ProjectFolder
from lorasmith.training.recipes.recipes import Choice, recipe
from lorasmith.training.recipes.starting_point import starting_point
from lorasmith.training.settings.tree import Settings


def starting_settings(folder: ProjectFolder, cache: Path) -> tuple[Settings, list[str]]:
    """The recipe for the project's kind and level on its base, fitted to its pictures, and notes that say why.

    Raises InputError where the project has no base that can be opened, or no pictures.
    """
    project = folder.read()

    def choices(family: str, images: int) -> list[Choice]:
        return recipe(project.kind, family, project.level, images)

    return starting_point(folder.dataset, Path(project.base or ""), project.trigger, folder.id, choices, cache=cache)
