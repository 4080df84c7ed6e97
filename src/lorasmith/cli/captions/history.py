"""Verbs on what was done to captions: undo, redo, history."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lorasmith.cli.captions.options import Folder
from lorasmith.cli.options import AsJson
from lorasmith.cli.output import print_json
from lorasmith.pages.numbers import count

if TYPE_CHECKING:
    from lorasmith.captions.history import Change, Operation

Steps = Annotated[int, typer.Option(min=1, help="How many operations.")]


def undo(folder: Folder, steps: Steps = 1, as_json: AsJson = False) -> None:
    """Undo the last operation on a folder's captions.

    lorasmith captions undo my-pictures
    """
    from lorasmith.captions.history import History

    _repeat(folder, History(folder).undo, steps, "undone", as_json)


def redo(folder: Folder, steps: Steps = 1, as_json: AsJson = False) -> None:
    """Redo the operation that was undone last.

    lorasmith captions redo my-pictures
    """
    from lorasmith.captions.history import History

    _repeat(folder, History(folder).redo, steps, "redone", as_json)


def history(folder: Folder, as_json: AsJson = False) -> None:
    """List what was done to a folder's captions, the newest last.

    lorasmith captions history my-pictures
    """
    from lorasmith.captions.history import History

    operations = History(folder).operations()
    if as_json:
        print_json({"folder": folder, "operations": [one.as_data for one in operations]})
        return
    for one in operations:
        state = "" if one.state == "applied" else f" ({one.state})"
        typer.echo(f"{one.number:4}  {one.at.astimezone():%Y-%m-%d %H:%M}  {count(one.files, 'caption'):>15}  {one.summary}{state}")
    if not operations:
        typer.echo(f"The captions of {folder} have not been changed yet.")


def _repeat(folder: Path, step: Callable[[], tuple[Operation, list[Change]]], steps: int, done: str, as_json: bool) -> None:
    from lorasmith.captions.history import NOTHING_TO_DO
    from lorasmith.errors import DatasetError
    from lorasmith.projects.trigger import follow_in_dataset

    operations: list[Operation] = []
    ended: DatasetError | None = None
    while len(operations) < steps and ended is None:
        try:
            operations.append(step()[0])
            follow_in_dataset(folder, operations[-1].note, undone=done == "undone")
        except DatasetError as error:
            ended = error
    notes = []
    if operations and ended is not None and ended.code == NOTHING_TO_DO:
        these = "this" if len(operations) == 1 else "these"
        notes, ended = [f"The history has no more than {these} {len(operations)} of {count(steps, 'operation')}."], None
    if as_json and operations:
        print_json({"folder": folder, "operations": [one.as_data for one in operations], "notes": notes})
    elif not as_json:
        for one in operations:
            typer.echo(f"{done}: {one.summary} ({count(one.files, 'caption')})")
        for note in notes:
            typer.echo(f"note: {note}", err=True)
    if ended is not None:
        raise ended
