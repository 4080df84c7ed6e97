"""Verbs on the catalogue of LoRA files: library add, list, find, remove, rescan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lorasmith.cli.options import AsJson
from lorasmith.pages.numbers import count

if TYPE_CHECKING:
    from lorasmith.library.catalogue.catalogue import Catalogue, Changes
    from lorasmith.library.catalogue.entry import Entry, Training
    from lorasmith.library.catalogue.query import Query

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The catalogue of your LoRA files: add folders, and find files in them."
)

Folders = Annotated[list[Path], typer.Argument(help="Folders of LoRA files, with those below them.")]
Where = Annotated[Path | None, typer.Option("--catalogue", help="Folder that keeps the catalogue. Empty: your own, for all programs.")]
MOST_NAMED = 10
"""Files that cannot be read which are listed."""

EachFile = Annotated[bool, typer.Option("--all", help="Show each checkpoint of a training, and not one line for all.")]


@app.command()
def add(folders: Folders, catalogue: Where = None, as_json: AsJson = False) -> None:
    """Add folders to the catalogue and read what is in them: of each file the header alone.

    lorasmith library add stable-diffusion-webui/models/Lora runs
    """
    opened = _open(catalogue)
    opened.add(*folders)
    _say_changes(_refreshed(opened), opened, as_json)


@app.command()
def remove(folders: Folders, catalogue: Where = None, as_json: AsJson = False) -> None:
    """Take folders out of the catalogue. Their files stay where they are.

    lorasmith library remove old-loras
    """
    opened = _open(catalogue)
    opened.remove(*folders)
    _say_changes(_refreshed(opened), opened, as_json)


@app.command()
def rescan(catalogue: Where = None, as_json: AsJson = False) -> None:
    """Read all files of the catalogue again. Changed, new and moved files are seen by themselves; this is for doubts.

    lorasmith library rescan
    """
    opened = _open(catalogue)
    _say_changes(_refreshed(opened, again=True), opened, as_json)


@app.command("list")
def list_(
    each: EachFile = False,
    duplicates: Annotated[
        bool, typer.Option("--duplicates", help="Show files with the same tensors; reads whole files where needed.")
    ] = False,
    catalogue: Where = None,
    as_json: AsJson = False,
) -> None:
    """List the LoRAs of the catalogue, a training's checkpoints together, and what could not be read.

    lorasmith library list

    lorasmith library list --duplicates
    """
    from lorasmith.library.catalogue.query import Query

    opened = _open(catalogue)
    changes = _refreshed(opened)
    if duplicates:
        _say_duplicates(opened, as_json)
    else:
        _say_found(opened, changes, Query(), each, as_json)


@app.command()
def find(
    words: Annotated[
        list[str] | None, typer.Argument(help="Words of the name, title, description, tags or triggers; all must be there.")
    ] = None,
    trigger: Annotated[str | None, typer.Option(help="A trigger word, or a part of one.")] = None,
    base: Annotated[str | None, typer.Option(help="The base model's name, or a part of it.")] = None,
    kind: Annotated[str | None, typer.Option(help="Such as lora, loha or lokr.")] = None,
    family: Annotated[str | None, typer.Option(help="Such as sdxl.")] = None,
    rank: Annotated[str | None, typer.Option(help="16, 8-32, 8- or -32.")] = None,
    since: Annotated[str | None, typer.Option(help="Trained, or else changed, on this day or later: 2026-11-27.")] = None,
    until: Annotated[str | None, typer.Option(help="On this day or earlier.")] = None,
    tag: Annotated[str | None, typer.Option(help="One of its tags.")] = None,
    each: EachFile = False,
    catalogue: Where = None,
    as_json: AsJson = False,
) -> None:
    """Find LoRAs by words, trigger, base, kind, family, rank, date or tag. All that is given must hold.

    lorasmith library find watercolour --family sdxl

    lorasmith library find --trigger zorvex --rank 8-32 --since 2026-11-01

    Exit code 1: nothing was found.
    """
    from lorasmith.library.catalogue.query import Query, read_day, read_rank

    query = Query(
        words or (), trigger, base, kind, family, None if rank is None else read_rank(rank),
        None if since is None else read_day(since), None if until is None else read_day(until), tag,
    )  # fmt: skip
    opened = _open(catalogue)
    if not _say_found(opened, _refreshed(opened), query, each, as_json):
        raise typer.Exit(1)


def _open(folder: Path | None) -> Catalogue:
    from lorasmith.library.catalogue.catalogue import Catalogue

    return Catalogue(folder)


def _refreshed(catalogue: Catalogue, again: bool = False) -> Changes:
    from lorasmith.cli.progress import progress_bar

    with progress_bar("reading headers") as progress:
        return catalogue.refresh(again=again, progress=progress)


def _say_changes(changes: Changes, catalogue: Catalogue, as_json: bool) -> None:
    from lorasmith.cli.output import print_json

    problems = [entry for entry in catalogue.entries() if entry.problem]
    if as_json:
        print_json({
            "folders": catalogue.folders, "files": changes.files, "new": changes.new, "changed": changes.changed,
            "moved": [{"from": before, "to": after} for before, after in changes.moved], "gone": changes.gone,
            "problems": [{"file": entry.path, "problem": entry.problem} for entry in problems], "notes": _notes(changes),
        })  # fmt: skip
        return
    typer.echo(f"{count(changes.files, 'file')} in {count(len(catalogue.folders), 'folder')}: {_in_words(changes)}")
    _say_problems(problems, changes)


def _in_words(changes: Changes) -> str:
    numbers = {"new": changes.new, "changed": changes.changed, "moved or renamed": len(changes.moved), "gone": changes.gone}
    return ", ".join(f"{number:,} {what}" for what, number in numbers.items() if number) or "nothing new"


def _notes(changes: Changes) -> list[str]:
    return [
        f"{place} cannot be looked into ({reason}). What was known of it is shown as it was."
        for place, reason in changes.unreadable.items()
    ]


def _say_problems(problems: Sequence[Entry], changes: Changes) -> None:
    from lorasmith.cli.output import shown

    for entry in problems[:MOST_NAMED]:
        typer.echo(f"not read: {shown(entry.problem).replace(str(entry.path), str(_from_here(entry.path)))}")
    if len(problems) > MOST_NAMED:
        typer.echo(f"not read: {count(len(problems) - MOST_NAMED, 'more file')}; --json names all with their reasons.")
    for note in _notes(changes):
        typer.echo(f"note: {note}")


def _say_found(catalogue: Catalogue, changes: Changes, query: Query, each: bool, as_json: bool) -> bool:
    """Show what a query finds; returns whether there is something."""
    from lorasmith.cli.output import print_json
    from lorasmith.library.catalogue.entry import Training, trainings

    entries = catalogue.entries()
    found = [entry for entry in entries if query.matches(entry)]
    readable = [entry for entry in found if entry.facts is not None]
    problems = [entry for entry in found if entry.facts is None]
    together = [Training((entry,)) for entry in readable] if each else trainings(readable)
    notes = query.notes(entries) if not found else []
    if as_json:
        print_json({
            "folders": catalogue.folders, "words": query.words, "files": [_as_data(training) for training in together],
            "problems": [{"file": entry.path, "problem": entry.problem} for entry in problems], "notes": notes + _notes(changes),
        })  # fmt: skip
        return bool(found)
    for line in _table([_cells(training) for training in together]):
        typer.echo(line)
    for note in notes:
        typer.echo(note)
    if not found and not notes:
        typer.echo("Nothing is found." if entries else "The catalogue is empty. Add a folder with: lorasmith library add FOLDER")
    _say_problems(problems, changes)
    return bool(found)


def _as_data(training: Training) -> dict[str, Any]:
    return {**training.shown.as_data, "checkpoints": [str(file.path) for file in training.files] if len(training.files) > 1 else []}


HEAD = ("name", "base", "kind", "rank", "trigger", "day", "checkpoints", "folder")


def _cells(training: Training) -> tuple[str, ...]:
    shown = training.shown
    facts = shown.facts
    assert facts is not None
    ranks = f"{facts.ranks[0]}-{facts.ranks[-1]}" if len(facts.ranks) > 1 else "".join(map(str, facts.ranks))
    family = " ".join(filter(None, (facts.family, facts.base and f"({facts.base})")))
    many = str(len(training.files)) if len(training.files) > 1 else ""
    return shown.name, family, ", ".join(facts.kinds), ranks, ", ".join(facts.triggers), shown.day, many, str(_from_here(shown.path.parent))


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows under their heads, in columns; what nobody has is left out."""
    from lorasmith.cli.output import one_line

    columns = [column for column in zip(HEAD, *rows, strict=True) if any(column[1:])]
    widths = [max(len(one_line(cell, 40)) for cell in column) for column in columns[:-1]]
    return [
        "  ".join((*(one_line(cell, 40).ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1])).rstrip()
        for row in zip(*columns, strict=True)
    ]


def _from_here(path: Path) -> Path:
    """As it is named from the folder that the user is in, where it is below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _say_duplicates(catalogue: Catalogue, as_json: bool) -> None:
    from lorasmith.cli.output import print_json
    from lorasmith.cli.progress import progress_bar

    with progress_bar("comparing") as progress:
        groups = catalogue.duplicates(progress)
    spare = sum(file.bytes for group in groups for file in group[1:])
    if as_json:
        print_json(
            {"folders": catalogue.folders, "duplicates": [[file.as_data for file in group] for group in groups], "spare_bytes": spare}
        )
        return
    for group in groups:
        typer.echo(f"the same tensors, {group[0].bytes / 1e6:.1f} MB:")
        for file in group:
            typer.echo(f"  {_from_here(file.path)}")
    typer.echo(
        f"{count(len(groups), 'LoRA')} in more than one file; the copies take {spare / 1e6:,.1f} MB."
        if groups
        else "No two files have the same tensors."
    )
