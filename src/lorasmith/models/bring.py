"""Bring a model into a workspace: from the hub into the hub's own cache, or from a link into the workspace's folders."""

from __future__ import annotations

import fnmatch
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from lorasmith.captions.taggers.model_folder import HUB_ID
from lorasmith.captions.taggers.tagger_descriptor import descriptor_from_hub_name, descriptor_of, files_of
from lorasmith.captions.vocabulary import open_vocabulary
from lorasmith.errors import InputError
from lorasmith.models.files.hub import download, hub_parts, in_cache, needed_files
from lorasmith.models.files.link import Link, fetch_link, is_link, link_of
from lorasmith.models.files.part_files import INDEXES
from lorasmith.models.open import describe
from lorasmith.models.shelf import ENDINGS, FOLDERS, ModelKind, Registered, Shelf, registered_as
from lorasmith.progress import Progress
from lorasmith.safetensors_header import read_header


def check_source(kind: ModelKind, source: str) -> None:
    """Raises InputError where nothing could be brought from there (`download.address`, `download.kind`, `hub.not_found`)."""
    if is_link(source):
        link_of(source)
        if kind not in FOLDERS:
            raise InputError(f"A {kind} is several files, and comes from the hub. Give the id of its repository.", code="download.kind")
    elif not HUB_ID.fullmatch(source.replace("@", "/", 1)):
        raise InputError(f"{source!r} is neither a link nor the id of a hub repository (owner/name).", code="hub.not_found", source=source)
    elif kind in ("vocabulary", "upscaler") and not source.lower().endswith(ENDINGS[kind]):
        raise InputError(
            f"Of {source} one file is needed. Give it as owner/name/file{ENDINGS[kind][0]}.", code="download.kind", source=source
        )  # fmt: skip


def bring(
    workspace: str | Path, kind: ModelKind, source: str, *, parts: str | Path, secret: str = "", sha256: str = "", progress: Progress | None = None
) -> Registered:  # fmt: skip
    """Download a model, look whether it is one, and put it on the workspace's shelf.

    `source` is a link without its secrets, or the id of a hub repository; `secret` is what was taken off the link, and is not kept. `parts`
    is the folder for what has come in part. `progress` is called with bytes, and ends the download by raising.

    Raises:
        InputError, RunError: see `fetch_link` and `download`; or it is no model of this kind.
    """
    workspace = Path(workspace)
    check_source(kind, source)
    if is_link(source):
        file = fetch_link(
            Link(source, secret), workspace / FOLDERS[kind], ENDINGS[kind], parts=parts, sha256=sha256, progress=progress
        )  # fmt: skip
        found = Registered(kind, registered_as(workspace, kind, file))
    else:
        found = _from_hub(workspace, kind, source, progress)
    check(workspace, found)
    Shelf(workspace).add(found)
    return found


def check(workspace: str | Path, model: Registered) -> None:
    """Raises InputError where a model on this machine is none of its kind, or cannot be read."""
    place = Path(workspace) / model.source
    match model.kind:
        case "base":
            describe(place if place.exists() else in_cache(model.source) or place)
        case "tagger" if place.exists():
            needed = descriptor_of(place).model_files
            if not any((place / name).is_file() for name in needed):
                raise InputError(f"{place} is not a tagger's folder: it has no {' or '.join(needed)}.", code="models.no_tagger")
        case "vocabulary":
            open_vocabulary(place)
        case "upscaler":
            read_header(place)


def _from_hub(workspace: Path, kind: ModelKind, source: str, progress: Progress | None) -> Registered:
    repository, revision, inside = hub_parts(source)
    brought = download(repository, revision, _wanted(kind, source, inside), progress)
    if kind not in ("vocabulary", "upscaler"):
        return Registered(kind, source, brought.licence)
    place = workspace / FOLDERS[kind] / PurePosixPath(inside).name
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(brought.folder / inside, place)
    return Registered(kind, registered_as(workspace, kind, place), brought.licence)


def _wanted(kind: ModelKind, source: str, inside: str) -> Callable[[list[str]], list[str]]:
    """Which of a repository's files a model is."""
    if kind == "tagger":
        patterns = [f"{inside}/{pattern}" if inside else pattern for pattern in files_of(descriptor_from_hub_name(source))]
        return lambda files: [file for file in files if any(fnmatch.fnmatchcase(file, pattern) for pattern in patterns)]
    if inside:
        return lambda files: [file for file in files if file == inside]
    return lambda files: needed_files(files) if set(INDEXES) & set(files) else []
