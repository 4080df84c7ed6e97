"""Verbs on the demo world: run, data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lorasmith.cli.interrupt import STOPPED

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The demo world: train on a small base that comes with Lorasmith.")


@app.command()
def run(
    out: Annotated[Path, typer.Option(help="Folder for everything that the demo makes.")] = Path("demo-out"),
    samples: Annotated[int, typer.Option(help="Pictures for each measurement.")] = 32,
    force: Annotated[
        bool, typer.Option("--force", help="Train again from the start: an earlier demo's run in that folder is deleted.")
    ] = False,
) -> None:
    """Train a LoRA of a creature that the base has never seen, and prove that it has learnt it.

    Where the folder has the run of an earlier demo, that one is measured again, or continued if it was stopped.

    lorasmith demo run
    """
    from lorasmith.cli.terminal import follow
    from lorasmith.demo.tour import tour

    with follow() as (listener, commands):
        result = tour(out, samples, [listener], commands, force=force)
    if result is None:
        raise typer.Exit(STOPPED)
    for sentence in result.verdict.sentences:
        typer.echo(sentence)
    for row in result.proof.rows():
        typer.echo(
            f"{row['measure']}: {row['before']:.0%} before, {row['after']:.0%} after ({row['wanted']}: {'holds' if row['holds'] else 'DOES NOT HOLD'})"
        )
    typer.echo(f"LoRA: {result.file}")
    typer.echo(f"Look at: {result.report}")


@app.command()
def data(
    out: Annotated[Path, typer.Argument(help="Folder for the datasets.")],
    name: Annotated[list[str] | None, typer.Option(help="Only the dataset of this name; may be given several times.")] = None,
    size: Annotated[int, typer.Option(help="Side of the pictures, in pixels.")] = 64,
) -> None:
    """Write the demo world's ready datasets: characters, styles, concepts, a regularisation set, a messy archive.

    lorasmith demo data demo-data --name character-zorvex-small
    """
    from lorasmith.demo.datasets import write_datasets

    for path in write_datasets(out, name, size):
        typer.echo(path)
