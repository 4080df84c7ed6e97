"""Verbs on a run: new, plan, train, resume, signal, report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lorasmith.cli.interrupt import STOPPED
from lorasmith.cli.options import CACHE, AllowPickle, AsJson, Base, CacheFolder, Ray, RunFolderArgument, SettingsFile
from lorasmith.cli.output import print_json
from lorasmith.command_line import quoted
from lorasmith.errors import SettingsError
from lorasmith.imports import without_collection
from lorasmith.training.commands import Command, StopRequested

if TYPE_CHECKING:
    from lorasmith.models.description import Description
    from lorasmith.training.recipes.recipes import Choice
    from lorasmith.training.run import RunResult


def new(
    settings_file: Annotated[Path, typer.Argument(help="Settings file to write, such as my-lora.toml.")],
    dataset: Annotated[Path, typer.Option(help="Folder of pictures with captions beside them.")],
    base: Base,
    trigger: Annotated[str | None, typer.Option(help="Word that the LoRA is to be called by in prompts.")] = None,
    recipe: Annotated[
        str | None, typer.Option(help="character, style, concept, multi-concept, or the file of a recipe of your own.")
    ] = None,
    level: Annotated[str, typer.Option(help="Of the recipe: quick, standard or competition.")] = "standard",
    name: Annotated[str | None, typer.Option(help="Name of the LoRA. Empty: the file's name.")] = None,
    allow_pickle: AllowPickle = False,
    cache: CacheFolder = CACHE,
    force: Annotated[bool, typer.Option("--force", help="Replace the settings file if it exists.")] = False,
) -> None:
    """Write a complete settings file, every setting with its meaning, to be edited and trained.

    lorasmith new zorvex.toml --dataset pictures/zorvex --base models/base.safetensors --trigger zorvex --recipe character
    """
    from lorasmith.cli.recipe import chosen
    from lorasmith.models.widths import widths_of
    from lorasmith.training.recipes.starting_point import starting_point
    from lorasmith.training.settings.toml import settings_toml

    if settings_file.exists() and not force:
        raise SettingsError(f"The file {settings_file} exists already. Give another name, or --force.", code="settings.file_exists")

    def choices(description: Description, images: int) -> list[Choice]:
        family = "" if str(recipe).endswith(".toml") else description.family
        return chosen(str(recipe), family, level, images, widths_of(description))

    settings, notes = starting_point(
        dataset, base, trigger, name or settings_file.stem, choices if recipe else None, cache=cache, allow_pickle=allow_pickle
    )
    settings_file.write_text(settings_toml(settings), encoding="utf-8")
    for note in notes:
        typer.echo(note)
    typer.echo(f"Wrote {settings_file}. Look at it, then: lorasmith train {quoted(settings_file)}")


def plan(settings_file: SettingsFile, as_json: AsJson = False) -> None:
    """Check settings and pictures, and say what a training will do, write, need and take, and what the guides advise.

    No weight is read. The time is an estimate for this machine, as fast as it is at the moment.

    lorasmith plan zorvex.toml

    Exit code 2: the training would be refused.
    """
    from lorasmith.errors import InputError
    from lorasmith.evaluation.proof.forecast import ProofForecast, forecast_proof
    from lorasmith.training.forecast.report import as_text, make_report
    from lorasmith.training.settings.toml import load_settings

    report = make_report(load_settings(settings_file))
    proof: ProofForecast | InputError
    try:
        proof = forecast_proof(report)
    except InputError as error:  # the run can be trained all the same
        proof = error
    if as_json:
        print_json({"settings_file": settings_file, **report.as_data, "proof": None if isinstance(proof, InputError) else proof.as_data})
    else:
        typer.echo(as_text(report))
        typer.echo(f"proof   {proof}")
    if report.missing:
        raise typer.Exit(2)


def cache(settings_file: SettingsFile, ray: Ray = None, as_json: AsJson = False) -> None:
    """Encode the pictures of a training before it begins, so that the training finds their latents in the cache.

    lorasmith cache zorvex.toml
    lorasmith cache zorvex.toml --ray auto

    What is in the cache is not encoded again, so Ctrl-C loses nothing. With --ray the nodes of a cluster encode, captions
    too where captions.cached_variants is set; pictures, base and cache are on storage that all nodes see under the same paths.
    """
    from lorasmith.cli.terminal import follow
    from lorasmith.training.settings.toml import load_settings

    settings = load_settings(settings_file)
    try:
        with follow() as (listener, commands):
            if ray is None:
                from lorasmith.training.cache_ahead import cache_ahead

                found = {"pictures": cache_ahead(settings, [listener], commands)}
            else:
                from lorasmith.jobs.cluster.caching import cache_on_ray

                found = asdict(cache_on_ray(settings, ray, [listener], commands))
    except StopRequested:
        typer.echo("Stopped. What was encoded is kept, and the same command goes on.", err=True)
        raise typer.Exit(STOPPED) from None
    if as_json:
        print_json({"settings_file": settings_file, **found})
    else:
        typer.echo("In the cache: " + ", ".join(f"{name} {number}" for name, number in found.items()))


def train(
    settings_file: SettingsFile,
    out: Annotated[Path | None, typer.Option(help="Run folder to make, or a URL to keep it at as well. Empty: runs/NAME.")] = None,
    queue: Annotated[
        bool, typer.Option("--queue", help="Add it to the queue of this folder instead, where it outlives the terminal: see jobs.")
    ] = False,
    as_json: AsJson = False,
    profile: Annotated[
        int | None, typer.Option(min=1, help="Profile this many steps: a trace and a table of where the time goes, in the run's folder.")
    ] = None,
    ray: Ray = None,
) -> None:
    """Train a LoRA. Ctrl-C stops and saves; `lorasmith resume` continues.

    lorasmith train zorvex.toml --out runs/zorvex

    lorasmith train zorvex.toml --out s3://bucket/runs/zorvex

    lorasmith train zorvex.toml --queue

    lorasmith train zorvex.toml --ray auto
    """
    if ray is not None and profile is not None:
        raise SettingsError(
            "--profile is for processes of this machine alone. Leave --profile or --ray out.", code="settings.contradiction"
        )
    if queue:
        from lorasmith.cli.jobs import queue_training

        if profile is not None:
            raise SettingsError(
                "A training in the queue is not profiled. Leave --profile or --queue out.", code="settings.profile_in_queue"
            )
        queue_training(settings_file, out, as_json, ray)
        return
    result = _train(settings_file, out, profile, ray=ray)
    _say_what_came_of_it(result, {"settings_file": settings_file} if as_json else None)


def _train(
    settings_file: Path, out: Path | None, profile: int | None = None, changes: Mapping[str, Any] | None = None, ray: str | None = None
) -> RunResult:  # fmt: skip
    """The training in this terminal, with `changes` to the file's settings."""
    from lorasmith.cli.terminal import follow

    with without_collection():
        from lorasmith.jobs.training import start_training
    from lorasmith.training.records.mirror import folder_of
    from lorasmith.training.settings.changes import with_changes
    from lorasmith.training.settings.toml import load_settings

    settings = load_settings(settings_file)
    if changes:
        settings = with_changes(settings, changes)
    place = out or Path("runs") / settings.name
    with follow() as (listener, commands):
        listeners = [listener]
        if profile is not None:
            from lorasmith.training.listeners.profiler import Profiler

            listeners.append(Profiler(folder_of(place), profile, lambda table: typer.echo(table, err=True)))
        return start_training(settings, place, listeners, commands, ray)


