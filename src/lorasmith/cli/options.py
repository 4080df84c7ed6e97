"""Options that several verbs share, said once: they have the same names and read alike in every `--help`.

    def export(dataset: Dataset, dry_run: DryRun = False, as_json: AsJson = False) -> None:

A verb that means something narrower gives its own help: `Annotated[bool, typer.Option("--dry-run", help="...")]`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lorasmith.errors import SettingsError
from lorasmith.models.device import Device
from lorasmith.stores import url_of


def on_this_machine(folder: Path) -> Path:
    """The folder itself; raises SettingsError where it is in a store."""
    if url_of(folder) is not None:
        raise SettingsError(
            f"{url_of(folder)} is in a store, and a cache is read all the time. Give a folder of this machine.", code="settings.value"
        )
    return folder


def refuse_without(needed: str, there: object, **options: object) -> None:
    """Raises SettingsError for the first of the options that was given although what it needs is not there, so that it would have no effect."""
    given = next((name for name, value in options.items() if value), None)
    if given is not None and not there:
        raise SettingsError(f"--{given.replace('_', '-')} has no effect without {needed}: remove it, or add that.", code="cli.no_effect")


AsJson = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON, for scripts.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")]
AllowPickle = Annotated[bool, typer.Option("--allow-pickle", help="Read .ckpt, .pt and .bin files too, as weights alone.")]
DeviceChoice = Annotated[Device, typer.Option(help="auto takes a GPU where there is one, else the CPU.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")]

SettingsFile = Annotated[Path, typer.Argument(help="Settings file (TOML).")]
RunFolderArgument = Annotated[Path, typer.Argument(help="Folder of a run, such as runs/zorvex, or its URL in a store.")]
Dataset = Annotated[Path, typer.Argument(help="Folder of pictures with captions beside them.")]
LoraFile = Annotated[Path, typer.Argument(help="LoRA file (safetensors), of any trainer.")]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray", metavar="auto|HEAD:PORT", help="Work over a Ray cluster: the one that this machine is a node of (auto), or that of a head."
    ),
]
CacheFolder = Annotated[
    Path, typer.Option("--cache", help="Folder that keeps what was seen of pictures; safe to delete.", callback=on_this_machine)
]
DEMO = "demo"
"""What the base, the tagger and the tag list that come with Lorasmith are called."""


def base_of(named: Any) -> Any:
    """The base that a user names; `demo` is the one that comes with Lorasmith."""
    if str(named) != DEMO:
        return named
    from lorasmith.demo.weights import BASE

    return type(named)(BASE)


Base = Annotated[Path, typer.Option(help="Base model: a file, a diffusers folder, a hub id, or demo.", callback=base_of)]
CACHE = Path("cache")
"""Where verbs and settings keep what can be made again, unless they are told otherwise."""
