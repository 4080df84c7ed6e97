"""`captions describe`: let a captioner describe the pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lorasmith.cli.captions import options
from lorasmith.cli.captions.save import save_plan, utf8_failures
from lorasmith.cli.interrupt import STOPPED, stop_on_ctrl_c
from lorasmith.cli.options import AsJson, Ray
from lorasmith.cli.progress import progress_bar
from lorasmith.pages.numbers import count

if TYPE_CHECKING:
    from lorasmith.captions.taggers.captioner import Captioner
    from lorasmith.captions.taggers.descriptions import DescribedPictures


def describe(
    folder: options.Folder,
    model: Annotated[
        str | None, typer.Option(help="BLIP or Florence-2: a folder or a hub id; with --endpoint, the server's name of its model.")
    ] = None,
    endpoint: Annotated[str | None, typer.Option(help="An OpenAI-compatible server, such as http://127.0.0.1:1234/v1.")] = None,
    key_variable: Annotated[str, typer.Option(help="Environment variable that holds the server's key.")] = "OPENAI_API_KEY",
    prompt: Annotated[str | None, typer.Option(help="Prompt; {tags}, {name}, {folder} and {trigger} are filled in.")] = None,
    system: Annotated[str, typer.Option(help="System prompt for the server's model.")] = "",
    trigger: Annotated[str, typer.Option(help="Trigger word to put before each description (not with --place second-line).")] = "",
    place: Annotated[str, typer.Option(help="instead (of the caption), second-line (below the tags), or only-new.")] = "second-line",
    extension: options.Extension = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest description, in tokens.")] = 100,
    beams: Annotated[int, typer.Option(min=1, help="Beams of BLIP and Florence-2; more is slower and a little better.")] = 3,
    max_side: Annotated[int, typer.Option(min=64, max=4096, help="Longest side of pictures that are sent to a server, in pixels.")] = 1024,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for a server's answer.")] = 120.0,
    retries: Annotated[int, typer.Option(min=0, max=20, help="Retries when a server fails temporarily.")] = 4,
    where: options.Where = None,
    only: options.Only = None,
    again: Annotated[bool, typer.Option("--again", help="Describe also pictures whose descriptions are stored.")] = False,
    ray: Ray = None,
    dry_run: options.DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let a captioner describe the pictures in sentences, beside the tags or instead of them.

    lorasmith captions describe my-pictures --model florence-community/Florence-2-base
    lorasmith captions describe my-pictures --endpoint http://127.0.0.1:1234/v1 --model qwen2.5-vl-7b --place instead --trigger zorvex
    lorasmith captions describe my-pictures --model florence-community/Florence-2-base --extension .caption --place instead

    With --ray the nodes of a cluster run the model, on storage that all see under the same paths; descriptions are stored as they come.
    """
    from lorasmith.captions.collection import open_captions
    from lorasmith.captions.plan import CaptionPlan
    from lorasmith.captions.scope import select
    from lorasmith.captions.taggers.captioner import open_captioner
    from lorasmith.captions.taggers.descriptions import described_captions, prompts_for
    from lorasmith.errors import InputError

    options.one_of(place, ("instead", "second-line", "only-new"), "place")
    if ray is not None and endpoint is not None:
        raise InputError("--ray is for a model that the nodes run, and --endpoint is a server: leave one of the two out.")
    collection = open_captions(folder, extension, unreadable_too=True)
    tagged = collection if extension is None else open_captions(folder, unreadable_too=True)
    tags_of = {picture: entry.caption.parts[0] for entry in tagged for picture in entry.pictures}
    scope = options.scope_of(where, only)
    options.note_what_is_left_alone(collection, scope)
    entries = select(collection, scope)
    if place == "only-new":
        entries = [entry for entry in entries if not entry.caption.text.strip()]
    captioner = _open_captioner(
        model, endpoint, beams=beams, max_tokens=max_tokens,
        key_variable=key_variable, system=system, max_side=max_side, timeout=timeout, retries=retries,
    )  # fmt: skip
    prompts = prompts_for(collection, entries, captioner.default_prompt if prompt is None else prompt, tags_of, trigger)
    pictures = {entry.key: collection.folder / entry.pictures[0] for entry in entries}
    asked = {pictures[key]: prompt for key, prompt in prompts.items()}
    opened_there = partial(open_captioner, str(model), max_new_tokens=max_tokens, num_beams=beams)
    result = _described(folder, captioner, asked, again, ray, opened_there)
    texts = {key: result.texts[path] for key, path in pictures.items() if path in result.texts}
    changes = described_captions(entries, texts, place, trigger)  # type: ignore[arg-type]
    source = f"{model} at {endpoint}" if endpoint else str(model)
    plan = CaptionPlan(collection, f"describe by {source} ({place})", len(entries), changes)
    failures = result.failures | utf8_failures(collection, scope)
    save_plan(plan, dry_run, as_json, counts={"described now": result.described, "described before": result.known}, failures=failures)


def _described(
    folder: Path, captioner: Captioner, prompts: Mapping[Path, str], again: bool, ray: str | None, opened_there: Callable[[], Captioner]
) -> DescribedPictures:
    """What the captioner says, here or on the nodes of a cluster, where `opened_there` opens it; ends the command where that is stopped."""
    from lorasmith.jobs.captioning import describe as describe_anywhere

    with stop_on_ctrl_c("Stopping after this batch.") as stopping, progress_bar("describing") as progress:
        result = describe_anywhere(
            folder, captioner, prompts, open_there=opened_there, ray=ray, again=again, progress=progress, cancelled=stopping
        )
    if result.stopped:
        typer.echo(
            f"Stopped after {len(result.texts)} of {count(len(prompts), 'picture')}; their descriptions are stored, and the same command continues "
            "with the rest.", err=True,
        )  # fmt: skip
        raise typer.Exit(STOPPED)
    return result


def _open_captioner(model: str | None, endpoint: str | None, *, beams: int, max_tokens: int, **server_settings: Any) -> Captioner:
    from lorasmith.captions.taggers.captioner import open_captioner
    from lorasmith.captions.taggers.vision_endpoint import EndpointSettings, VisionEndpoint
    from lorasmith.errors import SettingsError

    if model is None:
        raise SettingsError("No captioner was named: give --model (BLIP or Florence-2, a folder or a hub id), or --endpoint and --model.")
    if endpoint is None:
        return open_captioner(model, max_new_tokens=max_tokens, num_beams=beams)
    return VisionEndpoint(EndpointSettings(base_url=endpoint, model=model, max_tokens=max_tokens, **server_settings))
