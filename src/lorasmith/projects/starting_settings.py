"""Settings to start a project's training from."""

from __future__ import annotations

from pathlib import Path

from lorasmith.models.description import Description
from lorasmith.models.widths import widths_of
from lorasmith.projects.project import ProjectFolder
from lorasmith.training.recipes.recipe_file import own_recipe
from lorasmith.training.recipes.recipes import Choice, recipe
from lorasmith.training.recipes.starting_point import starting_point
from lorasmith.training.settings.tree import Settings


def starting_settings(
    folder: ProjectFolder, cache: Path, base: str | None = None, own: str | Path | None = None
) -> tuple[Settings, list[str]]:
    """The recipe for the project's kind and level on its base, or on another `base`, fitted to its pictures, and notes that say why.

    `own` is the file of a recipe to take instead. Raises InputError where there is no base that can be opened, or no pictures, and
    SettingsError where the file is not a recipe.
    """
    project = folder.read()

    def choices(description: Description, images: int) -> list[Choice]:
        if own is not None:
            return own_recipe(own, images, widths_of(description))
        return recipe(project.kind, description.family, project.level, images, widths_of(description))

    return starting_point(folder.dataset, Path(base or project.base or ""), project.trigger, folder.id, choices, cache=cache)
