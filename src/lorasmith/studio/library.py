"""`/api/library`: the catalogue of the user's LoRA files, found by what is in them; inspected, and their metadata edited.

A file's id is the hash of its path: it is not read for that, and says nothing about where it is. Merging, resizing, converting, extracting and
publishing are jobs.
"""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, JsonValue
from starlette.responses import Response

from lorasmith.errors import InputError
from lorasmith.library.catalogue.catalogue import Catalogue
from lorasmith.library.catalogue.entry import Entry, newest_first
from lorasmith.library.catalogue.query import Query as Wanted
from lorasmith.library.edit import Edit, edit_lora, undo_edits
from lorasmith.library.inspect import inspect
from lorasmith.library.made_file import Made, place_for
from lorasmith.secrets import without_secrets
from lorasmith.studio.etag import IfNoneMatch
from lorasmith.studio.files import picture_response
from lorasmith.studio.studio import OpenStudio

router = APIRouter(prefix="/library", tags=["library"])
files = APIRouter(tags=["files"])


class LoraView(BaseModel):
    """A LoRA file in the catalogue."""

    id: str
    name: str
    file: str
    bytes: int
    day: date = Field(description="On which its training ended, or the file was last changed.")
    preview: str | None = Field(description="The address of its picture.")
    problem: str = Field(description="Why it cannot be read; empty where it can.")
    facts: dict[str, JsonValue] = Field(description="What its header says: title, family, base, kinds, ranks, triggers, tags ...")


class LoraPage(BaseModel):
    """Some of the files that were asked for."""

    items: list[LoraView]
    next: str | None = Field(description="What to send as `after` for more; None at the end.")
    notes: list[str] = Field(description="What no file of the catalogue has, whatever else is asked for.")


class Place(BaseModel):
    """Where something goes."""

    path: str = Field(description="Relative to the workspace where it is in it, as jobs take it.")


class Folders(BaseModel):
    """The folders of the catalogue."""

    folders: list[str]


class Changes(BaseModel):
    """What came of looking through the folders."""

    files: int
    new: int
    changed: int
    moved: int
    gone: int
    unreadable: dict[str, str] = Field(description="Folders that could not be looked into, with the reason.")


class MetadataChange(BaseModel):
    """What a file is to say of itself; its tensors stay byte by byte."""

    entries: dict[str, str] = Field({}, description="Values by key, such as `modelspec.title`.")
    remove: list[str] = []
    rename: dict[str, str] = Field({}, description="New keys by old ones.")
    private: bool = Field(False, description="Take out paths, folder names, tag lists, comments and access keys.")
    dry: bool = Field(False, description="Say what would change, and change nothing.")


class EditView(BaseModel):
    """What an edit changed."""

    changes: list[dict[str, str | None]] = Field(description="key, before, after.")
    written: bool


@router.get("")
def find_loras(
    studio: OpenStudio, q: Annotated[str, Query(description="Words, each part of name, title, description, tags or triggers.")] = "",
    trigger: str | None = None, base: str | None = None, kind: str | None = None, family: str | None = None, tag: str | None = None,
    since: date | None = None, until: date | None = None, after: str = "", count: Annotated[int, Query(ge=1, le=500)] = 100,
    newest: Annotated[bool, Query(description="The newest first, and of each training one file: that which was kept, else the last.")] = False,
) -> LoraPage:  # fmt: skip
    """The LoRAs of the catalogue that fit, by path, as they were when it was last brought up to date."""
    wanted = Wanted(q.split(), trigger=trigger, base=base, kind=kind, family=family, since=since, until=until, tag=tag)
    known = studio.catalogue.entries()
    fitting = [entry for entry in known if wanted.matches(entry)]
    if newest:
        fitting = newest_first(fitting)
    ids = [id_of(entry.path) for entry in fitting]
    start = ids.index(after) + 1 if after in ids else 0
    items = fitting[start : start + count]
    more = start + count < len(fitting)
    return LoraPage(items=[_view(entry) for entry in items], next=id_of(items[-1].path) if more else None, notes=wanted.notes(known))


@router.get("/folders")
def list_library_folders(studio: OpenStudio) -> Folders:
    """The folders of the catalogue."""
    return Folders(folders=[str(folder) for folder in studio.catalogue.folders])


