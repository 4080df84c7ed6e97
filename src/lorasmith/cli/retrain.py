"""The verb that trains a LoRA again from its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lorasmith.cli.interrupt import STOPPED
from lorasmith.cli.options import AsJson, LoraFile
from lorasmith.cli.output import print_json, shown
from lorasmith.imports import without_collection

if TYPE_CHECKING:
    from lorasmith.library.retrain import Retraining


def retrain(
    file: LoraFile,
    out: Annotated[Path | None, typer.Option(help="Run folder to make. Empty: runs/NAME-again.")] = None,
    data: Annotated[list[Path] | None, typer.Option(help="Folder with its pictures, or with folders of them; may be given again.")] = None,
    base: Annotated[Path | None, typer.Option(help="Base model, where it is not found.")] = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Train also where pictures, captions or base differ.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what was found and what differs, and train nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a LoRA again from its file alone: its settings are in it, its base and pictures are found by their hashes.

    lorasmith retrain mimi.safetensors --dry-run
    lorasmith retrain mimi.safetensors --data pictures --base models/anime.safetensors --out runs/mimi-2

    Exit code 2: something is missing or differs, and nothing was trained.
    """
    from lorasmith.cli.terminal import follow

    with without_collection():
        from lorasmith.jobs.training import again, start_training
        from lorasmith.library.retrain import plan_retraining

    plan = plan_retraining(file, data or (), base)
    if as_json:
        print_json(plan.as_data)
    else:
        for line in report(plan):
            typer.echo(shown(line))
    settings = plan.ready(anyway)
    if dry_run:
        return
    with follow() as (listener, commands):
        result = start_training(settings, out or again(settings), [listener], commands)
    if not result.finished:
        raise typer.Exit(STOPPED)


def report(plan: Retraining) -> list[str]:
    """What was found, in lines."""
    words = {"same": "the same", "differs": "differs", "missing": "not found", "found": "found; its content is not recorded"}
    width = max(len(each.setting) for each in plan.inputs)
    lines = []
    for each in plan.inputs:
        place = "" if each.place is None else f"  {each.place}"
        lines.append(f"  {each.setting:<{width}}  {each.called}: {words[each.state]}{place}")
        lines += [f"  {'':<{width}}    {difference}" for difference in each.differs]
    lines += [f"note: {note}" for note in plan.notes]
    if plan.exact:
        lines.append("All is as it was: on the same machine the same tensors will come out.")
    return lines
