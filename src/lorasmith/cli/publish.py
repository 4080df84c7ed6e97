"""The verb that makes a LoRA ready for others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lorasmith.cli.options import AsJson, DryRun, Overwrite, base_of, refuse_without

if TYPE_CHECKING:
    from lorasmith.library.publish.publish import Published


def publish(
    source: Annotated[Path, typer.Argument(help="Folder of a run, or a LoRA file.")],
    out: Annotated[Path, typer.Option(help="Folder to make, or a ZIP where the name ends so.")],
    name: Annotated[str | None, typer.Option(help="Name of the file. Empty: as its training calls it.")] = None,
    description: Annotated[str, typer.Option(help="What it is, in a few sentences.")] = "",
    author: Annotated[str, typer.Option(help="Who made it.")] = "",
    license: Annotated[str, typer.Option(help="Such as cc-by-4.0, openrail or apache-2.0.")] = "",
    rights: Annotated[
        str, typer.Option(help="Where the rights to the training images come from. Empty: what was confirmed of the run's datasets.")
    ] = "",
    base_model: Annotated[str, typer.Option(help="The base model's repository on the hub: OWNER/NAME.")] = "",
    picture: Annotated[
        list[Path] | None, typer.Option(help="Picture to show, instead of those of the run; may be given several times.")
    ] = None,
    base: Annotated[str | None, typer.Option(help="Base model, to generate pictures where there are none.", callback=base_of)] = None,
    prompt: Annotated[list[str] | None, typer.Option(help="With --base: what to generate; once for each picture.")] = None,
    push: Annotated[str | None, typer.Option(metavar="OWNER/NAME", help="Upload to this repository on Hugging Face's hub, too.")] = None,
    private: Annotated[bool, typer.Option("--private", help="With --push: a new repository is private.")] = False,
    keep_private: Annotated[bool, typer.Option("--keep-private", help="Keep metadata that name folders, tags or programs.")] = False,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make a LoRA ready to upload: the file under a safe name, pictures with their prompts, and a card with what is known of it.

    Of a run, the checkpoint is published that the verdict recommends. Nothing leaves this machine without --push.

    lorasmith publish runs/zorvex --out to-upload --license cc-by-4.0

    lorasmith publish zorvex.safetensors --out zorvex.zip --rights "my own photographs" --base models/base.safetensors --prompt "zorvex, beach"

    lorasmith publish runs/zorvex --out to-upload --license cc-by-4.0 --push anna/zorvex

    Exit code 1: something is wrong, and nothing was written.
    """
    from lorasmith.library.publish.hub import check_repository, push_folder
    from lorasmith.library.publish.publish import publish as make

    refuse_without("--push", push is not None, private=private)
    refuse_without("--base", base is not None, prompt=prompt)
    if prompt and picture:
        raise typer.BadParameter("Pictures are shown or generated. Give --picture or --prompt.", param_hint="--prompt")
    if push is not None:
        check_repository(push)
        if out.suffix == ".zip":
            raise typer.BadParameter("A folder is pushed, not a ZIP.", param_hint="--out")
    made = make(
        source, out, name=name, description=description, author=author, license=license, rights=rights, base_model=base_model,
        pictures=picture or (), base=base, prompts=prompt or (), repository=push or "", keep_private=keep_private, overwrite=overwrite, dry_run=dry_run,
    )  # fmt: skip
    address = push_folder(made.out, push, private=private) if push is not None and made.out is not None else None
    if as_json:
        from lorasmith.cli.output import print_json

        print_json({**made.as_data, "pushed": address})
    else:
        _say(made, dry_run)
        if address is not None:
            typer.echo(f"Pushed to {address}")
    if made.out is None and not dry_run:
        raise typer.Exit(1)


def _say(made: Published, dry_run: bool) -> None:
    from lorasmith.cli.findings import print_finding

    for finding in made.findings:
        print_finding(finding)
    if made.findings:
        typer.echo()
    would = "would be " if dry_run else ""
    if made.out is None and not dry_run:
        typer.echo("Nothing was written.")
        return
    typer.echo(f"{made.source} {would}published as {made.name}: {' '.join(made.card.verdict)}")
    typer.echo(f"{made.out or 'files'}: {', '.join(made.files)}")
