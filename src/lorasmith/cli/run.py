"""Verbs on a run: new, plan, train, resume, report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lorasmith.errors import SettingsError


def new(
    settings_file: Annotated[Path, typer.Argument(help="Settings file to write, such as my-lora.toml.")],
    dataset: Annotated[Path, typer.Option(help="Folder of pictures with captions beside them.")],
    base: Annotated[Path, typer.Option(help="Base model: a file, a diffusers folder, or a hub id.")],
    trigger: Annotated[str | None, typer.Option(help="Word that shall call the LoRA.")] = None,
    recipe: Annotated[
        str | None, typer.Option(help="character, style, concept, multi-concept, or the file of a recipe of your own.")
    ] = None,
    level: Annotated[str, typer.Option(help="Of the recipe: quick, standard or competition.")] = "standard",
    name: Annotated[str | None, typer.Option(help="Name of the LoRA; the file's name where left out.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the settings file.")] = False,
) -> None:
    """Write a complete settings file, every setting with its meaning, to be edited and trained.

    lorasmith new zorvex.toml --dataset pictures/zorvex --base models/base.safetensors --trigger zorvex --recipe character
    """
    from lorasmith.training.recipes.starting_point import starting_point
    from lorasmith.training.settings.toml import settings_toml

    if settings_file.exists() and not force:
        raise SettingsError(f"the file {settings_file} is there already; give another name or --force")
    choices = None
    if recipe is not None:
        from lorasmith.cli.recipe import chosen
        from lorasmith.datasets.folders import open_folder
        from lorasmith.models.open import detect_family

        images = len(open_folder(dataset, verify=False).pictures)
        choices = chosen(recipe, "" if recipe.endswith(".toml") else detect_family(base), level, images)
    settings, notes = starting_point(dataset, base, trigger, name or settings_file.stem, choices)
    settings_file.write_text(settings_toml(settings), encoding="utf-8")
    for note in notes:
        typer.echo(note)
    typer.echo(f"wrote {settings_file}; look at it, then: lorasmith train {settings_file}")


def plan(
    settings_file: Annotated[Path, typer.Argument(help="Settings file (TOML).")],
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Check settings and pictures, and say what a training would do, write, need and take, and what the guides would say to it.

    No weight is read. The time is for this machine, as fast as it is at the moment.

    lorasmith plan zorvex.toml
    """
    from lorasmith.training.forecast.report import as_text, make_report
    from lorasmith.training.settings.toml import load_settings

    report = make_report(load_settings(settings_file))
    typer.echo(json.dumps(report.as_data) if as_json else as_text(report))


def train(
    settings_file: Annotated[Path, typer.Argument(help="Settings file (TOML).")],
    out: Annotated[Path | None, typer.Option(help="Run folder to make; runs/NAME where left out.")] = None,
) -> None:
    """Train a LoRA. Ctrl-C stops and saves; `lorasmith resume` goes on.

    lorasmith train zorvex.toml --out runs/zorvex
    """
    from lorasmith.cli.terminal import follow
    from lorasmith.jobs.training import start_training
    from lorasmith.training.settings.toml import load_settings

    settings = load_settings(settings_file)
    folder = out or Path("runs") / settings.name
    with follow() as (listener, commands):
        result = start_training(settings, folder, [listener], commands)
    _exit_unless_finished(result.finished)


def resume(run_folder: Annotated[Path, typer.Argument(help="Folder of a run that was stopped or killed.")]) -> None:
    """Go on with a run exactly where its last saved state stands.

    lorasmith resume runs/zorvex
    """
    from lorasmith.cli.terminal import follow
    from lorasmith.jobs.training import resume_training

    with follow() as (listener, commands):
        result = resume_training(run_folder, [listener], commands)
    _exit_unless_finished(result.finished)


def report(run_folder: Annotated[Path, typer.Argument(help="Folder of a run.")]) -> None:
    """Write the report of a run anew, from what lies in its folder.

    lorasmith report runs/zorvex
    """
    from lorasmith.evaluation.report import write_report

    typer.echo(write_report(run_folder))


def _exit_unless_finished(finished: bool) -> None:
    if not finished:
        raise typer.Exit(130)