def resume(
    run_folder: RunFolderArgument,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Setting to continue with; may be given several times.")
    ] = None,
    or_train: Annotated[
        Path | None, typer.Option("--or-train", metavar="SETTINGS", help="Settings file to begin with, where there is no run there yet.")
    ] = None,
    as_json: AsJson = False,
    ray: Ray = None,
) -> None:
    """Continue a run that was stopped or killed, exactly from its last saved state; or go on with more epochs or other rates.

    lorasmith resume runs/zorvex

    lorasmith resume s3://bucket/runs/zorvex --or-train zorvex.toml

    lorasmith resume runs/zorvex --set training.epochs=20 --set optimizer.learning_rate=1e-5
    """
    from lorasmith.cli.terminal import follow

    with without_collection():
        from lorasmith.jobs.training import resume_training
    from lorasmith.training.records.mirror import is_run
    from lorasmith.training.settings.changes import parse_changes

    if or_train is not None and not is_run(run_folder):
        result = _train(or_train, run_folder, changes=parse_changes(changes or ()), ray=ray)
    else:
        with follow() as (listener, commands):
            result = resume_training(run_folder, [listener], commands, parse_changes(changes or ()), ray)
    _say_what_came_of_it(result, {"run_folder": run_folder} if as_json else None)


def signal(
    run_folder: RunFolderArgument,
    command: Annotated[
        Command,
        typer.Argument(help="stop: save and end after this step; save: write a LoRA file now; sample: generate the samples now."),
    ],
) -> None:
    """Ask a run that is under way in another terminal to stop, save or sample. It acts after the step it is at.

    lorasmith signal runs/zorvex sample

    Exit code 1: the run is not running.
    """
    from lorasmith.training.records.mirror import folder_of
    from lorasmith.training.records.run_folder import RunFolder

    RunFolder(folder_of(run_folder)).send(command)
    typer.echo(f"Requested: {command}. The run acts on it after the step under way.")


def report(run_folder: RunFolderArgument) -> None:
    """Write the report of a run again, from what is in its folder.

    lorasmith report runs/zorvex
    """
    from lorasmith.jobs.training import write_report_of
    from lorasmith.training.records.mirror import bring_run

    typer.echo(write_report_of(bring_run(run_folder)))


def _say_what_came_of_it(result: RunResult, given: dict[str, Path] | None) -> None:
    """Where the LoRA and the report are, and what tells whether it is good; as JSON with what was `given`, where that is not None.

    A run that was stopped ends with the code for that.
    """
    from lorasmith.training.records.mirror import mirror_of
    from lorasmith.training.records.run_folder import RunFolder

    report, kept = RunFolder(result.folder).report, mirror_of(result.folder)
    if given is not None:
        print_json({**given, **vars(result), "report": report})
    elif result.finished:
        typer.echo(f"The LoRA: {result.file}")
        typer.echo(f"The report: {report}")
        typer.echo(f"Which checkpoint to use: lorasmith prove {quoted(result.folder)}")
    if kept is not None and given is None:
        typer.echo(
            f"Kept in the store, too: {kept}" if result.finished else f"Continue on any machine with: lorasmith resume {quoted(kept)}"
        )
    if not result.finished:
        raise typer.Exit(STOPPED)
