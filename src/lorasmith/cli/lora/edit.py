"""The verb that edits what a LoRA file says of itself: lora edit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lorasmith.cli.options import AsJson, DryRun, LoraFile, Overwrite
from lorasmith.cli.output import one_line, print_json
from lorasmith.command_line import quoted
from lorasmith.json_text import table_of

if TYPE_CHECKING:
    from lorasmith.library.edit import Edit


def edit(
    file: LoraFile,
    entries: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set an entry; may be given again.")] = None,
    remove: Annotated[list[str] | None, typer.Option(metavar="KEY", help="Remove an entry; may be given again.")] = None,
    rename: Annotated[list[str] | None, typer.Option(metavar="OLD=NEW", help="Rename an entry; may be given again.")] = None,
    title: Annotated[str | None, typer.Option(help="Name that UIs show.")] = None,
    author: Annotated[str | None, typer.Option(help="Who made it.")] = None,
    license_: Annotated[str | None, typer.Option("--license", help="Terms of use: a name such as CC-BY-4.0, or an address.")] = None,
    description: Annotated[str | None, typer.Option(help="What it does and was trained on; may have Markdown.")] = None,
    trigger: Annotated[str | None, typer.Option(help="Words that call it in a prompt.")] = None,
    usage_hint: Annotated[str | None, typer.Option(help="What a user needs to know, in a few words.")] = None,
    thumbnail: Annotated[Path | None, typer.Option(help="Picture that UIs show: the square in its middle, at 256 pixels.")] = None,
    private: Annotated[bool, typer.Option("--private", help="Take out paths, folder names, tag lists, comments and access keys.")] = False,
    out: Annotated[Path | None, typer.Option(help="The new file.")] = None,
    in_place: Annotated[bool, typer.Option("--in-place", help="Replace the file; --undo makes the former one again.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take back all edits in place.")] = False,
    dry_run: DryRun = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Edit what a LoRA file says of itself, of any family and program. Its tensors stay as they are, byte by byte.

    lorasmith lora edit mimi.safetensors --title "Mimi" --trigger mimi --license CC-BY-4.0 --out mimi-v1.safetensors
    lorasmith lora edit mimi.safetensors --private --thumbnail best.png --in-place
    lorasmith lora edit mimi.safetensors --remove ss_training_comment --rename title=modelspec.title --dry-run
    lorasmith lora edit mimi.safetensors --undo
    """
    from lorasmith.errors import SettingsError
    from lorasmith.library.edit import edit_lora, undo_edits

    named = {
        "title": title,
        "author": author,
        "license": license_,
        "description": description,
        "trigger_phrase": trigger,
        "usage_hint": usage_hint,
    }
    given = _pairs(entries, "--set") | {f"modelspec.{name}": value for name, value in named.items() if value is not None}
    if undo:
        if given or remove or rename or private or thumbnail or out or in_place or dry_run:
            raise SettingsError("--undo takes back all edits in place, and goes with no other option but --json.", code="edit.undo")
        done = undo_edits(file)
    else:
        done = edit_lora(
            file, given, remove=remove or (), rename=_pairs(rename, "--rename"), private=private, thumbnail=thumbnail, out=out,
            in_place=in_place, overwrite=overwrite, dry_run=dry_run,
        )  # fmt: skip
    if as_json:
        print_json(done.as_data)
    else:
        for line in report(done):
            typer.echo(line)


def _pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    from lorasmith.errors import SettingsError

    pairs = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise SettingsError(f"{option} {text} lacks an equals sign or a key: write {option} KEY=VALUE.", code="edit.pair")
        pairs[key] = value
    return pairs


def report(edit: Edit) -> list[str]:
    """What an edit changed, in lines."""
    lines = []
    for change in (each.without_secrets for each in edit.changes):
        if change.after is None:
            lines.append(f"  removed  {one_line(change.key)}: {_shown(change.before)}")
        elif change.before is None:
            lines.append(f"  set      {one_line(change.key)}: {_shown(change.after)}")
        else:
            lines.append(f"  changed  {one_line(change.key)}: {_changed(change.before, change.after)}")
    if not lines:
        lines.append("Nothing changes: the file says this already.")
    before, after = edit.before, edit.after
    for name, old, new in (
        ("SHA256", before.sha256, after.sha256),
        ("AutoV2", before.sha256[:10], after.sha256[:10]),
        ("AutoV1", before.auto_v1, after.auto_v1),
        ("AutoV3", before.auto_v3[:12], after.auto_v3[:12]),
    ):
        lines.append(f"  {name}  {old}" + ("  (the same)" if old == new else f"\n       -> {new}"))
    if edit.out is None:
        lines.append("Nothing was written.")
    else:
        lines.append(f"Wrote {edit.out}; its tensors are the same, byte by byte.")
    if edit.kept is not None:
        lines.append(
            f"The header from before is kept in {edit.kept.name}, with all that it said. To put it back: lorasmith lora edit {quoted(edit.file)} --undo"
        )
    return lines


def _changed(before: str, after: str) -> str:
    """What a value was and is; of a table what changed in it."""
    old, new = table_of(before), table_of(after)
    if old and new:
        return "its " + ", ".join(one_line(key) for key in {**old, **new} if old.get(key) != new.get(key))
    return f"{_shown(before)} -> {_shown(after)}"


def _shown(value: str | None) -> str:
    """A value in a few words."""
    return one_line(value or "", 70) or '""'
