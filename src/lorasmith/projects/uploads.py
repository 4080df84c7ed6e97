"""Uploads: files that come in piece by piece, wait on the disk until all are there, and then go into a project's dataset as an import.

    .lorasmith/uploads/<id>/
      upload.json        which project it is for, and the job that imports it
      files/0007.part    a file that is still coming
      files/0007         one that is there
      files/0007.name    the name that it had, with its folders
      named/, archives/  all of them under their names, once the import has begun

What is never committed is thrown away after a week (`Uploads.clear`). Names are only labels here: what is on the disk is called by numbers until the import places it, under names of its own making.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from filelock import FileLock
from pydantic import BaseModel, Field, ValidationError

from lorasmith.atomic import write_atomically
from lorasmith.curation.names import safe_folder
from lorasmith.errors import InputError
from lorasmith.jobs.job import ENDED, Job
from lorasmith.jobs.workspace import Workspace

log = logging.getLogger(__name__)

ARCHIVES = (".zip", ".tar", ".tgz", ".gz")
ABANDONED = 7 * 24 * 3600.0
"""Seconds after which nobody comes back to an upload: the browser was closed, or its import failed and was left so."""


@dataclass(frozen=True)
class UploadLimits:
    """What may come in, in bytes."""

    file: int = 200 * 2**20
    archive: int = 8 * 2**30
    """A file that is an archive by its name."""
    files: int = 100_000
    spared: int = 2**30
    """What stays free on the disk."""


class UploadInfo(BaseModel):
    """What an upload is for."""

    project: str
    job: int | None = Field(None, description="The job that imports it, once it was committed.")


@dataclass(frozen=True)
class UploadedFile:
    """A file of an upload."""

    number: int
    name: str
    received: int
    """Bytes that are there."""
    complete: bool


class Uploads:
    """The uploads of a workspace."""

    def __init__(self, workspace: str | Path, limits: UploadLimits | None = None):
        self.folder = Workspace.at(workspace).state / "uploads"
        self.limits = limits or UploadLimits()

    def begin(self, project: str) -> Upload:
        """A new upload for a project."""
        upload = Upload(self.folder / secrets.token_hex(8), self.limits)
        upload.files.mkdir(parents=True)
        upload.write(UploadInfo(project=project))
        return upload

    def __iter__(self) -> Iterator[Upload]:
        """All of them, also what a kill left of one."""
        return (Upload(folder, self.limits) for folder in sorted(self.folder.glob("*")) if folder.is_dir())

    def clear(self, imports: Mapping[int, Job]) -> None:
        """Throw away what was imported, and what nobody has gone on with for a week; `imports` are the jobs that import, by number.

        Another studio may do the same meanwhile. One whose files come in, or whose job waits, runs or is paused, stays.
        """
        for upload in self:
            job = imports.get(upload.job or -1)
            if job is not None and job.state not in ENDED:
                continue
            touched = max(upload.touched, 0.0 if job is None else job.ended or 0.0)
            if (job is not None and job.state == "done") or touched < time.time() - ABANDONED:
                try:
                    upload.remove()
                except OSError as error:  # the other one was quicker, or somebody reads a file of it
                    log.info("The upload %s could not be thrown away (%s).", upload.root, error.strerror)

    def __getitem__(self, id: str) -> Upload:
        """The upload of this id; raises InputError where there is none (`upload.not_found`)."""
        found = Upload(self.folder / id, self.limits)
        if not (id.isalnum() and id.isascii()) or not found.info_file.is_file():
            raise InputError(f"There is no upload {id!r}. Begin one.", code="upload.not_found", upload=id)
        return found


@dataclass(frozen=True)
class Upload:
    """One upload."""

    root: Path
    limits: UploadLimits

    @property
    def id(self) -> str:
        return self.root.name

    @property
    def files(self) -> Path:
        return self.root / "files"

    @property
    def named(self) -> Path:
        """The files under their names, for the import; made by `lay_out`."""
        return self.root / "named"

    @property
    def archives(self) -> Path:
        """The archives under their names: each is imported by itself, for one inside a folder is left alone."""
        return self.root / "archives"

    @property
    def info_file(self) -> Path:
        return self.root / "upload.json"

    @property
    def info(self) -> UploadInfo:
        """What it is for; raises InputError where that cannot be read."""
        try:
            return UploadInfo.model_validate_json(self.info_file.read_bytes())
        except (OSError, ValidationError) as error:
            raise InputError(f"{self.info_file} is damaged. Begin another upload.", code="upload.damaged", upload=self.id) from error

    @property
    def job(self) -> int | None:
        """The job that imports it; None also where that cannot be read."""
        try:
            return self.info.job
        except InputError:
            return None

    @property
    def touched(self) -> float:
        """When something of it last came in, in seconds since 1970."""
        latest = 0.0
        for place in (self.root, *self.root.rglob("*")):
            with suppress(OSError):  # it was thrown away, or is there as a whole now
                latest = max(latest, place.stat().st_mtime)
        return latest

    def write(self, info: UploadInfo) -> None:
        write_atomically(self.info_file, info.model_dump_json().encode())

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else lays the upload out within the block: a page that was loaded again may ask for it once more."""
        with FileLock(self.root / "lock"):
            yield

    def listed(self) -> list[UploadedFile]:
        """What is there, by number; without what is being laid out just now."""
        found = []
        for label in sorted(self.files.glob("*.name")):
            with suppress(FileNotFoundError):
                number, name = int(label.stem), label.read_text(encoding="utf-8")
                whole, part = self._whole(number), self._part(number)
                if whole.exists():
                    found.append(UploadedFile(number, name, whole.stat().st_size, True))
                elif part.exists():
                    found.append(UploadedFile(number, name, part.stat().st_size, False))
        return found

    def content_of(self, number: int) -> str:
        """The SHA-256 of a file that is there, in 64 digits; "" of one that is not."""
        try:
            with self._whole(number).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return ""

    def receive(self, number: int, name: str, offset: int, length: int) -> Receiving:
        """Take in a file of `length` bytes, beginning at `offset`: 0, or what is there of it already.

        Raises:
            InputError: it is too large, there are too many, the disk is nearly full, or `offset` is not what is there.
        """
        if self.info.job is not None:
            raise InputError(f"The upload {self.id} was committed already. Begin another one.", code="upload.exists", upload=self.id)
        part = self._part(number)
        there = part.stat().st_size if part.exists() else 0
        self._check(number, name, length, there)
        if offset not in (0, there) or offset > length:
            raise InputError(
                f"{name} has {there} bytes so far, and {offset} were to come before these. Go on at {there}, or begin at 0.",
                code="upload.stale", received=there,
            )  # fmt: skip
        part.with_suffix(".name").write_text(name, encoding="utf-8", errors="replace")
        return Receiving(part, self._whole(number), offset, length)

    def lay_out(self, without_incomplete: bool = False) -> list[Path]:
        """The files under their names, as an import reads them: the folder of the pictures, and each archive.

        Raises InputError where one is still coming, unless it is to be left out, or none is there.
        """
        files = self.listed()
        coming = [file.name for file in files if not file.complete]
        if coming and not without_incomplete:
            raise InputError(f"{coming[0]} is not there as a whole yet. Send the rest of it.", code="upload.incomplete", files=coming)
        for file in files:
            if file.complete:
                self._place(file)
        sources = sorted(file for file in self.archives.rglob("*") if file.is_file())
        sources += [self.named] if self.named.is_dir() else []
        if not sources:
            raise InputError("The upload has no files yet. Send some first.", code="upload.empty", upload=self.id)
        return sources

    def _place(self, file: UploadedFile) -> None:
        below = self.archives if file.name.lower().endswith(ARCHIVES) else self.named
        goal = below.joinpath(*_safe_parts(file.name))
        while goal.exists():
            goal = goal.with_name(f"{goal.stem}_{file.number}{goal.suffix}")
        goal.parent.mkdir(parents=True, exist_ok=True)
        self._whole(file.number).rename(goal)
        self._part(file.number).with_suffix(".name").unlink()

    def remove(self) -> None:
        """Throw the upload away with all that came in."""
        shutil.rmtree(self.root)

    def _check(self, number: int, name: str, length: int, there: int) -> None:
        limits = self.limits
        most = limits.archive if name.lower().endswith(ARCHIVES) else limits.file
        if not name or len(name) > 1000:
            raise InputError("A file needs a name of up to 1,000 letters. Send one.", code="upload.name")
        if length > most:
            raise InputError(f"{name} has {length} bytes, and at most {most} may come in.", code="upload.too_large", most=most)
        if number >= limits.files:
            raise InputError(
                f"An upload has at most {limits.files} files. Send an archive instead.", code="upload.too_large", most=limits.files
            )
        free, wanted = shutil.disk_usage(self.root).free, length - there
        if wanted > free - limits.spared:
            raise InputError(f"{name} needs {wanted} bytes, and the disk has {free} left. Make room.", code="upload.disk_full", free=free)

    def _whole(self, number: int) -> Path:
        return self.files / f"{number:06d}"

    def _part(self, number: int) -> Path:
        return self.files / f"{number:06d}.part"


class Receiving:
    """A file that is coming in: pieces are written as they come, and what came before a break stays."""

    def __init__(self, part: Path, whole: Path, offset: int, length: int):
        self._part, self._whole, self.received, self.length = part, whole, offset, length
        self._file: BinaryIO = part.open("r+b" if offset else "wb")
        self._file.seek(offset)

    def write(self, piece: bytes) -> None:
        """Take one piece. Raises InputError where more comes than was announced."""
        if self.received + len(piece) > self.length:
            raise InputError(
                f"More than the {self.length} bytes that were announced came in. Send the file again.", code="upload.too_large"
            )
        self._file.write(piece)
        self.received += len(piece)

    def close(self) -> bool:
        """Whether the file is there as a whole now."""
        self._file.close()
        if self.received < self.length:
            return False
        self._part.replace(self._whole)
        return True


def _safe_parts(name: str) -> list[str]:
    """The folders and the name of a label, each as every system can hold it; none of them leads anywhere else."""
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", "..", ".")]
    return [safe_folder(part) for part in parts] or ["file"]