@router.put("/folders")
def set_library_folders(wanted: Folders, studio: OpenStudio) -> Changes:
    """Have these folders, by their full paths, in the catalogue and no others; their files stay where they are."""
    relative = [folder for folder in wanted.folders if not Path(folder).is_absolute()]
    if relative:
        raise InputError(f"{relative[0]} is not a full path. Give one.", code="library.no_folder", path=relative[0])
    catalogue = studio.catalogue
    before = catalogue.folders
    catalogue.add(*wanted.folders)
    resolved = [Path(folder).resolve() for folder in wanted.folders]
    catalogue.remove(*(folder for folder in before if folder not in resolved))
    return _refreshed(catalogue)


@router.post(":refresh")
def refresh_library(studio: OpenStudio) -> Changes:
    """Bring the catalogue up to date: of new and changed files the header is read."""
    return _refreshed(studio.catalogue)


@router.get("/place")
def get_place(
    made: Made, studio: OpenStudio, of: Annotated[str, Query(description="The id of the LoRA that it is made of.")] = ""
) -> Place:
    """Where a file or folder that is made goes unless one says otherwise: where nothing is yet."""
    source = _entry(studio.catalogue, of).path if of else None
    return Place(path=place_for(made, studio.workspace, source).as_posix())


@router.get("/{id}")
def inspect_lora(id: str, studio: OpenStudio) -> dict[str, JsonValue]:
    """What is in a LoRA file, by its header alone, as `lorasmith lora show --json` prints it."""
    found: dict[str, JsonValue] = without_secrets(inspect(_entry(studio.catalogue, id).path).as_data())
    return found


@router.patch("/{id}/metadata")
def edit_metadata(id: str, change: MetadataChange, studio: OpenStudio) -> EditView:
    """Change what a file says of itself, in place; it can be undone."""
    edit = edit_lora(
        _entry(studio.catalogue, id).path, change.entries, remove=change.remove, rename=change.rename, private=change.private,
        in_place=not change.dry, dry_run=change.dry,
    )  # fmt: skip
    return _edit(edit)


@router.post("/{id}/metadata:undo")
def undo_metadata(id: str, studio: OpenStudio) -> EditView:
    """Take back all edits in place; the file is then what it was, byte for byte."""
    return _edit(undo_edits(_entry(studio.catalogue, id).path))


@files.get("/library/{id}/preview", response_class=Response, responses={200: {"content": {"image/*": {}}}})
def get_preview(id: str, studio: OpenStudio, if_none_match: IfNoneMatch = None) -> Response:
    """The picture beside a LoRA file."""
    preview = _entry(studio.catalogue, id).preview
    if preview is None or not preview.is_file():
        raise InputError("This LoRA has no picture.", code="library.not_found", lora=id)
    return picture_response(preview, if_none_match)


def id_of(file: Path) -> str:
    """A file's id: the hash of its path."""
    return hashlib.sha256(str(file).encode(errors="surrogateescape")).hexdigest()[:24]


def _entry(catalogue: Catalogue, id: str) -> Entry:
    found = next((entry for entry in catalogue.entries() if id_of(entry.path) == id), None)
    if found is None:
        raise InputError("The catalogue has no such LoRA. Choose one of the list.", code="library.not_found", lora=id)
    return found


def _view(entry: Entry) -> LoraView:
    data = without_secrets(entry.as_data)
    id = id_of(entry.path)
    shown = ("file", "name", "bytes", "day", "preview", "content", "problem")
    return LoraView(
        id=id, name=entry.name, file=str(entry.path), bytes=entry.bytes, day=date.fromisoformat(entry.day), problem=entry.problem,
        preview=None if entry.preview is None else f"/files/library/{id}/preview", facts={name: value for name, value in data.items() if name not in shown},
    )  # fmt: skip


def _edit(edit: Edit) -> EditView:
    return EditView(changes=[vars(change.without_secrets) for change in edit.changes], written=edit.out is not None)


def _refreshed(catalogue: Catalogue) -> Changes:
    done = catalogue.refresh()
    return Changes(
        files=done.files, new=done.new, changed=done.changed, moved=len(done.moved), gone=done.gone, unreadable=done.unreadable
    )  # fmt: skip
