"""What the machine has, found out without torch: processors, memory, disk, graphics cards, packages and what could be added to them."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
from pydantic import BaseModel, Field

PACKAGES = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "pillow", "onnxruntime", "pydantic", "fastapi")
"""Whose versions people ask for when something goes wrong."""

NOT_FOR_USERS = ("dev", "studio")
"""Extras that nobody needs who sees this."""

PATIENCE = 5.0
"""Seconds to wait for a graphics card's driver."""


class Accelerator(BaseModel):
    """A graphics card."""

    index: int
    name: str
    memory: int = Field(description="Bytes.")
    memory_free: int = Field(description="Bytes.")


class Extra(BaseModel):
    """Packages that are not installed, and what installs them."""

    name: str
    packages: list[str]
    command: str


class Machine(BaseModel):
    """The machine and what is installed on it. Sizes are in bytes."""

    lorasmith: str = Field(description="The version of Lorasmith.")
    python: str
    system: str
    packages: dict[str, str] = Field(description="Versions of the packages that matter when something goes wrong.")
    processors: int
    memory: int
    memory_free: int
    disk: int = Field(description="The size of the disk that the workspace is on.")
    disk_free: int
    accelerators: list[Accelerator]
    missing: list[Extra] = Field(description="Extras that are not installed.")


def describe_machine(folder: Path) -> Machine:
    """The machine as it is now; `folder` says whose disk counts."""
    memory, disk = psutil.virtual_memory(), shutil.disk_usage(folder)
    versions = {name: version for name in PACKAGES if (version := installed(name)) is not None}
    return Machine(
        lorasmith=importlib.metadata.version("lorasmith"), python=platform.python_version(), system=platform.platform(), packages=versions,
        processors=os.cpu_count() or 1, memory=memory.total, memory_free=memory.available, disk=disk.total, disk_free=disk.free,
        accelerators=list(_nvidia_cards()), missing=list(_missing_extras()),
    )  # fmt: skip


def installed(package: str) -> str | None:
    """The version of a package, without importing it."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _nvidia_cards() -> Iterator[Accelerator]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return
    question = [program, "--query-gpu=index,name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    try:
        rows = subprocess.run(question, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout.splitlines()
        for row in rows:
            index, name, total, free = (cell.strip() for cell in row.split(","))
            yield Accelerator(index=int(index), name=name, memory=int(total) * 2**20, memory_free=int(free) * 2**20)
    except (OSError, subprocess.SubprocessError, ValueError):
        return  # no driver, or one that says something else: no card that can be used


def _missing_extras() -> Iterator[Extra]:
    """The extras of which a package is not installed."""
    needed: dict[str, list[str]] = {}
    for line in importlib.metadata.requires("lorasmith") or ():
        if found := re.match(r"([\w.-]+).*;\s*extra\s*==\s*[\"']([\w-]+)[\"']", line):
            needed.setdefault(found[2], []).append(found[1])
    for extra, packages in needed.items():
        lacking = [package for package in packages if installed(package) is None]
        if lacking and extra not in NOT_FOR_USERS:
            yield Extra(name=extra, packages=lacking, command=f'pip install "lorasmith[{extra}]"')
