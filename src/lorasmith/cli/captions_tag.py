"""Verbs that write captions by looking at pictures: tag, describe; and the one for trigger words: triggers."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lorasmith.captions.caption import Caption
    from lorasmith.captions.collection import CaptionCollection, Entry
    from lorasmith.captions.taggers.captioner import Captioner
    from lorasmith.captions.taggers.probabilities import ProbabilityStore
    from lorasmith.captions.taggers.tag_choice import TagChoice
    from lorasmith.captions.taggers.tagger import Tagger
    from lorasmith.captions.triggers import TriggerCheck
    from lorasmith.captions.vocabulary import Vocabulary

DEMO = "demo"

Folder = Annotated[Path, typer.Argument(help="Folder with pictures and their captions.")]
Where = Annotated[str | None, typer.Option(help='Only captions that this filter finds, such as "tag:hat AND tags:<5".')]
Only = Annotated[list[str] | None, typer.Option(help="Only this picture, caption or folder below FOLDER; may be given several times.")]
Extension = Annotated[str | None, typer.Option(help="Ending of the caption files, such as .caption; without, what the folder has.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change and write no caption.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")]
Base = Annotated[str | None, typer.Option(help="Base model: a file, a folder, a hub id, or demo.")]
Words = Annotated[
    list[str] | None,
    typer.Option(
        "--vocabulary",
        help="Tag list (tagcomplete CSV, selected_tags.csv, e621's or Danbooru's export) or demo; may be given several times.",
    ),
]


def tag(
    folder: Folder,
    tagger: Annotated[
        str | None,
        typer.Option(help="demo, a folder, or a hub id such as SmilingWolf/wd-swinv2-tagger-v3; without, what was stored counts."),
    ] = None,
    base: Annotated[str | None, typer.Option(help="With demo, the demo tagger is used where no other is named.")] = None,
    descriptor: Annotated[str | None, typer.Option(help="wd, cl, pixai, camie, or a TOML file; without, by the tagger's files.")] = None,
    threshold: Annotated[float | None, typer.Option(help="General tags above this probability; without, the tagger's own.")] = None,
    character_threshold: Annotated[float | None, typer.Option(help="Characters above this probability; without, the tagger's own.")] = None,
    category_threshold: Annotated[list[str] | None, typer.Option(help="Threshold of another category, such as copyright=0.6.")] = None,
    mcut: Annotated[bool, typer.Option("--mcut", help="Cut at each picture's widest gap instead of at thresholds.")] = False,
    max_tags: Annotated[int | None, typer.Option(help="At most so many of the tagger's tags, the surest.")] = None,
    category: Annotated[list[str] | None, typer.Option(help="Categories to use; general and character without.")] = None,
    rating: Annotated[bool, typer.Option("--rating", help="Add the likeliest rating.")] = False,
    blacklist: Annotated[list[str] | None, typer.Option(help="Tags never to use, between commas.")] = None,
    prepend: Annotated[list[str] | None, typer.Option(help="Tags in front of all others, such as the trigger.")] = None,
    append: Annotated[list[str] | None, typer.Option(help="Tags behind all others.")] = None,
    keep_underscores: Annotated[bool, typer.Option("--keep-underscores", help="Write long_hair, not long hair.")] = False,
    escape_parentheses: Annotated[bool, typer.Option("--escape-parentheses", help="Write \\( and \\).")] = False,
    vocabulary: Words = None,
    mode: Annotated[str, typer.Option(help="Where there is a caption: ignore, append or overwrite.")] = "ignore",
    where: Where = None,
    only: Only = None,
    extension: Extension = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures the tagger sees at once.")] = 8,
    again: Annotated[bool, typer.Option("--again", help="Run the tagger also on pictures that it has seen.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let a tagger write the tags. What it sees is stored, so that thresholds can be moved later without running it again.

    lorasmith captions tag my-pictures --tagger SmilingWolf/wd-swinv2-tagger-v3 --prepend zorvex
    lorasmith captions tag my-pictures --threshold 0.5 --mode overwrite --prepend zorvex
    """
    from lorasmith.captions.collection import open_captions
    from lorasmith.captions.edits.edits import Scope, select, unreadable_in
    from lorasmith.captions.taggers.probabilities import ProbabilityStore

    mode = _one_of(mode, ("ignore", "append", "overwrite"), "mode")
    words = vocabulary_of(vocabulary)
    collection = open_captions(folder, extension, unreadable_too=True)
    scope = Scope(where, tuple(only or ()))
    entries = select(collection, scope)
    source = tagger or (DEMO if _is_demo(base) else None)
    opened = _open_tagger(source, descriptor) if source else None
    with ProbabilityStore(folder) as store:
        identity, contents, failures, facts = _look(store, opened, collection, entries, batch_size, again)
        choice = _choice(
            store.thresholds(identity), threshold, character_threshold, category_threshold, category,
            mcut=mcut, max_tags=max_tags, rating=rating, blacklist=_tags(blacklist), prepend=_tags(prepend), append=_tags(append),
            keep_underscores=keep_underscores, escape_parentheses=escape_parentheses,
        )  # fmt: skip
        changes = _tagged(store, identity, entries, contents, choice, mode, words)
    for trigger in _lost_triggers(entries, changes):
        typer.echo(f"warning: the captions lose their trigger {trigger}; give --prepend {trigger!r} to keep it in front", err=True)
    done = f"tag by {opened.folder.name if opened else 'stored probabilities'} ({mode})"
    failures |= _not_utf8(collection, unreadable_in(collection, scope))
    _finish(collection, changes, done, {**facts, "captions in scope": len(entries)}, failures, dry_run, as_json)


