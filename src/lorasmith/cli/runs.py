"""The verb that lists runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lorasmith.cli.options import AsJson
from lorasmith.cli.output import print_json


def runs(
    folder: Annotated[Path, typer.Argument(help="Folder in which runs are looked for, five levels deep.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """List runs with their state, step, time left and verdict, the latest first; also those that another terminal or the queue began.

    lorasmith runs

    lorasmith runs projects/anna
    """
    from lorasmith.evaluation.run_list import list_runs
    from lorasmith.pages.numbers import duration

    found = list_runs(folder)
    if as_json:
        print_json({"folder": folder, "runs": [run.as_data for run in found]})
        return
    width = max((len(str(run.folder)) for run in found), default=0)
    for run in found:
        steps = f"{run.step}/{'?' if run.steps is None else run.steps}"
        left = "" if run.eta is None else f"{duration(run.eta)} left"
        typer.echo(
            "  ".join(filter(None, (f"{run.folder!s:<{width}}  {run.state:<8}  {steps:>11}", left, run.verdict or run.note))).rstrip()
        )
    if not found:
        typer.echo(f"There is no run below {folder.absolute()}. Begin one with: lorasmith train SETTINGS")
