"""`captions triggers`: set trigger words, find where they leak, suggest and check words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lorasmith.cli.captions import options
from lorasmith.cli.captions.save import save_plan, utf8_failures, warn_of_unreadable
from lorasmith.cli.options import AsJson, refuse_without
from lorasmith.cli.output import print_json
from lorasmith.pages.numbers import count

if TYPE_CHECKING:
    from lorasmith.captions.collection import CaptionCollection, Entry
    from lorasmith.captions.triggers import TriggerCheck


def triggers(
    folder: options.Folder,
    set_: Annotated[
        str | None, typer.Option("--set", help='Put these in front of every caption: "zorvex", or "charactertag, outfittag".')
    ] = None,
    replacing: Annotated[list[str] | None, typer.Option(help="With --set or --from-folders: old triggers to remove.")] = None,
    from_folders: Annotated[
        bool, typer.Option("--from-folders", help="Set what each folder N_charactertag, outfittag is named after.")
    ] = False,
    mend: Annotated[bool, typer.Option("--mend", help="Put the triggers first, once, and take them out of other tags and words.")] = False,
    trigger: Annotated[
        str | None, typer.Option(help="The triggers to look for; by default, the first tags that most captions share.")
    ] = None,
    check: Annotated[
        list[str] | None, typer.Option(help="Look at this word as the base's tokenizers do; may be given several times.")
    ] = None,
    suggest: Annotated[int, typer.Option(min=0, help="Suggest this many words that mean nothing to the base.")] = 0,
    name: Annotated[str, typer.Option(help="With --suggest: what the LoRA is of; words that come from this name are first.")] = "",
    seed: Annotated[int, typer.Option(help="With --suggest: another seed suggests other made-up words.")] = 0,
    base: options.Base = None,
    vocabulary: options.VocabularyFiles = None,
    where: options.Where = None,
    only: options.Only = None,
    extension: options.Extension = None,
    dry_run: options.DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Set trigger words, find where they leak and mend it, suggest and check words with the base's own tokenizers.

    lorasmith captions triggers my-pictures --suggest 5 --name Mimi --base my-base
    lorasmith captions triggers my-pictures --check zorvex --base my-base
    lorasmith captions triggers my-pictures --set zorvex
    lorasmith captions triggers my-pictures --mend
    """
    from lorasmith.captions.collection import open_captions
    from lorasmith.captions.edits.planning import plan_edit
    from lorasmith.captions.edits.registry import edit_of
    from lorasmith.captions.scope import left_alone, select
    from lorasmith.captions.triggers import triggers_from

    _refuse_what_has_no_effect(set_, from_folders, mend, trigger, check, suggest, replacing=replacing, name=name, seed=seed)
    collection = open_captions(folder, extension, unreadable_too=True)
    scope = options.scope_of(where, only)
    options.note_what_is_left_alone(collection, scope)
    entries = select(collection, scope)
    if check or suggest:
        _show_checks(folder, _checked_words(collection, options.split_options(check), suggest, name, seed, base, vocabulary), as_json)
        return
    if set_ is not None:
        edit = edit_of("set-triggers", triggers=triggers_from(set_), replacing=options.split_options(replacing))
    elif from_folders:
        _check_folder_names(collection, entries)
        edit = edit_of("folder-triggers", replacing=options.split_options(replacing))
    elif mend:
        edit = edit_of("mend-triggers", triggers=_triggers_in(collection, entries, trigger))
    else:
        warn_of_unreadable(collection, scope)
        _show_leaks(collection, [*entries, *left_alone(collection, scope)], _triggers_in(collection, entries, trigger), as_json)
        return
    if regularisation := sum(collection.is_regularisation(entry.key) for entry in entries):
        typer.echo(
            f"warning: {count(regularisation, 'caption')} of regularisation pictures {'gets' if regularisation == 1 else 'get'} a trigger; those pictures keep the base as it was, "
            "and are trained without it.", err=True,
        )  # fmt: skip
    save_plan(plan_edit(collection, edit, scope), dry_run, as_json, failures=utf8_failures(collection, scope))


def _refuse_what_has_no_effect(
    set_: str | None, from_folders: bool, mend: bool, trigger: str | None, check: list[str] | None, suggest: int, *,
    replacing: list[str] | None, name: str, seed: int,
) -> None:  # fmt: skip
    """Raises SettingsError where two steps are asked for, or an option of another step than the one that is."""
    from lorasmith.errors import SettingsError

    sets = set_ is not None or from_folders
    if sum([set_ is not None, from_folders, mend, bool(check), bool(suggest)]) > 1:
        raise SettingsError("--set, --from-folders, --mend, --check and --suggest are separate steps: give one of them.")
    refuse_without("--set or --from-folders", sets, replacing=replacing)
    refuse_without("--suggest", suggest, name=name, seed=seed)
    if trigger is not None and (sets or check or suggest):
        raise SettingsError(
            "--trigger says what to look for or to mend, and has no effect on other steps: remove it.", code="cli.no_effect"
        )


