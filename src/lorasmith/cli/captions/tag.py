"""`captions tag`: let a tagger write the tags."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lorasmith.cli.captions import options
from lorasmith.cli.captions.save import save_plan, utf8_failures
from lorasmith.cli.interrupt import STOPPED, stop_on_ctrl_c
from lorasmith.cli.options import DEMO, AsJson, Ray, base_of, refuse_without
from lorasmith.cli.progress import progress_bar
from lorasmith.command_line import quoted
from lorasmith.pages.numbers import count

if TYPE_CHECKING:
    from lorasmith.captions.caption import Caption
    from lorasmith.captions.collection import CaptionCollection, Entry
    from lorasmith.captions.plan import CaptionPlan
    from lorasmith.captions.taggers.probabilities import ProbabilityStore
    from lorasmith.captions.taggers.tag_choice import TagChoice
    from lorasmith.captions.taggers.tagger import Tagger
    from lorasmith.captions.taggers.tagging import TaggedPictures


TaggerSource = Annotated[
    str | None,
    typer.Option(help="demo, a folder, or a hub id such as SmilingWolf/wd-swinv2-tagger-v3; by default, stored probabilities are used."),
]
TaggerBase = Annotated[str | None, typer.Option(help="With demo, the demo tagger is used unless another is named.", callback=base_of)]
Descriptor = Annotated[str | None, typer.Option(help="wd, cl, pixai, camie, or a TOML file; by default, by the tagger's files.")]
Threshold = Annotated[float | None, typer.Option(help="General tags above this probability; by default, the tagger's own.")]
CharacterThreshold = Annotated[float | None, typer.Option(help="Characters above this probability; by default, the tagger's own.")]
CategoryThreshold = Annotated[list[str] | None, typer.Option(help="Threshold of another category, such as copyright=0.6.")]
MCut = Annotated[bool, typer.Option("--mcut", help="Cut at each picture's widest gap instead of at thresholds.")]
MaxTags = Annotated[int | None, typer.Option(help="Keep at most this many of the tagger's tags, the most probable.")]
Category = Annotated[list[str] | None, typer.Option(help="Categories to use; by default, general and character.")]
Rating = Annotated[bool, typer.Option("--rating", help="Add the most probable rating.")]
Blacklist = Annotated[list[str] | None, typer.Option(help="Tags never to use, between commas.")]
Prepend = Annotated[list[str] | None, typer.Option(help="Tags in front of all others, such as the trigger word.")]
Append = Annotated[list[str] | None, typer.Option(help="Tags behind all others.")]
KeepUnderscores = Annotated[bool, typer.Option("--keep-underscores", help="Write long_hair, not long hair.")]
EscapeParentheses = Annotated[bool, typer.Option("--escape-parentheses", help="Write \\( and \\).")]
ModeOfTagging = Annotated[str, typer.Option(help="What to do with existing captions: ignore, append or overwrite.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Pictures per batch of the tagger.")]
Again = Annotated[bool, typer.Option("--again", help="Run the tagger also on pictures whose probabilities are stored.")]


def tag(
    folder: options.Folder,
    tagger: TaggerSource = None,
    base: TaggerBase = None,
    descriptor: Descriptor = None,
    threshold: Threshold = None,
    character_threshold: CharacterThreshold = None,
    category_threshold: CategoryThreshold = None,
    mcut: MCut = False,
    max_tags: MaxTags = None,
    category: Category = None,
    rating: Rating = False,
    blacklist: Blacklist = None,
    prepend: Prepend = None,
    append: Append = None,
    keep_underscores: KeepUnderscores = False,
    escape_parentheses: EscapeParentheses = False,
    vocabulary: options.VocabularyFiles = None,
    mode: ModeOfTagging = "ignore",
    where: options.Where = None,
    only: options.Only = None,
    extension: options.Extension = None,
    batch_size: BatchSize = 8,
    again: Again = False,
    ray: Ray = None,
    dry_run: options.DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let a tagger write the tags. Its probabilities are stored, so that thresholds can be changed later without running it again.

    lorasmith captions tag my-pictures --tagger SmilingWolf/wd-swinv2-tagger-v3 --prepend zorvex
    lorasmith captions tag my-pictures --threshold 0.5 --mode overwrite --prepend zorvex

    With --ray the nodes of a cluster run the tagger, on storage that all see under the same paths; what they give is stored as it comes.
    """
    from lorasmith.captions.collection import open_captions
    from lorasmith.captions.scope import select
    from lorasmith.captions.taggers.probabilities import ProbabilityStore
    from lorasmith.captions.taggers.tagging import tagged_captions

    options.one_of(mode, ("ignore", "append", "overwrite"), "mode")
    known, scope = options.vocabulary_of(vocabulary), options.scope_of(where, only)
    collection = open_captions(folder, extension, unreadable_too=True)
    options.note_what_is_left_alone(collection, scope)
    entries = select(collection, scope)
    source = tagger or (DEMO if _is_demo(base) else None)
    refuse_without("--tagger", source, descriptor=descriptor, again=again, ray=ray)
    opened = _open_tagger(source, descriptor)
    pictures = {entry.key: collection.folder / entry.pictures[0] for entry in entries}
    with ProbabilityStore(folder) as store:
        identity, result = _tag_pictures(store, opened, folder, list(pictures.values()), batch_size, again, ray, (source or "", descriptor))
        choice = _choice(
            store.thresholds(identity), threshold, character_threshold, category_threshold, category,
            mcut=mcut, max_tags=max_tags, rating=rating, blacklist=options.split_options(blacklist), prepend=options.split_options(prepend),
            append=options.split_options(append), keep_underscores=keep_underscores, escape_parentheses=escape_parentheses,
        )  # fmt: skip
        contents = {key: result.contents[path] for key, path in pictures.items() if path in result.contents}
        changes = tagged_captions(store, identity, entries, contents, choice, mode, known)  # type: ignore[arg-type]
    summary = f"tag by {opened.folder.name if opened else 'stored probabilities'} ({mode})"
    failures = result.failures | utf8_failures(collection, scope)
    plan = _plan(collection, summary, entries, changes)
    save_plan(plan, dry_run, as_json, counts={"tagged now": result.tagged, "tagged before": result.known}, failures=failures)


