"""Verbs on recipes: list, show."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Settings for a kind of LoRA on a family of bases, each with its reason and source.")


@app.command("list")
def list_recipes() -> None:
    """What can be asked for.

    lorasmith recipe list
    """
    from typing import get_args

    from lorasmith.training.recipes.recipes import GUIDES, FamilyName, Kind, Level

    for name, known in (("kind", Kind), ("family", FamilyName), ("level", Level)):
        typer.echo(f"{name}: {', '.join(get_args(known))}")
    typer.echo("sources: " + "; ".join(f"{key} {title}" for key, title in GUIDES.items()))


@app.command()
def show(
    recipe: Annotated[str, typer.Argument(help="character, style, concept or multi-concept; or the file of a recipe of your own.")],
    family: Annotated[str, typer.Argument(help="sd1, sd2, sdxl or flux; not with a file.")] = "",
    images: Annotated[int, typer.Option(min=1, help="How many pictures there are.")] = 30,
    level: Annotated[str, typer.Option(help="quick, standard or competition.")] = "standard",
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Every setting of a recipe with its reason and its source.

    lorasmith recipe show style sdxl --images 80
    """
    from dataclasses import asdict

    choices = chosen(recipe, family, level, images)
    if as_json:
        typer.echo(json.dumps([asdict(choice) for choice in choices]))
        return
    for choice in choices:
        typer.echo(f"{choice.setting} = {json.dumps(choice.value)}")
        typer.echo(textwrap.indent(textwrap.fill(f"{choice.reason} ({choice.source})", 76), "    "))


def chosen(recipe: str, family: str, level: str, images: int):  # type: ignore[no-untyped-def]  # its type would import training
    """The choices of a named recipe, or of a recipe file."""
    from lorasmith.errors import SettingsError
    from lorasmith.training.recipes import recipes

    if recipe.endswith(".toml"):
        if family:
            raise SettingsError(f"the recipe {recipe} knows its family itself; leave {family!r} out")
        return recipes.own_recipe(Path(recipe), images)
    if not family:
        raise SettingsError(f"the recipe {recipe!r} needs a family of base models; add sd1, sd2, sdxl or flux")
    return recipes.recipe(recipe, family, level, images)
