"""What a project's folder is: everything for one LoRA, from its pictures to its runs.

    projects/mimi/
      project.toml     what the LoRA is to be; see `Project`
      dataset/         the pictures with their captions, unless project.toml names another folder
      runs/            a folder for each training

The folder can be copied, moved and read without Lorasmith: nothing about it is kept anywhere else.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from lorasmith.atomic import write_atomically
from lorasmith.curation.audit.checks import CheckName
from lorasmith.errors import InputError
from lorasmith.training.recipes.recipes import Kind, Level

PROJECT_FILE = "project.toml"
VERSION = 1

Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""Text on one line."""
PathLine = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A path on one line."""


class Project(BaseModel):
    """What a LoRA is to be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[Line, Field(min_length=1)] = Field(description="What people call it.")
    kind: Kind = Field("character", description="What the LoRA is of.")
    level: Level = Field("standard", description="How much work goes into it: quick, standard, competition.")
    base: PathLine | None = Field(None, description="The base model: a file, a folder or a hub id. Empty: not chosen yet.")
    trigger: Line | None = Field(None, description="The word that calls what was learnt. Empty: not chosen yet.")
    dataset: Annotated[PathLine, Field(min_length=1)] = Field(
        "dataset", description="Folder of the pictures; below the project, or anywhere."
    )
    audit_without: list[CheckName] = Field([], description="Checks of the audit that are switched off: dark, greyscale ...")
    read_words: bool = Field(False, description="Whether the audit reads words on the pictures; needs lorasmith[ocr].")
    upscaler: PathLine = Field("", description="Network that enlarges pictures that are too small, by its file. Empty: Lanczos.")
    created: datetime = Field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0), description="Date and time, UTC.")


@dataclass(frozen=True)
class ProjectFolder:
    """Paths inside a project."""

    root: Path

    @property
    def id(self) -> str:
        """The folder's name, by which the project is asked for."""
        return self.root.name

    @property
    def file(self) -> Path:
        return self.root / PROJECT_FILE

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def run_folders(self) -> list[Path]:
        """What may be runs, in order: the folders in `runs`, and those in them, as a sweep's trials are."""
        return sorted(folder for pattern in ("*", "*/*") for folder in self.runs.glob(pattern) if folder.is_dir())

    @property
    def dataset(self) -> Path:
        """The folder of the pictures."""
        return self.root / self.read().dataset

    @property
    def version(self) -> str:
        """Another one whenever project.toml has changed."""
        return hashlib.sha256(self.file.read_bytes()).hexdigest()[:16]

    def read(self) -> Project:
        """The project; raises InputError where its file cannot be read (`project.damaged`)."""
        try:
            tree = tomllib.loads(self.file.read_text(encoding="utf-8"))
            if tree.pop("version", VERSION) != VERSION:
                raise InputError(f"{self.file} was written by a newer Lorasmith. Update Lorasmith.", code="project.newer_version")
            return Project.model_validate(tree)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{self.file} is not valid TOML ({error}). Fix that line.", code="project.damaged") from error
        except ValidationError as error:
            where, sentence = first_fault(error)
            raise InputError(f"{self.file}: {where}: {sentence} Fix that line.", code="project.damaged", place=where) from error

    def write(self, project: Project) -> None:
        """Write project.toml; what is not chosen yet is left out."""
        document = tomlkit.document()
        document.add("version", tomlkit.item(VERSION))
        for name, value in project.model_dump(exclude_none=True).items():
            if value in ([], False, ""):
                continue
            document.add(tomlkit.comment(str(Project.model_fields[name].description)))
            document.add(name, tomlkit.item(value))
        write_atomically(self.file, tomlkit.dumps(document).encode())


def first_fault(error: ValidationError) -> tuple[str, str]:
    """Where the first fault is, dotted, and what is wrong there, as a sentence."""
    fault = error.errors()[0]
    reason = fault["msg"].removeprefix("Value error, ")
    if reason != fault["msg"]:
        reason = f"{fault['input']!r} {reason}"  # ours says of the value what it is not
    return ".".join(str(part) for part in fault["loc"]), reason if reason.endswith(("?", ".")) else f"{reason}."
