"""Check, compare and install: LoRA files are looked at number for number, and put where a UI finds them. They take seconds, and begin again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from lorasmith.jobs.kind import Arguments, Kind
from lorasmith.jobs.kinds.options import ALLOW_PICKLE, BaseSource, FamilyName
from lorasmith.jobs.work import Work

_FAMILY: FamilyName | None = Field(None, description="Of the base, where the file does not show it.")


class CheckArguments(Arguments):
    """What `lorasmith check` is given."""

    reads: ClassVar[tuple[str, ...]] = ("file", "base")

    file: Path = Field(description="LoRA file, of any trainer.")
    base: BaseSource | None = Field(None, description="The base, to compare the layers with. Empty: the family at its standard size.")
    family: FamilyName | None = _FAMILY
    allow_pickle: bool = ALLOW_PICKLE


def check(arguments: CheckArguments, work: Work) -> dict[str, Any]:
    """Whether a file is sound, fits its base, and what each program does with it."""
    from lorasmith.adapters.compatibility.check import check_file

    return _plain(check_file(arguments.file, arguments.family, arguments.base, allow_pickle=arguments.allow_pickle).as_data())


class CompareArguments(Arguments):
    """What `lorasmith lora compare` is given."""

    reads: ClassVar[tuple[str, ...]] = ("files", "base")

    files: list[Path] = Field(min_length=2, description="LoRA files; the others are compared with the first.")
    base: BaseSource | None = Field(None, description="The base, for kinds whose change depends on it.")
    family: FamilyName | None = _FAMILY
    allow_pickle: bool = ALLOW_PICKLE


def compare(arguments: CompareArguments, work: Work) -> dict[str, Any]:
    """What files were trained with, how much each block changes, and whether they change the same."""
    from lorasmith.library.lora_comparison import compare_loras

    return _plain(compare_loras(arguments.files, arguments.family, arguments.base, arguments.allow_pickle).as_data())


class InstallArguments(Arguments):
    """What `lorasmith install` is given."""

    reads: ClassVar[tuple[str, ...]] = ("file", "into")

    file: Path = Field(description="LoRA file.")
    into: Path = Field(description="Folder of AUTOMATIC1111, Forge, SD.Next, ComfyUI or Fooocus; or one of LoRAs.")
    way: Literal["copy", "link", "symlink"] = Field(
        "copy", description="link takes no room on the same disk, symlink breaks when the file is moved."
    )
    name: str | None = Field(None, description="Another name for the file.")
    subfolder: str = Field("", description="Below the UI's folder of LoRAs, such as characters.")


def install(arguments: InstallArguments, work: Work) -> dict[str, Any]:
    """Put a file, with its picture, where a UI looks for it; another file of that name is never replaced."""
    from lorasmith.library.install import install as put

    done = put(arguments.file, arguments.into, way=arguments.way, name=arguments.name, subfolder=arguments.subfolder)
    return _plain(done.as_data)


def _plain(data: dict[str, Any]) -> dict[str, Any]:
    """As JSON has it: paths are text."""
    plain: dict[str, Any] = json.loads(json.dumps(data, default=str))
    return plain


CHECK = Kind("Check a LoRA", CheckArguments, check)
COMPARE = Kind("Compare LoRAs", CompareArguments, compare)
INSTALL = Kind("Install a LoRA", InstallArguments, install)
