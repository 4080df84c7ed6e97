"""The verb undo: take back what was done to a dataset's captions and pictures, the newest first."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lorasmith.cli.options import CACHE, AsJson, CacheFolder


def undo(
    dataset: Annotated[Path, typer.Argument(help="The dataset's folder.")],
    redo: Annotated[bool, typer.Option("--redo", help="Do again what was undone last.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List what was done, the newest first, and change nothing.")] = False,
    cache: CacheFolder = CACHE,
    as_json: AsJson = False,
) -> None:
    """Undo what was done last to a dataset: edits of captions, mends, layout, hold-out.

    \b
    lorasmith undo datasets/anna
    lorasmith undo datasets/anna --list
    lorasmith undo datasets/anna --redo
    """
    from lorasmith.cli.output import print_json
    from lorasmith.curation.history import operations, redo_next, undo_newest
    from lorasmith.errors import InputError
    from lorasmith.images.picture_cache import PICTURES
    from lorasmith.pages.numbers import count
    from lorasmith.projects.trigger import follow_in_dataset

    if list_ and redo:
        raise InputError("--list changes nothing, so it does not go with --redo: ask for one of the two.")
    change = redo_next if redo else partial(undo_newest, cache=cache / PICTURES)
    listed = operations(dataset) if list_ else [change(dataset)]
    if not list_:
        follow_in_dataset(dataset, listed[0].note, undone=not redo)
    if as_json:
        print_json({"dataset": dataset, "operations": [one.as_data for one in listed]})
    elif not list_:
        typer.echo(f"{'redone' if redo else 'undone'}: {listed[0].words}")
    elif not listed:
        typer.echo(f"Nothing was done to {dataset} yet.")
    else:
        for one in listed:
            number = count(one.count, "caption" if one.what == "captions" else "picture")
            state = "" if one.state == "done" else f" ({one.state})"
            typer.echo(f"{one.as_data['at'][:16].replace('T', ' ')}  {number:>15}  {one.words}{state}")
