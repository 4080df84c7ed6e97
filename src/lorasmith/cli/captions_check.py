"""Verbs that look at captions and change nothing: check, report."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lorasmith.cli.captions_tag import (
    AsJson,
    Base,
    Extension,
    Folder,
    Only,
    Where,
    Words,
    base_path,
    shortened,
    tokenizers_of,
    vocabulary_of,
)

if TYPE_CHECKING:
    from lorasmith.captions.advice import Checked, Finding
    from lorasmith.captions.collection import CaptionCollection

Family = Annotated[
    str | None, typer.Option(help="Kind of base: sd1, sd2, sdxl, pony (and other anime bases), flux; without, the base's own.")
]
Trigger = Annotated[str | None, typer.Option(help="The triggers; without, the first tags that most captions share.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Tokens that training reads; without, those that the base reads at once.")]


def check(
    folder: Folder,
    base: Base = None,
    family: Family = None,
    trigger: Trigger = None,
    vocabulary: Words = None,
    limit: Limit = None,
    where: Where = None,
    only: Only = None,
    extension: Extension = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where there is a problem or a warning.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what speaks against these captions, each finding with its number, why it matters and what to do.

    lorasmith captions check my-pictures --base my-base.safetensors
    """
    from lorasmith.captions.advice import advise, unasked

    collection, checked = _checked(folder, extension, where, only, base, family, trigger, vocabulary, limit)
    findings = advise(checked)
    left = unasked(checked)
    if as_json:
        tree = {
            "captions": len(checked.captions),
            "triggers": checked.triggers,
            "findings": [asdict(finding) for finding in findings],
            "not looked at": left,
        }
        typer.echo(json.dumps(tree, ensure_ascii=False))
    else:
        trigger_words = f", trigger {', '.join(checked.triggers)}" if checked.triggers else ""
        typer.echo(f"{len(checked.captions)} captions{trigger_words}")
        for finding in findings:
            _show(finding)
        if not findings:
            typer.echo("Nothing was found that speaks against these captions.")
        for sentence in left:
            typer.echo(f"note: {sentence}")
        for orphan in collection.orphans:
            typer.echo(f"note: {orphan} has no picture beside it.")
    if strict and any(finding.severity != "hint" for finding in findings):
        raise typer.Exit(1)


def report(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="Folder for report.html, report.json and tag-cloud.png.")] = Path("captions-report"),
    base: Base = None,
    family: Family = None,
    trigger: Trigger = None,
    vocabulary: Words = None,
    limit: Limit = None,
    where: Where = None,
    only: Only = None,
    extension: Extension = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON and write no files.")] = False,
) -> None:
    """Count tags, pairs and tokens, draw a tag cloud, and write it all with the advice as a page that can be sent to a friend.

    lorasmith captions report my-pictures --out my-report
    """
    from lorasmith.captions.advice import advise
    from lorasmith.captions.caption_report import report_json, write_report
    from lorasmith.captions.statistics import statistics_of
    from lorasmith.captions.tag_cloud import undrawable
    from lorasmith.errors import InputError

    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: name a folder to write the report into.")
    collection, checked = _checked(folder, extension, where, only, base, family, trigger, vocabulary, limit)
    findings = advise(checked)
    statistics = statistics_of(checked.captions, next(iter(checked.tokenizers.values()), None))
    name = collection.folder.resolve().name
    if as_json:
        typer.echo(report_json(name, statistics, findings))
        return
    page = write_report(out, name, statistics, findings)
    typer.echo(f"{statistics.captions} captions, {statistics.empty} empty, {len(statistics.frequencies)} different tags")
    for tag, count in list(statistics.frequencies.items())[:10]:
        typer.echo(f"{count:7d}  {tag}")
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
) -> tuple[CaptionCollection, Checked]:
    """The captions of a scope with all that is known beside them."""
    from lorasmith.captions.advice import FAMILIES, Checked, likely_triggers
    from lorasmith.captions.collection import open_captions
    from lorasmith.captions.edits.edits import Scope, select, unreadable_in
    from lorasmith.captions.taggers.probabilities import stored_tags
    from lorasmith.captions.triggers import triggers_from
    from lorasmith.errors import SettingsError

    if family is not None and family not in FAMILIES:
        raise SettingsError(f"There is no family {family!r}: give one of {', '.join(FAMILIES)}.")
    words = vocabulary_of(vocabulary)
    collection = open_captions(folder, extension, unreadable_too=True)
    scope = Scope(where, tuple(only or ()))
    entries = select(collection, scope)
    captions = {entry.key: entry.caption for entry in entries}
    tokenizers: dict[str, Any] = {}
    if base is not None:
        from lorasmith.models.open import detect_family

        tokenizers = tokenizers_of(base)
        family = family or detect_family(base_path(base))
    if family == "flux" and len(tokenizers) > 1:
        tokenizers.pop("tokenizer")  # CLIP gives Flux one summary of the whole; the words are read by T5
    return collection, Checked(
        captions=captions,
        family=family,
        triggers=triggers_from(trigger) if trigger else likely_triggers(captions.values()),
        vocabulary=words,
        seen=stored_tags(collection.folder, {entry.key: collection.folder / entry.pictures[0] for entry in entries}),
        tokenizers=tokenizers,
        limit=limit or min((t.model_max_length - t.num_special_tokens_to_add() for t in tokenizers.values()), default=75),
        unreadable=[entry.key for entry in unreadable_in(collection, scope)],
    )


def _show(finding: Finding) -> None:
    typer.echo(f"\n{finding.severity}: {finding.what} ({finding.number:g} {finding.unit})")
    typer.echo(f"  {finding.why}\n  {finding.remedy}")
    for detail in finding.details[:5]:
        typer.echo(f"  - {shortened(detail)}")
    if len(finding.details) > 5:
        typer.echo(f"  - and {len(finding.details) - 5} more")
    typer.echo(f"  in {', '.join(finding.pictures[:5])}" + (f" and {len(finding.pictures) - 5} more" if len(finding.pictures) > 5 else ""))
