"""Putting a LoRA file where a UI looks for it.

    install("zorvex.safetensors", "stable-diffusion-webui")     # -> stable-diffusion-webui/models/Lora/zorvex.safetensors

UIs are recognised by what is in their folders. A file with the same name is never replaced: where it is the same file, that is said.
"""

from __future__ import annotations

import filecmp
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from lorasmith.adapters.files.header import read_lora_header
from lorasmith.adapters.kinds.programs import CONSUMERS
from lorasmith.atomic import aside_of
from lorasmith.curation.names import safe_stem
from lorasmith.errors import AdapterError, InputError
from lorasmith.findings import Finding
from lorasmith.library.catalogue.sidecars import beside

Way = Literal["copy", "link", "symlink"]


@dataclass(frozen=True)
class Ui:
    """A program that generates with LoRA files, and how its folder is known."""

    name: str
    marks: tuple[str, ...]
    """Paths below its folder, all of which are there."""
    folder: str
    """Where its LoRAs are."""
    refresh: str
    """What its user does to see the new file."""
    configured: Callable[[Path], Path | None] = lambda root: None
    """The folder that its own configuration names instead; None for the usual one."""


def _comfyui_folder(root: Path) -> Path | None:
    """The folder of LoRAs that `extra_model_paths.yaml` makes the default; None where it names none."""
    try:
        tree = yaml.safe_load((root / "extra_model_paths.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    for section in tree.values() if isinstance(tree, dict) else ():
        if isinstance(section, dict) and section.get("is_default") in (True, "true") and isinstance(section.get("loras"), str):
            base = root / os.path.expanduser(os.path.expandvars(str(section.get("base_path", ""))))
            first = next((line.strip() for line in section["loras"].splitlines() if line.strip()), "")
            return base / first if first else None
    return None


def _in_config(key: str, file: str) -> Callable[[Path], Path | None]:
    """A reader of one entry of a UI's JSON configuration, a path or a list of paths."""

    def read(root: Path) -> Path | None:
        try:
            tree: Any = json.loads((root / file).read_text(encoding="utf-8"))
            value = tree[key][0] if isinstance(tree[key], list) else tree[key]
            return root / value if isinstance(value, str) and value else None
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return None

    return read


_WEBUI = ("webui.py", "modules", "extensions-builtin")
_BUTTON = "Press Refresh on the Lora tab, or restart it."

UIS: tuple[Ui, ...] = (
    Ui("Forge", (*_WEBUI, "modules_forge"), "models/Lora", _BUTTON),
    Ui("SD.Next", ("webui.py", "modules", "installer.py"), "models/Lora", "Press Refresh on the Networks panel.", _in_config("lora_dir", "config.json")),
    Ui("AUTOMATIC1111", _WEBUI, "models/Lora", _BUTTON),
    Ui("ComfyUI", ("main.py", "comfy", "nodes.py"), "models/loras", "Press R in the browser, and choose it in a Load LoRA node.", _comfyui_folder),
    Ui("Fooocus", ("launch.py", "fooocus_version.py"), "models/loras", "Press Refresh All Files on the Models tab.", _in_config("path_loras", "config.txt")),
)  # fmt: skip
"""The programs whose folders are known, the more special first."""
PACKED = ("ComfyUI", "webui")
"""Where portable packages have the program's folder."""
INVOKEAI = "invokeai.yaml"
"""What is in the folder of InvokeAI, which keeps files under names of its own and wants to import them itself."""


@dataclass(frozen=True)
class Installed:
    """Where a file went, and what is left to do."""

    ui: str
    """"" where the folder is of no program that is known."""
    file: Path
    way: Way | None
    """None where the same file was there already, or nothing was to be written."""
    beside: tuple[Path, ...]
    """Its pictures and what UIs read beside it: those that went there too, or would."""
    refresh: str
    findings: tuple[Finding, ...]
    """What the program will do with the file, if that is known and not all well."""
    was_there: bool = False
    """Whether the same file was there already."""

    @property
    def as_data(self) -> dict[str, Any]:
        """For --json."""
        return {
            "ui": self.ui or None, "installed": self.file, "way": self.way, "beside": list(self.beside), "refresh": self.refresh,
            "findings": [finding.as_data for finding in self.findings],
        }  # fmt: skip


def install(
    file: str | Path, into: str | Path, *, way: Way = "copy", name: str | None = None, subfolder: str = "", dry_run: bool = False
) -> Installed:
    """Put a LoRA file, with its pictures and what UIs keep beside it, where a program looks for LoRAs.

    Where the same file is there already, what is missing beside it is brought. Nothing is replaced.

    Parameters
    ----------
    into
        The program's folder (AUTOMATIC1111, Forge, SD.Next, ComfyUI, Fooocus), or a folder of LoRAs.
    way
        `copy`; `link` for a hard link, which takes no room and needs the same disk; `symlink`.
    name
        Another name for the file.
    subfolder
        Below the program's folder of LoRAs, such as characters.

    Raises
    ------
    InputError
        Another file has that name, or the folder is not there.

    Examples
    --------
    >>> ls.install("my-lora.safetensors", "runs", name="mimi").file.as_posix()
    'runs/mimi.safetensors'
    """
    file, into = Path(file), Path(os.path.expanduser(into))
    read_lora_header(file)  # refuses what is damaged, or would run code
    ui, folder = _place(into)
    target = folder / subfolder / f"{safe_stem((name or file.stem).removesuffix('.safetensors'))}.safetensors"
    findings = tuple(_findings(file, ui))
    refresh = "" if ui is None else ui.refresh
    is_there = _is_there(file, target)
    pairs = [(source, target.with_name(target.stem + source.name.removeprefix(file.stem))) for source in beside(file)]
    missing = [(source, goal) for source, goal in pairs if not (goal.exists() or goal.is_symlink())]
    if not dry_run:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not is_there:
            _bring(file, target, way)
        for source, goal in missing:
            _bring(source, goal, "copy")
    done = None if dry_run or is_there else way
    return Installed(ui.name if ui else "", target, done, tuple(goal for _, goal in missing), refresh, findings, is_there)


def _place(into: Path) -> tuple[Ui | None, Path]:
    """The program that a folder is of, and where its LoRAs go."""
    if not into.is_dir():
        raise InputError(
            f"There is no folder {into}: give the folder of your UI, or one of LoRAs.", code="install.no_folder", path=str(into)
        )
    if (into / INVOKEAI).is_file():
        raise InputError(
            f"{into} is InvokeAI, which keeps LoRAs under names of its own: import the file there, on the tab Models.",
            code="install.invokeai", path=str(into),
        )  # fmt: skip
    for root in (into, *(into / name for name in PACKED)):
        if ui := _ui_of(root):
            return ui, ui.configured(root) or root / ui.folder
    here = into.resolve()
    for root in list(here.parents)[:4]:  # its folder of LoRAs, or one below
        if (ui := _ui_of(root)) and here.is_relative_to((ui.configured(root) or root / ui.folder).resolve()):
            return ui, into
    return None, into


def _ui_of(root: Path) -> Ui | None:
    return next((ui for ui in UIS if all((root / mark).exists() for mark in ui.marks)), None)


def _findings(file: Path, ui: Ui | None) -> Iterator[Finding]:
    """What is wrong with a file in a program."""
    if ui is not None and ui.name in CONSUMERS:
        from lorasmith.adapters.compatibility.check import check_file  # imports torch, which the studio, where files are kept, does without

        try:
            yield from check_file(file).problems((ui.name,))
        except AdapterError as error:  # of a family that is not known here, which the program may know
            yield Finding("install.not_checked", "warning", f"What {ui.name} does with it is not known. {error}", "file")


def _is_there(file: Path, target: Path) -> bool:
    """Whether the target is this file already. Raises InputError (`install.exists`) where it is another."""
    if not (target.exists() or target.is_symlink()):
        return False
    if target.exists() and (target.samefile(file) or _same_bytes(file, target)):
        return True
    raise InputError(
        f"{target} exists already, and is another file. Give this one another name with --name.", code="install.exists", path=str(target)
    )


def _same_bytes(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    return filecmp.cmp(one, other, shallow=False)


def _bring(source: Path, target: Path, way: Way) -> None:
    """Copy or link a file; a copy appears whole or not at all, and nothing is replaced."""
    if way in ("symlink", "link"):
        try:
            target.symlink_to(source.resolve()) if way == "symlink" else os.link(source.resolve(), target)
        except FileExistsError:
            raise
        except OSError as error:
            reason = "Windows asks for rights of its own" if way == "symlink" else "that is another disk, or it knows no links"
            raise InputError(
                f"{source} cannot be linked to {target.parent} ({error.strerror}): {reason}. Leave out --{way}.",
                code="install.link", path=str(target),
            ) from error  # fmt: skip
        return
    aside = aside_of(target)
    try:
        shutil.copyfile(source, aside)
        os.link(aside, target)  # unlike a rename, this replaces nothing that came in between
    except OSError:
        if target.exists():
            raise
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)
