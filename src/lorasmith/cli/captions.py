"""Verbs on the captions of a folder: list, show, tags; the edits; convert; undo, redo, history; autocomplete."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lorasmith.cli import captions_check, captions_tag
from lorasmith.cli.captions_tag import AsJson, Base, DryRun, Extension, Folder, Only, Where, Words, vocabulary_of

if TYPE_CHECKING:
    from lorasmith.captions.caption import Caption
    from lorasmith.captions.collection import CaptionCollection, Entry
    from lorasmith.captions.edits.edits import Plan
    from lorasmith.captions.filters import TokenCounter
    from lorasmith.captions.history import Operation
    from lorasmith.captions.vocabulary import Vocabulary

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Captions: tag, edit, check; every change can be undone.")

EXAMPLES = 5
"""Changed captions that are shown."""

Tags = Annotated[list[str], typer.Argument(help="Tags; one argument each, or several between commas.")]
Keep = Annotated[list[str] | None, typer.Option(help="Tags that stay in any case, such as the trigger word.")]
CountIn = Annotated[str, typer.Option(help="Count tags over the whole folder, or over the scope of --where and --only: folder or scope.")]
Wildcards = Annotated[bool, typer.Option("--wildcards", help="Read * as anything and ? as any one character.")]


# -- looking ----------------------------------------------------------------------------------------------------------


@app.command("list")
def list_captions(
    folder: Folder, where: Where = None, only: Only = None, extension: Extension = None, base: Base = None, as_json: AsJson = False
) -> None:
    """List captions, all or those that a filter finds.

    lorasmith captions list my-pictures --where "tag:hat AND NOT (tags:<5 OR name:draft)"
    """
    collection, entries = _selected(folder, where, only, extension, base)
    if as_json:
        tree = [{"key": one.key, "pictures": one.pictures, "text": one.caption.text, "exists": one.exists} for one in entries]
        typer.echo(json.dumps(tree, ensure_ascii=False))
        return
    for one in entries:
        typer.echo(f"{one.key}: {_one_line(one.caption)}" if one.exists else f"{one.key}: (no caption)")
    typer.echo(f"{len(entries)} of {len(collection)} captions")
    for orphan in collection.orphans:
        typer.echo(f"note: {orphan} has no picture beside it", err=True)


@app.command()
def show(
    folder: Folder,
    key: Annotated[str, typer.Argument(help="The caption file or its picture, below FOLDER.")],
    extension: Extension = None,
    vocabulary: Words = None,
    as_json: AsJson = False,
) -> None:
    """Show one caption: its tags, its sentence, and with a tag list which tags that list does not know.

    lorasmith captions show my-pictures anna/0001.png --vocabulary danbooru.csv
    """
    from lorasmith.errors import DatasetError

    _, entries = _selected(folder, None, [key], extension)
    if len(entries) != 1:
        raise DatasetError(f"{key} holds {len(entries)} captions: name one caption or picture.")
    entry, words = entries[0], vocabulary_of(vocabulary)
    tags, _ = entry.caption.parts
    unknown = words.unknown(tags) if words else []
    if as_json:
        tree = {"key": entry.key, "pictures": entry.pictures, "exists": entry.exists, "text": entry.caption.text, "tags": tags}
        typer.echo(json.dumps({**tree, "sentence": entry.caption.sentence, "unknown": unknown}, ensure_ascii=False))
        return
    typer.echo(f"{entry.key} of {', '.join(entry.pictures)}" + ("" if entry.exists else " (not written yet)"))
    for tag in tags:
        typer.echo(f"  {tag}" + ("  (unknown)" if tag in unknown else ""))
    if entry.caption.sentence:
        typer.echo(f"  sentence: {entry.caption.sentence}")


@app.command()
def tags(
    folder: Folder,
    view: Annotated[
        str, typer.Option(help="union: tags of any caption in scope; common: of all of them; difference: of none of --than.")
    ] = "union",
    than: Annotated[str | None, typer.Option(help="Filter for the captions to compare with in a difference.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many, the most frequent.")] = None,
    vocabulary: Words = None,
    where: Where = None,
    only: Only = None,
    extension: Extension = None,
    as_json: AsJson = False,
) -> None:
    """List tags with the number of captions that have them; with a tag list, unknown tags are marked.

    lorasmith captions tags my-pictures --view difference --where path:anna/ --than path:bob/
    """
    from lorasmith.captions.edits.edits import Scope, select, tags_of_all, tags_of_any, tags_of_these_only
    from lorasmith.errors import SettingsError

    if view not in ("union", "common", "difference"):
        raise SettingsError(f"There is no view {view!r}: give union, common or difference.")
    if (than is None) == (view == "difference"):
        raise SettingsError("A difference needs --than FILTER, and only a difference takes it.")
    collection, entries = _selected(folder, where, only, extension)
    captions = [one.caption for one in entries]
    if view == "difference":
        found = tags_of_these_only(captions, [one.caption for one in select(collection, Scope(than))])
    else:
        found = tags_of_all(captions) if view == "common" else tags_of_any(captions)
    counts: dict[str, int] = dict.fromkeys(found, 0)
    for caption in captions:
        for tag in set(caption.tags) & counts.keys():
            counts[tag] += 1
    words = vocabulary_of(vocabulary)
    unknown = set(words.unknown(found)) if words else set()
    if as_json:
        rows = [{"tag": tag, "captions": counts[tag], **({"known": tag not in unknown} if words else {})} for tag in found[:limit]]
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    for tag in found[:limit]:
        typer.echo(f"{counts[tag]:6}  {counts[tag] / len(captions):4.0%}  {tag}" + ("  (unknown)" if tag in unknown else ""))
    typer.echo(f"{len(found)} tags in {len(captions)} captions")


@app.command()
def autocomplete(
    beginning: Annotated[str, typer.Argument(help="The first letters of a tag or of one of its other names.")],
    vocabulary: Words = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Complete a tag from a tag list, the most used first.

    lorasmith captions autocomplete "long h" --vocabulary danbooru.csv
    """
    from dataclasses import asdict

    found = _needed(vocabulary_of(vocabulary)).complete(beginning, limit)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False))
        return
    for one in found:
        typer.echo(f"{one.count:9,}  {one.tag}" + (f"  (also called {one.alias})" if one.alias else ""))
    if not found:
        typer.echo(f"no tag begins with {beginning!r}")


