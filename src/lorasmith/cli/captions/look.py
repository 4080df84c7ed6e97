"""Verbs that show captions: list, show, tags, autocomplete."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lorasmith.cli.captions import options
from lorasmith.cli.captions.save import warn_of_unreadable
from lorasmith.cli.options import AsJson
from lorasmith.cli.output import one_line, print_json, shown
from lorasmith.pages.numbers import count

if TYPE_CHECKING:
    from lorasmith.captions.collection import CaptionCollection, Entry


def list_captions(
    folder: options.Folder,
    where: options.Where = None,
    only: options.Only = None,
    extension: options.Extension = None,
    base: options.Base = None,
    as_json: AsJson = False,
) -> None:
    """List captions, all or those that a filter finds.

    lorasmith captions list my-pictures --where "tag:hat AND NOT (tags:<5 OR name:draft)"
    """
    collection, entries = _selected(folder, where, only, extension, base)
    if as_json:
        rows = [{"key": one.key, "pictures": one.pictures, "text": one.caption.text, "exists": one.exists} for one in entries]
        print_json({"folder": folder, "captions": rows, "of": len(collection), "orphans": collection.orphans})
        return
    for one in entries:
        typer.echo(f"{one.key}: {one_line(one.caption.text)}" if one.exists else f"{one.key}: (no caption)")
    typer.echo(f"{len(entries):,} of {count(len(collection), 'caption')}")
    for orphan in collection.orphans:
        typer.echo(f"note: {orphan} has no picture beside it.", err=True)


def show(
    folder: options.Folder,
    key: Annotated[str, typer.Argument(help="The caption file or its picture, below FOLDER.")],
    extension: options.Extension = None,
    vocabulary: options.VocabularyFiles = None,
    as_json: AsJson = False,
) -> None:
    """Show one caption: its tags, its sentence, and with a tag list which tags that list does not have.

    lorasmith captions show my-pictures anna/0001.png --vocabulary danbooru.csv
    """
    from lorasmith.errors import DatasetError

    collection, entries = _selected(folder, None, [key], extension)
    if not entries and collection.unreadable:
        raise typer.Exit(1)  # its encoding was named
    if len(entries) != 1:
        raise DatasetError(f"{key} has {count(len(entries), 'caption')}: name one caption or picture.")
    entry, known = entries[0], options.vocabulary_of(vocabulary)
    tags, _ = entry.caption.parts
    unknown = known.unknown(tags) if known else []
    if as_json:
        data = {
            "folder": folder, "key": entry.key, "pictures": entry.pictures, "exists": entry.exists, "text": entry.caption.text, "tags": tags,
            "sentence": entry.caption.sentence, "unknown": unknown,
        }  # fmt: skip
        print_json(data)
        return
    typer.echo(f"{entry.key} of {', '.join(entry.pictures)}" + ("" if entry.exists else " (not written yet)"))
    for tag in tags:
        typer.echo(f"  {shown(tag)}" + ("  (unknown)" if tag in unknown else ""))
    if entry.caption.sentence:
        typer.echo(f"  sentence: {shown(entry.caption.sentence)}")


def tags(
    folder: options.Folder,
    view: Annotated[
        str, typer.Option(help="union: tags of any caption in scope; common: of all of them; difference: of none of --than.")
    ] = "union",
    than: Annotated[str | None, typer.Option(help="Filter for the captions to compare with in a difference.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="List at most this many, the most frequent.")] = None,
    vocabulary: options.VocabularyFiles = None,
    where: options.Where = None,
    only: options.Only = None,
    extension: options.Extension = None,
    as_json: AsJson = False,
) -> None:
    """List tags with the number of captions that have them; with a tag list, unknown tags are marked.

    lorasmith captions tags my-pictures --view difference --where path:anna/ --than path:bob/
    """
    from lorasmith.captions.scope import Scope, select
    from lorasmith.captions.statistics import captions_with_each, tags_of_all, tags_of_any, tags_of_these_only
    from lorasmith.errors import SettingsError

    options.one_of(view, ("union", "common", "difference"), "view")
    if (than is None) == (view == "difference"):
        raise SettingsError("--view difference needs --than FILTER, and no other view takes it.")
    collection, entries = _selected(folder, where, only, extension)
    captions = [one.caption for one in entries]
    if view == "difference":
        found = tags_of_these_only(captions, [one.caption for one in select(collection, Scope(than))])
    else:
        found = tags_of_all(captions) if view == "common" else tags_of_any(captions)
    counts = captions_with_each(found, captions)
    known = options.vocabulary_of(vocabulary)
    unknown = set(known.unknown(found)) if known else set()
    if as_json:
        rows = [{"tag": tag, "captions": counts[tag], **({"known": tag not in unknown} if known else {})} for tag in found[:limit]]
        print_json({"folder": folder, "view": view, "captions": len(captions), "tags": rows})
        return
    for tag in found[:limit]:
        typer.echo(f"{counts[tag]:6}  {counts[tag] / len(captions):4.0%}  {shown(tag)}" + ("  (unknown)" if tag in unknown else ""))
    typer.echo(f"{count(len(found), 'tag')} in {count(len(captions), 'caption')}")


def autocomplete(
    beginning: Annotated[str, typer.Argument(help="The first letters of a tag or of one of its aliases.")],
    vocabulary: options.VocabularyFiles = None,
    limit: Annotated[int, typer.Option(min=1, help="List at most this many.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Complete a tag from a tag list, the most used first.

    lorasmith captions autocomplete "long h" --vocabulary danbooru.csv
    """
    from dataclasses import asdict

    from lorasmith.errors import SettingsError

    known = options.vocabulary_of(vocabulary)
    if known is None:
        raise SettingsError("Completing a tag needs a list of tags: give one with --vocabulary FILE, or --vocabulary demo.")
    found = known.complete(beginning, limit)
    if as_json:
        print_json({"beginning": beginning, "tags": [asdict(one) for one in found]})
        return
    for one in found:
        typer.echo(f"{one.count:9,}  {one.tag}" + (f"  (alias {one.alias})" if one.alias else ""))
    if not found:
        typer.echo(f"No tag begins with {beginning!r}.")


def _selected(
    folder: Path, where: str | None, only: list[str] | None, extension: str | None, base: str | None = None
) -> tuple[CaptionCollection, list[Entry]]:
    from lorasmith.captions.collection import open_captions
    from lorasmith.captions.scope import select

    collection, scope = open_captions(folder, extension, unreadable_too=True), options.scope_of(where, only)
    options.note_what_is_left_alone(collection, scope)
    warn_of_unreadable(collection, scope)
    return collection, select(collection, scope, options.token_counter_of(base))