def describe(
    folder: Folder,
    model: Annotated[
        str | None, typer.Option(help="BLIP or Florence-2: a folder or a hub id; with --endpoint, the server's name of its model.")
    ] = None,
    endpoint: Annotated[str | None, typer.Option(help="An OpenAI-compatible server, such as http://127.0.0.1:1234/v1.")] = None,
    key_variable: Annotated[str, typer.Option(help="Environment variable that holds the server's key.")] = "OPENAI_API_KEY",
    prompt: Annotated[str | None, typer.Option(help="What is asked; {tags}, {name}, {folder} and {trigger} are filled in.")] = None,
    system: Annotated[str, typer.Option(help="Words to the server's model before every prompt.")] = "",
    trigger: Annotated[str, typer.Option(help="Trigger that stands before every description that is placed instead.")] = "",
    place: Annotated[str, typer.Option(help="instead (of the caption), second-line (below the tags), or only-new.")] = "second-line",
    extension: Extension = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest description, in tokens.")] = 100,
    beams: Annotated[int, typer.Option(min=1, help="Beams of BLIP and Florence-2; more is slower and a little better.")] = 3,
    max_side: Annotated[int, typer.Option(min=64, max=4096, help="Longest side of pictures that a server gets, in pixels.")] = 1024,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for a server's answer.")] = 120.0,
    retries: Annotated[int, typer.Option(min=0, max=20, help="Further tries when a server fails for the moment.")] = 4,
    where: Where = None,
    only: Only = None,
    again: Annotated[bool, typer.Option("--again", help="Ask also about pictures that were answered before.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let a captioner describe the pictures in sentences, beside the tags or instead of them.

    lorasmith captions describe my-pictures --model florence-community/Florence-2-base
    lorasmith captions describe my-pictures --endpoint http://127.0.0.1:1234/v1 --model qwen2.5-vl-7b --place instead --trigger zorvex
    lorasmith captions describe my-pictures --model florence-community/Florence-2-base --extension .caption --place instead
    """
    from lorasmith.captions.caption import join_tags
    from lorasmith.captions.collection import open_captions
    from lorasmith.captions.edits.edits import Scope, select, unreadable_in
    from lorasmith.captions.taggers.captioner import filled_prompt
    from lorasmith.captions.taggers.descriptions import Placement, describe_pictures, placed

    placements: dict[str, Placement] = {"instead": "instead", "second-line": "second line", "only-new": "only new"}
    placement = placements[_one_of(place, tuple(placements), "place")]
    collection = open_captions(folder, extension, unreadable_too=True)
    tagged = collection if extension is None else open_captions(folder, unreadable_too=True)
    tags_of = {picture: entry.caption.parts[0] for entry in tagged for picture in entry.pictures}
    scope = Scope(where, tuple(only or ()))
    entries = select(collection, scope)
    if placement == "only new":
        entries = [entry for entry in entries if not entry.caption.text.strip()]
    captioner = _open_captioner(
        model,
        endpoint,
        beams=beams,
        max_tokens=max_tokens,
        key_variable=key_variable,
        system=system,
        max_side=max_side,
        timeout=timeout,
        retries=retries,
    )
    template = captioner.default_prompt if prompt is None else prompt
    prompts, keys = {}, {}
    for entry in entries:
        path = folder / entry.pictures[0]
        known = tags_of.get(entry.pictures[0], [])
        prompts[path] = filled_prompt(template, tags=known, name=path.stem, folder=path.parent.name, trigger=trigger)
        keys[path] = entry.key
    with _stoppable() as stopping, _progress("describing") as heard:
        result = describe_pictures(folder, captioner, prompts, again=again, progress=heard, cancelled=stopping)
    if result.stopped:
        typer.echo(f"stopped; {len(result.texts)} of {len(prompts)} descriptions are kept, the same command goes on", err=True)
        raise typer.Exit(130)
    changes: dict[str, Caption] = {}
    for path, words in result.texts.items():
        caption = collection[keys[path]].caption
        said = join_tags([trigger, words]) if trigger and placement != "second line" else words
        new = placed(caption.text, said, placement)
        if new is not None:
            changes[keys[path]] = caption.with_text(new)
    facts = {"captions in scope": len(entries), "described now": result.asked, "described before": result.known}
    source = f"{model} at {endpoint}" if endpoint else str(model)
    failures = {**result.failures, **_not_utf8(collection, unreadable_in(collection, scope))}
    _finish(collection, changes, f"describe by {source} ({place})", facts, failures, dry_run, as_json)


def triggers(
    folder: Folder,
    set_: Annotated[
        str | None, typer.Option("--set", help='Put these in front of every caption: "zorvex", or "charactertag, outfittag".')
    ] = None,
    replacing: Annotated[list[str] | None, typer.Option(help="With --set: old triggers to take out, between commas.")] = None,
    from_folders: Annotated[
        bool, typer.Option("--from-folders", help="Set what each folder N_charactertag, outfittag is named after.")
    ] = False,
    mend: Annotated[bool, typer.Option("--mend", help="Put the triggers first, once, and take them out of other tags and words.")] = False,
    trigger: Annotated[str | None, typer.Option(help="The triggers to look for; without, the first tags that most captions share.")] = None,
    check: Annotated[
        list[str] | None, typer.Option(help="Look at this word as the base's tokenizers do; may be given several times.")
    ] = None,
    suggest: Annotated[int, typer.Option(min=0, help="Suggest so many words that mean nothing to the base.")] = 0,
    seed: Annotated[int, typer.Option(help="Another seed suggests other words.")] = 0,
    base: Base = None,
    vocabulary: Words = None,
    where: Where = None,
    only: Only = None,
    extension: Extension = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Set trigger words, find where they leak and mend it, suggest and check words with the base's own tokenizers.

    lorasmith captions triggers my-pictures --suggest 5 --base my-base
    lorasmith captions triggers my-pictures --check zorvex --base my-base
    lorasmith captions triggers my-pictures --set zorvex
    lorasmith captions triggers my-pictures --mend
    """
    from lorasmith.captions.collection import open_captions
    from lorasmith.captions.edits.edits import Scope, select
    from lorasmith.captions.triggers import check_trigger, suggest_triggers
    from lorasmith.errors import SettingsError

    if sum([set_ is not None, from_folders, mend, bool(check), bool(suggest)]) > 1:
        raise SettingsError("Give one of --set, --from-folders, --mend, --check and --suggest: each is a step of its own.")
    collection = open_captions(folder, extension)
    entries = select(collection, Scope(where, tuple(only or ())))
    if check or suggest:
        if base is None:
            raise SettingsError(
                "Whether a word means something is asked of the base's tokenizers: give --base (a file, a folder, a hub id, or demo)."
            )
        tokenizers, tags = tokenizers_of(base), sorted(collection.tag_counts())
        listed = vocabulary_of(vocabulary)
        known = list(listed.tags) if listed is not None else []
        words = _tags(check)
        found = (
            [check_trigger(word, tokenizers, others=[other for other in words if other != word], tags=tags, known=known) for word in words]
            if check
            else suggest_triggers(tokenizers, tags=tags, known=known, count=suggest, seed=seed)
        )
        _show_checks(found, as_json)
        return
    if set_ is not None or from_folders:
        _set_triggers(collection, entries, set_, _tags(replacing), dry_run, as_json)
        return
    _leaks(collection, entries, trigger, mend, dry_run, as_json)


# -- tagging ----------------------------------------------------------------------------------------------------------


def _open_tagger(source: str, descriptor: str | None) -> Tagger:
    from lorasmith.captions.taggers.tagger import open_tagger
    from lorasmith.captions.taggers.tagger_descriptor import descriptor_by_name

    if source == DEMO:
        from lorasmith.demo.weights import TAGGER

        return open_tagger(TAGGER)
    return open_tagger(source, descriptor_by_name(descriptor) if descriptor else None)


def _look(
    store: ProbabilityStore, tagger: Tagger | None, collection: CaptionCollection, entries: Sequence[Entry], batch_size: int, again: bool
) -> tuple[str, dict[str, str], dict[Path, str], dict[str, int]]:
    """The tagger's identity, content hash by caption, failures and facts; runs the tagger where there is one."""
    from lorasmith.captions.taggers.probabilities import store_probabilities
    from lorasmith.errors import DatasetError, SettingsError
    from lorasmith.images.read import content_hash

    pictures = {entry.key: collection.folder / entry.pictures[0] for entry in entries}
    if tagger is not None:
        with _stoppable() as stopping, _progress("looking") as heard:
            job = store_probabilities(
                store, tagger, list(pictures.values()), batch_size=batch_size, again=again, progress=heard, cancelled=stopping
            )
        if job.stopped:
            typer.echo(
                f"stopped; what was seen of {len(job.contents)} of {len(pictures)} pictures is kept, the same command goes on", err=True
            )
            raise typer.Exit(130)
        contents = {key: job.contents[path] for key, path in pictures.items() if path in job.contents}
        return tagger.identity, contents, job.failures, {"looked at now": job.looked_at, "seen before": job.known}
    known = store.taggers()
    if not known:
        raise SettingsError(
            f"No tagger has looked at {collection.folder} yet: name one with --tagger (demo for pictures of the demo world, a folder, or a hub "
            "id such as SmilingWolf/wd-swinv2-tagger-v3)."
        )
    seen, contents, failures = store.contents(known[0]), {}, {}
    for key, path in pictures.items():
        try:
            content = content_hash(path)
        except DatasetError as error:
            failures[path] = str(error)
            continue
        if content in seen:
            contents[key] = content
        else:
            failures[path] = f"{path} was not seen by the tagger yet: name the tagger with --tagger."
    return known[0], contents, failures, {"looked at now": 0, "seen before": len(contents)}


def _choice(
    begin: tuple[float, float],
    threshold: float | None,
    character_threshold: float | None,
    thresholds: Sequence[str] | None,
    categories: Sequence[str] | None,
    **more: Any,
) -> TagChoice:
    from pydantic import ValidationError

    from lorasmith.captions.taggers.tag_choice import TagChoice
    from lorasmith.errors import SettingsError

    own: dict[str, float] = {}
    for one in thresholds or ():
        name, _, value = one.partition("=")
        try:
            own[name.strip()] = float(value)
        except ValueError as error:
            raise SettingsError(f"--category-threshold {one!r} is not of the form category=number, such as copyright=0.6.") from error
    try:
        return TagChoice(
            general_threshold=begin[0] if threshold is None else threshold,
            character_threshold=begin[1] if character_threshold is None else character_threshold,
            thresholds=own, categories=tuple(categories or ("general", "character", *own)), **more,
        )  # fmt: skip
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(f"{'.'.join(map(str, first['loc']))} cannot be {first['input']!r}: {first['msg'].lower()}.") from error


def _tagged(
    store: ProbabilityStore,
    identity: str,
    entries: Sequence[Entry],
    contents: Mapping[str, str],
    choice: TagChoice,
    mode: str,
    words: Vocabulary | None,
) -> dict[str, Caption]:
    """The captions that would differ, by key."""
    from lorasmith.captions.taggers.tag_choice import choose_tags, merged

    by_content = dict(store.scored(identity, set(contents.values())))
    changes: dict[str, Caption] = {}
    for entry in entries:
        if entry.key not in contents:
            continue
        scored = by_content[contents[entry.key]]
        own, sentence = entry.caption.parts
        new = merged(own if mode == "append" else entry.caption.tags, choose_tags(scored, choice, words), mode)  # type: ignore[arg-type]
        if new is not None:
            caption = entry.caption.with_tags([*new, *sentence] if mode == "append" else new)
            if caption.raw != entry.caption.raw:
                changes[entry.key] = caption
    return changes


def _lost_triggers(entries: Sequence[Entry], changes: Mapping[str, Caption]) -> list[str]:
    """What stands first in nearly all captions now and would be missing in some."""
    from lorasmith.captions.advice import likely_triggers

    now = likely_triggers(entry.caption for entry in entries)
    return [trigger for trigger in now if any(trigger not in caption.tags for caption in changes.values())]


# -- describing -------------------------------------------------------------------------------------------------------


def _open_captioner(model: str | None, endpoint: str | None, *, beams: int, max_tokens: int, **at_server: Any) -> Captioner:
    from lorasmith.captions.taggers.captioner import open_captioner
    from lorasmith.captions.taggers.vision_endpoint import EndpointSettings, VisionEndpoint
    from lorasmith.errors import SettingsError

    if model is None:
        raise SettingsError("No captioner was named: give --model (BLIP or Florence-2, a folder or a hub id), or --endpoint and --model.")
    if endpoint is None:
        return open_captioner(model, max_new_tokens=max_tokens, num_beams=beams)
    return VisionEndpoint(EndpointSettings(base_url=endpoint, model=model, max_tokens=max_tokens, **at_server))


# -- triggers ---------------------------------------------------------------------------------------------------------


def _set_triggers(
    collection: CaptionCollection, entries: Sequence[Entry], words: str | None, old: Sequence[str], dry_run: bool, as_json: bool
) -> None:
    from lorasmith.captions.triggers import triggers_from, triggers_of_folder, with_triggers
    from lorasmith.errors import DatasetError

    given = triggers_from(words) if words is not None else None
    changes, without = {}, 0
    for entry in entries:
        inside = str((collection.folder / entry.key).parent.resolve())
        own = given or triggers_of_folder(inside)
        if not own:
            without += 1
            continue
        caption = with_triggers(entry.caption, own, replacing=old)
        if caption.raw != entry.caption.raw:
            changes[entry.key] = caption
    if without and without == len(entries):
        raise DatasetError(f"No folder in {collection.folder} is named N_trigger, such as 10_anna, red dress: rename them, or use --set.")
    facts = {"captions in scope": len(entries), **({"in folders without a trigger": without} if without else {})}
    _finish(collection, changes, f"set the trigger {', '.join(given) if given else 'of each folder'}", facts, {}, dry_run, as_json)


def _leaks(collection: CaptionCollection, entries: Sequence[Entry], words: str | None, mend: bool, dry_run: bool, as_json: bool) -> None:
    from lorasmith.captions.advice import likely_triggers
    from lorasmith.captions.triggers import find_leaks, mended, triggers_from
    from lorasmith.errors import DatasetError

    given = triggers_from(words) if words else likely_triggers(entry.caption for entry in entries)
    if not given:
        raise DatasetError(
            f"The captions in {collection.folder} do not begin alike, so there seems to be no trigger: name the trigger with --trigger."
        )
    if mend:
        changes = {}
        for entry in entries:
            caption = mended(entry.caption, given)
            if caption.raw != entry.caption.raw:
                changes[entry.key] = caption
        _finish(collection, changes, f"mend the trigger {', '.join(given)}", {"captions in scope": len(entries)}, {}, dry_run, as_json)
        return
    leaks = find_leaks({entry.key: entry.caption for entry in entries}, given)
    if as_json:
        typer.echo(json.dumps({"triggers": given, "leaks": [vars(leak) for leak in leaks]}, ensure_ascii=False))
    else:
        typer.echo(f"trigger: {', '.join(given)}")
        for leak in leaks:
            typer.echo(f"  {leak.key}: {leak.trigger} {leak.kind}" + (f" ({leak.where})" if leak.where else ""))
        typer.echo(f"{len({leak.key for leak in leaks})} of {len(entries)} captions leak" + ("; --mend mends them" if leaks else ""))
    if leaks:
        raise typer.Exit(1)


def _show_checks(found: Sequence[TriggerCheck], as_json: bool) -> None:
    if as_json:
        tree = [{"trigger": one.trigger, "splits": one.splits, "doubts": [vars(doubt) for doubt in one.doubts]} for one in found]
        typer.echo(json.dumps(tree, ensure_ascii=False))
        return
    for one in found:
        splits = "; ".join(f"{name}: {' + '.join(split)} ({len(split)} tokens)" for name, split in one.splits.items())
        typer.echo(f"{one.trigger}  {splits}")
        for doubt in one.doubts:
            typer.echo(f"  {'warning' if doubt.warning else 'note'}: {doubt.sentence}")


# -- what they share --------------------------------------------------------------------------------------------------


def tokenizers_of(base: str) -> dict[str, Any]:
    """The tokenizers of a base model by name, without opening its weights."""
    import importlib

    from lorasmith.models.open import describe as describe_base
    from lorasmith.models.tokenizers import load_tokenizer

    description = describe_base(base_path(base))
    names = importlib.import_module(f"lorasmith.models.{description.family}.config").TOKENIZERS
    return {name: load_tokenizer(description, name) for name in names}


def base_path(base: str) -> str:
    """The path of the base that a user names; demo is the one that comes along."""
    if base != DEMO:
        return base
    from lorasmith.demo.weights import BASE

    return str(BASE)


def _is_demo(base: str | None) -> bool:
    if base is None:
        return False
    from lorasmith.demo.weights import BASE

    return base == DEMO or Path(base).resolve() == BASE.resolve()


def vocabulary_of(files: Sequence[str] | None) -> Vocabulary | None:
    """The tag lists that a user names, as one; demo is the demo world's. None where none is named."""
    if not files:
        return None
    from lorasmith.captions.vocabulary import merged, open_vocabulary

    if DEMO not in files:
        return open_vocabulary(list(files))
    from lorasmith.demo.vocabulary import demo_vocabulary

    others = [file for file in files if file != DEMO]
    return merged([demo_vocabulary(), *([open_vocabulary(others)] if others else [])])


def _not_utf8(collection: CaptionCollection, unreadable: Sequence[Entry]) -> dict[Path, str]:
    """What is wrong with the pictures whose captions cannot be read."""
    from lorasmith.captions.collection import not_utf8

    return {collection.folder / entry.pictures[0]: not_utf8(collection.folder, [entry.key]) for entry in unreadable}


def _tags(given: Sequence[str] | None) -> tuple[str, ...]:
    from lorasmith.captions.caption import split_tags

    return tuple(tag for one in given or () for tag in split_tags(one))


def _one_of(word: str, known: tuple[str, ...], what: str) -> str:
    from lorasmith.errors import SettingsError

    if word not in known:
        raise SettingsError(f"There is no {what} {word!r}: give {', '.join(known[:-1])} or {known[-1]}.")
    return word


def _finish(
    collection: CaptionCollection,
    changes: Mapping[str, Caption],
    words: str,
    facts: Mapping[str, int],
    failures: Mapping[Path, str],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Save, or show what would be saved; exit code 1 where pictures failed."""
    first = {key: collection[key].caption.text for key in list(changes)[:3]}
    if not dry_run:
        collection.save(changes, words)
    if as_json:
        tree = {
            **facts, "changed": len(changes), "written": not dry_run, "failures": {str(path): why for path, why in failures.items()},
            "captions": {key: caption.text for key, caption in changes.items()},
        }  # fmt: skip
        typer.echo(json.dumps(tree, ensure_ascii=False))
    else:
        typer.echo(
            ", ".join(f"{name} {value}" for name, value in facts.items()) + f", {'would change' if dry_run else 'changed'} {len(changes)}"
        )
        for key, before in first.items():
            typer.echo(f"  {key}: {shortened(before) or '(no caption)'}\n    -> {shortened(changes[key].text)}")
        if len(changes) > len(first):
            typer.echo(f"  and {len(changes) - len(first)} more")
        for why in failures.values():
            typer.echo(f"warning: {why}", err=True)
    if failures:
        raise typer.Exit(1)


def shortened(text: str) -> str:
    """A text on one line of the terminal."""
    line = text.replace("\n", " | ")
    return line if len(line) <= 160 else line[:157] + "..."


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C (or a terminating signal) was heard; a second one ends at once."""
    heard = False

    def stop(signum: int, frame: FrameType | None) -> None:
        nonlocal heard
        if heard:
            raise KeyboardInterrupt
        heard = True
        typer.echo("stopping after this batch; once more to end at once", err=True)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress(words: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with the time left, on a terminal; silence elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(words, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