# -- editing ----------------------------------------------------------------------------------------------------------


@app.command()
def add(
    folder: Folder,
    tags: Tags,
    front: Annotated[bool, typer.Option("--front", help="Put them in front of the others; without, behind.")] = False,
    after: Annotated[str | None, typer.Option(help="Put them behind this tag; captions without it stay as they are.")] = None,
    move: Annotated[bool, typer.Option("--move", help="Move tags that are there already to that place.")] = False,
    where: Where = None, only: Only = None, extension: Extension = None, base: Base = None, dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Add tags to captions that do not have them; a picture without a caption file gets one.

    lorasmith captions add my-pictures zorvex --front
    lorasmith captions add my-pictures "red hat" --after zorvex --where "NOT tag:*hat" --dry-run
    """
    arguments = {"tags": _split(tags), "place": "front" if front else "back", "after": after, "move": move}
    _edit("add", arguments, folder, where, only, extension, base, dry_run, as_json)


@app.command()
def remove(
    folder: Folder, tags: Tags, wildcards: Wildcards = False,
    where: Where = None, only: Only = None, extension: Extension = None, base: Base = None, dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Remove tags.

    lorasmith captions remove my-pictures watermark "* background" --wildcards
    """
    _edit("remove", {"tags": _split(tags), "wildcards": wildcards}, folder, where, only, extension, base, dry_run, as_json)


@app.command()
def replace(
    folder: Folder, tags: Tags,
    by: Annotated[list[str], typer.Option(help="What comes in their place; may be given several times, or several between commas.")],
    wildcards: Wildcards = False,
    where: Where = None, only: Only = None, extension: Extension = None, base: Base = None, dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Put other tags where some tags stand.

    lorasmith captions replace my-pictures crimson scarlet --by red
    """
    arguments = {"tags": _split(tags), "by": _split(by), "wildcards": wildcards}
    _edit("replace", arguments, folder, where, only, extension, base, dry_run, as_json)


@app.command()
def rename(
    folder: Folder,
    old: Annotated[str, typer.Argument(help="The tag as it is called.")],
    new: Annotated[str, typer.Argument(help="What it shall be called.")],
    where: Where = None, only: Only = None, extension: Extension = None, base: Base = None, dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Give a tag another name; a caption that has both keeps one.

    lorasmith captions rename my-pictures grey_hair "gray hair"
    """
    _edit("rename", {"old": old, "new": new}, folder, where, only, extension, base, dry_run, as_json)


@app.command()
def regex(
    folder: Folder,
    pattern: Annotated[str, typer.Argument(help="Regular expression (Python's).")],
    replacement: Annotated[str, typer.Argument(help=r"What to put there; \1 stands for the first group.")],
    each_tag: Annotated[bool, typer.Option("--each-tag", help="Search each tag by itself and not the whole text.")] = False,
    ignore_case: Annotated[bool, typer.Option("--ignore-case", help="Take upper and lower case as the same.")] = False,
    where: Where = None, only: Only = None, extension: Extension = None, base: Base = None, dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    r"""Search and replace with a regular expression.

    lorasmith captions regex my-pictures "\((.+?):[0-9.]+\)" "\1" --dry-run
    """
    arguments = {
        "pattern": pattern, "replacement": replacement, "on_each": "tag" if each_tag else "caption", "ignore_case": ignore_case,
    }  # fmt: skip
    _edit("regex", arguments, folder, where, only, extension, base, dry_run, as_json)


@app.command()
def front(
    folder: Folder, tags: Tags,
    where: Where = None, only: Only = None, extension: Extension = None, base: Base = None, dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Move tags to the front of the captions that have them.

    lorasmith captions front my-pictures zorvex
    """
    _edit("front", {"tags": _split(tags)}, folder, where, only, extension, base, dry_run, as_json)


@app.command()
def sort(
    folder: Folder,
    by: Annotated[str, typer.Option(help="frequency, name, or probability (as a tagger said).")] = "frequency",
    reverse: Annotated[bool, typer.Option("--reverse", help="The other way round.")] = False,
    keep: Annotated[int, typer.Option(min=0, help="Tags at the front that stay there, such as 1 for a trigger word.")] = 0,
    count_in: CountIn = "folder",
    where: Where = None, only: Only = None, extension: Extension = None, base: Base = None, dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Put tags in order; a sentence behind them stays there.

    lorasmith captions sort my-pictures --by probability --keep 1
    """
    _edit("sort", {"by": by, "reverse": reverse, "keep": keep}, folder, where, only, extension, base, dry_run, as_json, count_in)


@app.command()
def dedupe(
    folder: Folder,
    where: Where = None, only: Only = None, extension: Extension = None, base: Base = None, dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Remove tags that a caption has said already.

    lorasmith captions dedupe my-pictures
    """
    _edit("dedupe", {}, folder, where, only, extension, base, dry_run, as_json)


@app.command()
def truncate(
    folder: Folder,
    tags: Annotated[int | None, typer.Option(min=1, help="Most tags.")] = None,
    tokens: Annotated[int | None, typer.Option(min=1, help="Most tokens, as the --base counts them.")] = None,
    where: Where = None, only: Only = None, extension: Extension = None, base: Base = None, dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Drop tags from the end until few enough are left.

    lorasmith captions truncate my-pictures --tokens 75 --base my-base.safetensors
    """
    _edit("truncate", {"tags": tags, "tokens": tokens}, folder, where, only, extension, base, dry_run, as_json)


@app.command("drop-rare")
def drop_rare(
    folder: Folder,
    fewer_than: Annotated[int, typer.Option(min=2, help="A tag stays if at least so many captions have it.")],
    keep: Keep = None,
    count_in: CountIn = "folder",
    where: Where = None, only: Only = None, extension: Extension = None, base: Base = None, dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Remove tags that too few captions have.

    lorasmith captions drop-rare my-pictures --fewer-than 3
    """
    arguments = {"fewer_than": fewer_than, "keep": _split(keep)}
    _edit("drop-rare", arguments, folder, where, only, extension, base, dry_run, as_json, count_in)


@app.command("drop-common")
def drop_common(
    folder: Folder,
    above: Annotated[float, typer.Option(help="A tag goes if more than this share (0-1) of the captions has it.")],
    keep: Keep = None,
    count_in: CountIn = "folder",
    where: Where = None, only: Only = None, extension: Extension = None, base: Base = None, dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Remove tags that nearly every caption has, so that the trigger word takes over what they say.

    lorasmith captions drop-common my-pictures --above 0.9 --keep zorvex
    """
    _edit("drop-common", {"above": above, "keep": _split(keep)}, folder, where, only, extension, base, dry_run, as_json, count_in)


@app.command()
def split(
    folder: Folder,
    keep: Annotated[str, typer.Option(help="tags, sentence, or lines: both, the sentence on a line of its own.")],
    where: Where = None, only: Only = None, extension: Extension = None, base: Base = None, dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Part the tags and the sentence of captions that have both.

    lorasmith captions split my-pictures --keep lines --dry-run
    """
    _edit("split", {"keep": keep}, folder, where, only, extension, base, dry_run, as_json)


@app.command()
def spell(
    folder: Folder,
    manner: Annotated[str, typer.Argument(help="spaces, underscores, escaped, unescaped or lower.")],
    where: Where = None, only: Only = None, extension: Extension = None, base: Base = None, dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Write all tags in one manner; kaomoji such as ^_^ stay as they are.

    lorasmith captions spell my-pictures spaces
    """
    _edit("spell", {"manner": manner}, folder, where, only, extension, base, dry_run, as_json)


@app.command()
def implications(
    folder: Folder,
    vocabulary: Words = None,
    add: Annotated[bool, typer.Option("--add", help="Add what the tags imply, instead of removing what is implied.")] = False,
    keep: Keep = None,
    where: Where = None, only: Only = None, extension: Extension = None, base: Base = None, dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Remove tags that another tag of the caption implies, or add them.

    lorasmith captions implications my-pictures --vocabulary tags.csv.gz --vocabulary tag_implications.csv.gz
    """
    arguments = {"mode": "add" if add else "drop", "keep": _split(keep)}
    _edit("implications", arguments, folder, where, only, extension, base, dry_run, as_json, vocabulary=_needed(vocabulary_of(vocabulary)))


@app.command()
def aliases(
    folder: Folder,
    vocabulary: Words = None,
    where: Where = None, only: Only = None, extension: Extension = None, base: Base = None, dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Give tags that are aliases the name that the tag list uses.

    lorasmith captions aliases my-pictures --vocabulary danbooru.csv
    """
    _edit("aliases", {}, folder, where, only, extension, base, dry_run, as_json, vocabulary=_needed(vocabulary_of(vocabulary)))


@app.command()
def convert(
    folder: Folder,
    encoding: Annotated[
        str, typer.Option("--from", help="Encoding that they were written in, such as latin-1, cp1252, shift-jis, utf-16.")
    ],
    extension: Extension = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write captions that are not UTF-8 as UTF-8; those that are stay as they are.

    lorasmith captions convert my-pictures --from cp1252 --dry-run
    """
    from lorasmith.captions.collection import open_captions
    from lorasmith.captions.edits.edits import Plan

    collection = open_captions(folder, extension, unreadable_too=True)
    changes = collection.conversions(encoding)
    _finish(Plan(collection, f"convert from {encoding}", len(changes), changes), dry_run, as_json)


# -- history ----------------------------------------------------------------------------------------------------------

Steps = Annotated[int, typer.Option(min=1, help="How many operations.")]


@app.command()
def undo(folder: Folder, steps: Steps = 1, as_json: AsJson = False) -> None:
    """Take back the last operation on a folder's captions.

    lorasmith captions undo my-pictures
    """
    from lorasmith.captions.history import History

    _step([History(folder).undo] * steps, "undone", as_json)


@app.command()
def redo(folder: Folder, steps: Steps = 1, as_json: AsJson = False) -> None:
    """Do again what was undone last.

    lorasmith captions redo my-pictures
    """
    from lorasmith.captions.history import History

    _step([History(folder).redo] * steps, "done again", as_json)


@app.command()
def history(folder: Folder, as_json: AsJson = False) -> None:
    """List what was done to a folder's captions, the newest last.

    lorasmith captions history my-pictures
    """
    from lorasmith.captions.history import History

    found = History(folder).operations()
    if as_json:
        typer.echo(json.dumps([_operation(one) for one in found], ensure_ascii=False))
        return
    for one in found:
        state = "" if one.state == "applied" else f" ({one.state})"
        typer.echo(f"{one.number:4}  {one.at.astimezone():%Y-%m-%d %H:%M}  {one.files:6} captions  {one.words}{state}")
    if not found:
        typer.echo(f"nothing was done to the captions of {folder} yet")


# -- looking at pictures, and advice: see captions_tag and captions_check ----------------------------------------------

app.command("tag")(captions_tag.tag)
app.command("describe")(captions_tag.describe)
app.command("triggers")(captions_tag.triggers)
app.command("check")(captions_check.check)
app.command("report")(captions_check.report)


# -- what they share --------------------------------------------------------------------------------------------------


def _selected(
    folder: Path, where: str | None, only: list[str] | None, extension: str | None, base: str | None = None
) -> tuple[CaptionCollection, list[Entry]]:
    from lorasmith.captions.collection import open_captions
    from lorasmith.captions.edits.edits import Scope, select

    collection = open_captions(folder, extension)
    return collection, select(collection, Scope(where, tuple(only or ())), _token_counter(base))


def _edit(
    name: str,
    arguments: dict[str, Any],
    folder: Path,
    where: str | None,
    only: list[str] | None,
    extension: str | None,
    base: str | None,
    dry_run: bool,
    as_json: bool,
    count_in: str = "folder",
    vocabulary: Vocabulary | None = None,
) -> None:
    from lorasmith.captions.collection import open_captions
    from lorasmith.captions.edits.edits import Scope, edit_of, plan_edit
    from lorasmith.errors import SettingsError

    if count_in not in ("folder", "scope"):
        raise SettingsError(f"--count-in is folder or scope, and not {count_in!r}.")
    edit = edit_of(name, **arguments)
    collection = open_captions(folder, extension)
    probabilities = None
    if arguments.get("by") == "probability":
        from lorasmith.captions.taggers.probabilities import stored_tags

        probabilities = stored_tags(folder, {one.key: folder / one.pictures[0] for one in collection})
    plan = plan_edit(
        collection, edit, Scope(where, tuple(only or ())), count_in=count_in, count_tokens=_token_counter(base),  # type: ignore[arg-type]
        probabilities=probabilities, vocabulary=vocabulary,
    )  # fmt: skip
    _finish(plan, dry_run, as_json)


def _finish(plan: Plan, dry_run: bool, as_json: bool) -> None:
    """Save a plan, or show what would be saved."""
    before = {key: plan.before(key) for key in plan.changes}
    operation = None if dry_run else plan.save()
    if as_json:
        captions = [{"key": key, "before": before[key].text, "after": new.text} for key, new in plan.changes.items()]
        tree = {"operation": _operation(operation) if operation else None, "words": plan.words, "considered": plan.considered}
        typer.echo(
            json.dumps({**tree, "changed": len(captions), "written": operation is not None, "captions": captions}, ensure_ascii=False)
        )
        return
    for key in list(plan.changes)[:EXAMPLES]:
        typer.echo(f"{key}\n  - {_one_line(before[key]) or '(empty)'}\n  + {_one_line(plan.changes[key]) or '(empty)'}")
    if len(plan.changes) > EXAMPLES:
        typer.echo(f"and {len(plan.changes) - EXAMPLES} more")
    would = "would change" if dry_run else "changed"
    typer.echo(f"{plan.words}: {would} {len(plan.changes)} of {plan.considered} captions")
    if operation is not None:
        typer.echo(f"to take it back: lorasmith captions undo {plan.collection.folder}")


def _step(steps: Sequence[Any], word: str, as_json: bool) -> None:
    done = [step()[0] for step in steps]
    if as_json:
        typer.echo(json.dumps([_operation(one) for one in done], ensure_ascii=False))
        return
    for one in done:
        typer.echo(f"{word}: {one.words} ({one.files} captions)")


def _operation(one: Operation) -> dict[str, Any]:
    return {"number": one.number, "words": one.words, "at": one.at.isoformat(timespec="seconds"), "captions": one.files, "state": one.state}


def _one_line(caption: Caption) -> str:
    return caption.text.replace("\n", " | ")


def _split(given: Sequence[str] | None) -> list[str]:
    from lorasmith.captions.caption import split_tags

    return [tag for one in given or () for tag in split_tags(one)]


def _token_counter(base: str | None) -> TokenCounter | None:
    """Counts tokens as the base does, whichever of its text encoders needs the most."""
    if base is None:
        return None
    from lorasmith.captions.token_limit import count_tokens

    tokenizers = [*captions_tag.tokenizers_of(base).values()]
    return lambda text: max(count_tokens(text, tokenizer) for tokenizer in tokenizers)


def _needed(vocabulary: Vocabulary | None) -> Vocabulary:
    from lorasmith.errors import SettingsError

    if vocabulary is None:
        raise SettingsError("This needs a list of tags: give a file with --vocabulary FILE, or --vocabulary demo for the demo world's.")
    return vocabulary