def _plan(collection: CaptionCollection, summary: str, entries: Sequence[Entry], changes: dict[str, Caption]) -> CaptionPlan:
    """The changes as a plan; says which triggers they would lose."""
    from lorasmith.captions.plan import CaptionPlan
    from lorasmith.captions.taggers.tagging import lost_triggers

    for trigger in lost_triggers(entries, changes):
        typer.echo(f"warning: The captions lose their trigger {trigger}: give --prepend {quoted(trigger)} to keep it in front.", err=True)
    return CaptionPlan(collection, summary, len(entries), changes)


def _tag_pictures(
    store: ProbabilityStore,
    tagger: Tagger | None,
    folder: Path,
    pictures: Sequence[Path],
    batch_size: int,
    again: bool,
    ray: str | None,
    opened_by: tuple[str, str | None],
) -> tuple[str, TaggedPictures]:
    """The tagger's identity and which pictures have its probabilities; runs the tagger if there is one, which `opened_by` names."""
    from lorasmith.captions.taggers.tagging import tagged_before
    from lorasmith.errors import SettingsError
    from lorasmith.jobs.captioning import tag as tag_anywhere

    if tagger is None:
        identities = store.taggers()
        if not identities:
            raise SettingsError(
                f"No tagger was run on {folder} yet: name one with --tagger (demo for pictures of the demo world, a folder, or a hub id "
                "such as SmilingWolf/wd-swinv2-tagger-v3).", code="captions.no_tagger",
            )  # fmt: skip
        return identities[0], tagged_before(store, identities[0], pictures)
    with stop_on_ctrl_c("Stopping after this batch.") as stopping, progress_bar("tagging") as progress:
        result = tag_anywhere(
            store, tagger, pictures, open_there=partial(opened_tagger, *opened_by, threads=1), ray=ray, batch_size=batch_size, again=again,
            progress=progress, cancelled=stopping,
        )  # fmt: skip
    if result.stopped:
        typer.echo(
            f"Stopped after {len(result.contents)} of {count(len(pictures), 'picture')}; their probabilities are stored, and the same command "
            "continues with the rest.", err=True,
        )  # fmt: skip
        raise typer.Exit(STOPPED)
    return tagger.identity, result


def _open_tagger(source: str | None, descriptor: str | None) -> Tagger | None:
    return None if source is None else opened_tagger(source, descriptor)


def opened_tagger(source: str, descriptor: str | None, threads: int = 0) -> Tagger:
    """The tagger that the options name; a worker of a cluster opens it, too."""
    from lorasmith.captions.taggers.tagger import open_tagger
    from lorasmith.captions.taggers.tagger_descriptor import descriptor_by_name

    if source == DEMO:
        from lorasmith.demo.weights import TAGGER

        return open_tagger(TAGGER, threads=threads)
    return open_tagger(source, descriptor_by_name(descriptor) if descriptor else None, threads)


def _is_demo(base: str | None) -> bool:
    if base is None:
        return False
    from lorasmith.demo.weights import BASE

    return Path(base).resolve() == BASE.resolve()


def _choice(
    defaults: tuple[float, float],
    threshold: float | None,
    character_threshold: float | None,
    category_thresholds: Sequence[str] | None,
    categories: Sequence[str] | None,
    **settings: Any,
) -> TagChoice:
    """The options as a choice of tags; `defaults` are the tagger's thresholds for general tags and characters."""
    from pydantic import ValidationError

    from lorasmith.captions.taggers.tag_choice import TagChoice
    from lorasmith.errors import SettingsError

    thresholds: dict[str, float] = {}
    for one in category_thresholds or ():
        name, _, value = one.partition("=")
        try:
            thresholds[name.strip()] = float(value)
        except ValueError as error:
            raise SettingsError(f"--category-threshold {one!r} is not of the form category=number, such as copyright=0.6.") from error
    try:
        return TagChoice(
            general_threshold=defaults[0] if threshold is None else threshold,
            character_threshold=defaults[1] if character_threshold is None else character_threshold,
            thresholds=thresholds, categories=tuple(categories or ("general", "character", *thresholds)), **settings,
        )  # fmt: skip
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(f"{'.'.join(map(str, first['loc']))} cannot be {first['input']!r}: {first['msg'].lower()}.") from error
