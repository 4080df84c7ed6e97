"""The verb on several runs at once: sweep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lorasmith.cli.interrupt import STOPPED, stop_on_ctrl_c
from lorasmith.cli.options import AsJson, Ray
from lorasmith.cli.output import print_json
from lorasmith.cli.progress import progress_bar

if TYPE_CHECKING:
    from lorasmith.jobs.sweep.outcome import Swept


def sweep(
    sweep_file: Annotated[
        Path, typer.Argument(help="File of a sweep (TOML), or the folder of one that is to go on; with --ladder a settings file.")
    ],
    ladder: Annotated[
        bool, typer.Option("--ladder", help="Three rates by two ranks of a settings file, on a short budget; then the winner in full.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Its folder. Empty: runs/NAME.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "--plan", help="Check every trial and say what the sweep will take; train nothing.")
    ] = False,
    ray: Ray = None,
    as_json: AsJson = False,
) -> None:
    """Try several settings, stop what the evidence rules out, and say which to use.

    lorasmith sweep rates.toml --dry-run

    lorasmith sweep rates.toml

    lorasmith sweep --ladder zorvex.toml

    lorasmith sweep rates.toml --ray auto

    Trials are trainings in the queue of this folder, one on each device, or over the nodes of a Ray cluster. Ctrl-C stops and saves; the same command goes on.
    """
    from lorasmith.jobs.sweep.ladder import ladder as ladder_of
    from lorasmith.jobs.sweep.sweep import nodes_at, opened
    from lorasmith.jobs.sweep.sweep import sweep as work_through

    wanted, folder = opened(ladder_of(sweep_file) if ladder else sweep_file, out)
    if dry_run:
        from lorasmith.jobs.sweep.forecast import forecast_sweep

        forecast = forecast_sweep(wanted, None if ray is None else nodes_at(ray))
        if as_json:
            print_json({"sweep_file": sweep_file, "folder": folder, **forecast.as_data})
        else:
            typer.echo(forecast)
        return
    with stop_on_ctrl_c("Stopping when the trials under way have saved.") as stopping, progress_bar("sweeping") as progress:
        swept = work_through(wanted, folder, progress=progress, say=lambda words: typer.echo(words, err=True), cancelled=stopping, ray=ray)
    if as_json:
        print_json({"sweep_file": sweep_file, **swept.as_data})
    else:
        _print(swept)
    if not swept.complete:
        raise typer.Exit(STOPPED)


def _print(swept: Swept) -> None:
    """What was found, a line for each trial, and where the page is."""
    from lorasmith.jobs.sweep.trials import in_words

    if not swept.complete:
        typer.echo("Stopped: this is what was found so far. The same command goes on.")
    for sentence in swept.sentences:
        typer.echo(sentence)
    typer.echo(f"\n{'trial':8} {'state':10} {'score':>12}  settings")
    for one in swept.trials:
        name = f"{'*' if one is swept.recommended else ' '}{'in full' if one.number is None else one.number}"
        score = "-" if one.score is None or one.chosen is None else f"{one.score:.2f} ± {one.chosen.score.error:.2f}"
        typer.echo(f"{name:8} {one.state:10} {score:>12}  {in_words(one.values)}")
        if one.reason:
            typer.echo(f"{'':33}{one.reason}")
    typer.echo(f"\nLook at: {swept.page}")
