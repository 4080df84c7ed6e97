"""Verbs that look at captions and change nothing: check, report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lorasmith.cli.captions import options
from lorasmith.cli.findings import print_finding
from lorasmith.cli.options import AsJson
from lorasmith.cli.output import print_json
from lorasmith.pages.numbers import count

if TYPE_CHECKING:
    from lorasmith.captions.advice.checked import CheckedCaptions
    from lorasmith.captions.collection import CaptionCollection

Family = Annotated[
    str | None,
    typer.Option(help="Kind of base: a family such as sdxl, or pony for Pony and other anime bases; by default, the base's own family."),
]
Trigger = Annotated[str | None, typer.Option(help="The triggers; by default, the first tags that most captions share.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Tokens that training reads; by default, those that the base reads at once.")]


def check(
    folder: options.Folder,
    base: options.Base = None,
    family: Family = None,
    trigger: Trigger = None,
    vocabulary: options.VocabularyFiles = None,
    limit: Limit = None,
    where: options.Where = None,
    only: options.Only = None,
    extension: options.Extension = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if there is an error or a warning.")] = False,
    as_json: AsJson = False,
) -> None:
    """Report what is wrong with the captions, each finding with its number, why it matters and what to do.

    lorasmith captions check my-pictures --base my-base.safetensors
    """
    from lorasmith.captions.advice.advise import advise, skipped_checks

    collection, checked = _checked(folder, extension, where, only, base, family, trigger, vocabulary, limit)
    findings = advise(checked)
    notes = [*skipped_checks(checked), *(f"{orphan} has no picture beside it." for orphan in collection.orphans)]
    if as_json:
        print_json({
            "folder": folder, "captions": len(checked.captions), "triggers": checked.triggers,
            "findings": [finding.as_data for finding in findings], "notes": notes,
        })  # fmt: skip
    else:
        triggers = f", trigger {', '.join(checked.triggers)}" if checked.triggers else ""
        typer.echo(f"{count(len(checked.captions), 'caption')}{triggers}")
        for finding in findings:
            print_finding(finding)
        if not findings:
            typer.echo("Nothing is wrong with these captions.")
        for note in notes:
            typer.echo(f"note: {note}")
    if strict and any(finding.severity != "note" for finding in findings):
        raise typer.Exit(1)


def report(
    folder: options.Folder,
    out: Annotated[Path, typer.Option(help="Folder for report.html, report.json and tag-cloud.png.")] = Path("captions-report"),
    base: options.Base = None,
    family: Family = None,
    trigger: Trigger = None,
    vocabulary: options.VocabularyFiles = None,
    limit: Limit = None,
    where: options.Where = None,
    only: options.Only = None,
    extension: options.Extension = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON and write no files.")] = False,
) -> None:
    """Count tags, pairs and tokens, draw a tag cloud, and write them with the advice as a page that can be sent to a friend.

    lorasmith captions report my-pictures --out my-report
    """
    from lorasmith.captions.advice.advise import advise
    from lorasmith.captions.caption_report import report_data, write_report
    from lorasmith.captions.statistics import statistics_of
    from lorasmith.captions.tag_cloud import undrawable
    from lorasmith.errors import InputError

    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: name a folder to write the report into.", code="captions.not_a_folder", path=str(out))
    collection, checked = _checked(folder, extension, where, only, base, family, trigger, vocabulary, limit)
    findings = advise(checked)
    statistics = statistics_of(checked.captions, checked.count_tokens)
    name = collection.folder.resolve().name
    if as_json:
        print_json({"folder": folder, **report_data(name, statistics, findings)})
        return
    page = write_report(out, name, statistics, findings)
    typer.echo(
        f"{count(statistics.captions, 'caption')}, {statistics.empty:,} empty, {count(len(statistics.frequencies), 'different tag')}"
    )
    for tag, captions in list(statistics.frequencies.items())[:10]:
        typer.echo(f"{captions:7d}  {tag}")
    if tags := undrawable(statistics.frequencies):
        typer.echo(f"Not in tag-cloud.png, since no font of this machine has their letters: {', '.join(tags[:20])}")
    typer.echo(f"look at: {page}")


def _checked(
    folder: Path,
    extension: str | None,
    where: str | None,
    only: list[str] | None,
    base: str | None,
    family: str | None,
    trigger: str | None,
    vocabulary: list[str] | None,
    limit: int | None,
) -> tuple[CaptionCollection, CheckedCaptions]:
    """The selected captions with all that is known about them."""
    from lorasmith.captions.advice.checked import CheckedCaptions
    from lorasmith.captions.collection import open_captions
    from lorasmith.captions.scope import left_alone, select, select_unreadable, subject_captions
    from lorasmith.captions.taggers.probabilities import stored_tags
    from lorasmith.captions.triggers import likely_triggers, triggers_from

    tag_list = options.vocabulary_of(vocabulary)
    base_facts = _base_facts(base, family)
    collection = open_captions(folder, extension, unreadable_too=True)
    scope = options.scope_of(where, only)
    entries = select(collection, scope)
    captions = {entry.key: entry.caption for entry in entries}
    regularisation = [entry for entry in (*entries, *left_alone(collection, scope)) if collection.is_regularisation(entry.key)]
    options.note_what_is_left_alone(collection, scope)
    if limit is not None:
        base_facts |= {"limit": limit, "longer_limits": {}}
    return collection, CheckedCaptions(
        captions=captions,
        triggers=triggers_from(trigger) if trigger else likely_triggers(subject_captions(collection, entries)),
        vocabulary=tag_list,
        probabilities=stored_tags(collection.folder, {key: collection.folder / collection[key].pictures[0] for key in captions}),
        regularisation={entry.key: entry.caption for entry in regularisation},
        unreadable=[entry.key for entry in select_unreadable(collection, scope)],
        **base_facts,
    )


def _base_facts(base: str | None, family: str | None) -> dict[str, Any]:
    """What `CheckedCaptions` takes of the base and its family: style, tokenizers, limits."""
    from lorasmith.models.families import FAMILIES
    from lorasmith.models.tokenizers import caption_tokenizers, tokens_read

    styles = {record.name: (record, record.captions) for record in FAMILIES.values()}
    styles |= {name: (record, one.captions) for record in FAMILIES.values() for name, one in record.relatives.items()}
    if family is not None:
        options.one_of(family, tuple(styles), "family")
    if base is None:
        record, style = styles[family] if family else (None, None)
        return {"style": style, "reads_breaks": record and record.reads_breaks}
    description = options.describe_base(base)
    record = description.record
    tokenizers = caption_tokenizers(description)
    return {
        "style": styles[family or record.name][1],
        "tokenizers": tokenizers,
        "reads_breaks": record.reads_breaks,
        "limit": tokens_read(description, tokenizers),
        "longer_limits": {tokens_read(description, tokenizers, most): most for most in description.form.defaults.max_token_lengths},
    }
