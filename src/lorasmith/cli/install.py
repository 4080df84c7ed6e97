"""The verb that puts a LoRA where a UI looks for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lorasmith.cli.options import AsJson, DryRun, LoraFile

if TYPE_CHECKING:
    from lorasmith.library.install import Installed, Way


def install(
    file: LoraFile,
    into: Annotated[Path, typer.Option(help="Folder of AUTOMATIC1111, Forge, SD.Next, ComfyUI or Fooocus; or one of LoRAs.")],
    copy: Annotated[bool, typer.Option("--copy", help="Copy the file. This is usual.")] = False,
    link: Annotated[bool, typer.Option("--link", help="Make a hard link, which takes no room, on the same disk.")] = False,
    symlink: Annotated[bool, typer.Option("--symlink", help="Make a symbolic link, which breaks when the file is moved.")] = False,
    name: Annotated[str | None, typer.Option(help="Another name for the file.")] = None,
    subfolder: Annotated[str, typer.Option(help="Below the UI's folder of LoRAs, such as characters.")] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Put a LoRA, with its pictures and what UIs keep beside it, where your UI looks for it, and say what the UI will do with it.

    Another file of that name is never replaced.

    lorasmith install zorvex.safetensors --into stable-diffusion-webui

    lorasmith install runs/zorvex/checkpoints/zorvex.safetensors --into ComfyUI --link --subfolder characters
    """
    from lorasmith.library.install import install as put

    if copy + link + symlink > 1:
        raise typer.BadParameter("Give one of --copy, --link and --symlink.", param_hint="--link")
    way: Way = "link" if link else "symlink" if symlink else "copy"
    done = put(file, into, way=way, name=name, subfolder=subfolder, dry_run=dry_run)
    if as_json:
        from lorasmith.cli.output import print_json

        print_json({"file": file, "into": into, **done.as_data})
    else:
        _say(file, done, dry_run)


def _say(file: Path, done: Installed, dry_run: bool) -> None:
    from lorasmith.cli.findings import print_finding

    for finding in done.findings:
        print_finding(finding)
    if done.findings:
        typer.echo()
    where = f"{done.ui}: " if done.ui else ""
    if done.was_there:
        typer.echo(f"{where}{done.file} is this file already.")
    else:
        verbs = {"copy": "copied", "link": "linked", "symlink": "linked"}
        typer.echo(f"{where}{file} {'would go' if done.way is None else verbs[done.way]} to {done.file}")
    for beside in done.beside:
        typer.echo(f"  {'beside it now' if done.was_there and not dry_run else 'with'} {beside.name}")
    if done.refresh and not done.was_there:
        typer.echo(done.refresh)
