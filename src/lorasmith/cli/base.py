"""Verbs on base models: inspect."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lorasmith.cli.options import AllowPickle, AsJson, base_of
from lorasmith.cli.output import print_json
from lorasmith.models.families import part_in_words

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Base models: what a file, a folder or a hub id is.")


@app.callback()
def base() -> None:
    """Base models: what a file, a folder or a hub id is."""


@app.command()
def inspect(
    source: Annotated[str, typer.Argument(help="A file, a diffusers folder, a hub id (owner/name), or demo.", callback=base_of)],
    vae: Annotated[Path | None, typer.Option(help="Another autoencoder: its file or folder.")] = None,
    text_encoder: Annotated[Path | None, typer.Option(help=f"Text encoder in a file of its own: {part_in_words('text_encoder')}.")] = None,
    text_encoder_2: Annotated[
        Path | None, typer.Option(help=f"Second text encoder in a file of its own: {part_in_words('text_encoder_2')}.")
    ] = None,
    text_encoder_3: Annotated[
        Path | None, typer.Option(help=f"Third text encoder in a file of its own: {part_in_words('text_encoder_3')}.")
    ] = None,
    allow_pickle: AllowPickle = False,
    hashes: Annotated[bool, typer.Option("--hashes", help="Also hash the files; remembered, so slow only once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what a base model is, how we know, and what a LoRA on it will need.

    lorasmith base inspect models/animagine.safetensors

    lorasmith base inspect flux1-dev.safetensors --text-encoder clip_l.safetensors --text-encoder-2 t5xxl.safetensors --vae ae.safetensors
    """
    from lorasmith.models.files.hashes import sha256
    from lorasmith.models.open import describe, missing_parts

    found = describe(
        source, vae=vae, text_encoder=text_encoder, text_encoder_2=text_encoder_2, text_encoder_3=text_encoder_3, allow_pickle=allow_pickle
    )
    absent = missing_parts(found)
    files = dict.fromkeys(file for place in found.parts.values() for file in place.files)
    digests = {str(file): sha256(file) for file in files} if hashes else {}
    if as_json:
        data = found.as_data() | {"missing": absent} | ({"sha256": digests} if hashes else {})
        print_json(data)
        return
    typer.echo(f"{source}: {found.record.title}{' ' + found.variant if found.variant else ''}, a {found.layout}")
    typer.echo("\nHow we know")
    for reason in found.reasons:
        typer.echo(f"  {reason}")
    typer.echo("\nParts")
    for name, place in found.parts.items():
        where = place.files[0].name + (f" and {len(place.files) - 1} more" if len(place.files) > 1 else "")
        typer.echo(f"  {name:<15} {place.dtype:<11} {where}{' under ' + place.prefix.rstrip('.') if place.prefix else ''}")
    for name in absent:
        typer.echo(f"  {name:<15} is missing: give its file as --{name.replace('_', '-')}, in settings as base.{name}")
    typer.echo("\nA LoRA on it")
    for note in found.notes:
        typer.echo(f"  {note}")
    if digests:
        typer.echo("\nHashes (sha256; its first ten digits are the AutoV2 hash)")
        for path, digest in digests.items():
            typer.echo(f"  {digest}  {path}")
