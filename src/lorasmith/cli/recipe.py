"""Verbs on recipes: list, show."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from lorasmith.cli.options import AsJson
from lorasmith.cli.output import print_json

if TYPE_CHECKING:
    from lorasmith.models.widths import Widths
    from lorasmith.training.recipes.recipes import Choice

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Settings for a kind of LoRA on a family of bases, each with its reason and source."
)


@app.command("list")
def list_recipes(as_json: AsJson = False) -> None:
    """What can be asked for.

    lorasmith recipe list

    lorasmith recipe list --json
    """
    from typing import get_args

    from lorasmith.guides import GUIDES
    from lorasmith.models.families import FAMILIES
    from lorasmith.training.recipes.recipes import Kind, Level

    known = {"kinds": list(get_args(Kind)), "families": list(FAMILIES), "levels": list(get_args(Level)), "sources": list(GUIDES)}
    if as_json:
        print_json(known)
        return
    for name, values in known.items():
        typer.echo(f"{name}: {('; ' if name == 'sources' else ', ').join(values)}")


@app.command()
def show(
    recipe: Annotated[str, typer.Argument(help="character, style, concept or multi-concept; or the file of a recipe of your own.")],
    family: Annotated[str, typer.Argument(help="A family of base models, as `lorasmith recipe list` names them; not with a file.")] = "",
    images: Annotated[int, typer.Option(min=1, help="How many pictures there are.")] = 30,
    level: Annotated[str, typer.Option(help="quick, standard or competition.")] = "standard",
    as_json: AsJson = False,
) -> None:
    """Every setting of a recipe with its reason and its source.

    lorasmith recipe show style sdxl --images 80
    """

    choices = chosen(recipe, family, level, images)
    if as_json:
        given = {"recipe": recipe, "family": family, "images": images, "level": level}
        print_json(given | {"choices": [choice.as_data for choice in choices]})
        return
    for choice in choices:
        typer.echo(f"{choice.setting} = {json.dumps(choice.value)}")
        typer.echo(textwrap.indent(textwrap.fill(f"{choice.reason} ({choice.source})", 76), "    "))


def chosen(recipe: str, family: str, level: str, images: int, widths: Widths | None = None) -> list[Choice]:
    """The choices of a named recipe, or of a recipe file; None: for a base of full size."""
    from lorasmith.errors import SettingsError
    from lorasmith.models.families import FAMILIES
    from lorasmith.models.widths import FULL_SIZE
    from lorasmith.training.recipes import recipe_file, recipes

    if recipe.endswith(".toml"):
        if family:
            raise SettingsError(f"The recipe {recipe} says its family itself. Leave {family!r} out.", code="recipe.family")
        return recipe_file.own_recipe(recipe, images, widths or FULL_SIZE)
    if not family:
        raise SettingsError(f"The recipe {recipe!r} needs a family of base models. Add one of {', '.join(FAMILIES)}.", code="recipe.family")
    return recipes.recipe(recipe, family, level, images, widths or FULL_SIZE)