def _checked_words(
    collection: CaptionCollection, words: Sequence[str], suggest: int, name: str, seed: int, base: str | None, vocabulary: list[str] | None
) -> list[TriggerCheck]:
    """The words to check, or suggested ones, as the base's tokenizers see them."""
    from lorasmith.captions.triggers import check_trigger, suggest_triggers
    from lorasmith.errors import SettingsError
    from lorasmith.models.tokenizers import load_tokenizers

    if base is None:
        raise SettingsError(
            "The base's tokenizers tell whether a word means something to it: give --base (a file, a folder, a hub id, or demo).",
            code="captions.no_tokenizer",
        )
    tokenizers, tags = load_tokenizers(options.describe_base(base)), sorted(collection.tag_counts())
    tag_list = options.vocabulary_of(vocabulary)
    known = list(tag_list.tags) if tag_list is not None else []
    if not words:
        return suggest_triggers(tokenizers, name=name, tags=tags, known=known, count=suggest, seed=seed)
    return [check_trigger(word, tokenizers, others=[one for one in words if one != word], tags=tags, known=known) for word in words]


def _triggers_in(collection: CaptionCollection, entries: Sequence[Entry], given: str | None) -> tuple[str, ...]:
    """The triggers that are given, or the ones that the captions seem to have."""
    from lorasmith.captions.scope import subject_captions
    from lorasmith.captions.triggers import likely_triggers, triggers_from
    from lorasmith.errors import DatasetError

    found = triggers_from(given) if given else likely_triggers(subject_captions(collection, entries))
    if not found:
        raise DatasetError(
            f"Most captions in {collection.folder} do not begin with the same tag, so they seem to have no trigger: name it with --trigger.",
            code="captions.no_trigger", folder=str(collection.folder),
        )  # fmt: skip
    return found


def _check_folder_names(collection: CaptionCollection, entries: Sequence[Entry]) -> None:
    """Report the captions in folders without a trigger in their name; an error if that is all of them."""
    from lorasmith.captions.triggers import triggers_of_caption
    from lorasmith.errors import DatasetError

    without = sum(not triggers_of_caption(entry.key, collection.folder.resolve().name) for entry in entries)
    if without == len(entries):
        raise DatasetError(
            f"No folder in {collection.folder} is named N_trigger, such as 10_anna, red dress: rename the folders, or use --set.",
            code="captions.no_folder_trigger", folder=str(collection.folder),
        )  # fmt: skip
    if without:
        typer.echo(
            f"note: {count(without, 'caption')} {'is' if without == 1 else 'are'} in folders that are not named after a trigger.", err=True
        )


def _show_leaks(collection: CaptionCollection, entries: Sequence[Entry], words: Sequence[str], as_json: bool) -> None:
    """Print where the triggers leak, and which regularisation pictures have one; exit code 1 where there is such a caption."""
    from lorasmith.captions.triggers import find_leaks, naming

    regularisation = {entry.key: entry.caption for entry in entries if collection.is_regularisation(entry.key)}
    subject = {entry.key: entry.caption for entry in entries if entry.key not in regularisation}
    leaks, named = find_leaks(subject, words), naming(regularisation, words)
    leaking = len({leak.key for leak in leaks})
    if as_json:
        print_json(
            {
                "folder": collection.folder,
                "triggers": words,
                "captions": len(subject),
                "leaks": [vars(leak) for leak in leaks],
                "in_regularisation": named,
            }
        )
    else:
        typer.echo(f"trigger: {', '.join(words)}")
        for leak in leaks:
            typer.echo(f"  {leak.key}: {leak.trigger} {leak.kind}" + (f" ({leak.where})" if leak.where else ""))
        typer.echo(
            f"{leaking:,} of {count(len(subject), 'caption')} {'leaks' if 1 in (leaking, len(subject)) else 'leak'}"
            + ("; --mend mends them" if leaks else "")
        )
        for key, found in named.items():
            typer.echo(f"  {key}: {', '.join(found)} in the caption of a regularisation picture; take it out")
    if leaks or named:
        raise typer.Exit(1)


def _show_checks(folder: Path, checks: Sequence[TriggerCheck], as_json: bool) -> None:
    if as_json:
        rows = [{"trigger": one.trigger, "splits": one.splits, "doubts": [vars(doubt) for doubt in one.doubts]} for one in checks]
        print_json({"folder": folder, "checks": rows})
        return
    for one in checks:
        splits = "; ".join(f"{name}: {' + '.join(split)} ({count(len(split), 'token')})" for name, split in one.splits.items())
        typer.echo(f"{one.trigger}  {splits}")
        for doubt in one.doubts:
            typer.echo(f"  {'warning' if doubt.warning else 'note'}: {doubt.sentence}")
