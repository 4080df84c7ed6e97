"""`/api/vocabularies`, and what a beginning of a tag can become: tags of the captions first, then those of the workspace's tag lists.

Tag lists are the files in the workspace's folder `vocabularies` and those that are registered as models, in any form that
`captions.vocabulary` reads; jobs name them by their path.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from lorasmith.captions.vocabulary import Suggestion, Vocabulary, key_of, open_vocabulary
from lorasmith.errors import InputError
from lorasmith.models.shelf import Shelf
from lorasmith.studio.studio import OpenStudio

router = APIRouter(tags=["captions"])

FOLDER = "vocabularies"
"""Of a workspace."""


class VocabularyView(BaseModel):
    """A tag list."""

    file: str = Field(description="Its path in the workspace, as jobs take it.")
    bytes: int
    tags: int
    aliases: int
    implying: int = Field(description="Tags that imply others.")
    problem: str = Field(description="Why it cannot be read; empty where it can.")


class SuggestionView(BaseModel):
    """A tag that begins so, or has it inside."""

    tag: str
    count: int = Field(description="Captions of the project that have it, or pictures of the site that the list is of.")
    alias: str | None = Field(description="The alias that begins so, where the tag itself does not.")
    source: str = Field(description="The tag list that it is from; empty where it is a tag of the captions.")


@router.get("/vocabularies")
def list_vocabularies(studio: OpenStudio) -> list[VocabularyView]:
    """The tag lists in the workspace's folder `vocabularies`, and those that are registered from elsewhere."""
    return [_view(studio.workspace, file) for file in _files(studio.workspace)]


@router.get("/projects/{project}/complete")
def complete_tag(
    project: str, studio: OpenStudio, beginning: Annotated[str, Query(max_length=200)], count: Annotated[int, Query(ge=1, le=100)] = 10
) -> list[SuggestionView]:
    """Tags that begin so, then those with it inside a word: each time those of the captions first, the most frequent first."""
    with studio.datasets.open(studio.projects[project].dataset) as dataset:
        counts = dataset.captions.tag_counts() if dataset.pictures else {}
    own, lists = _own(counts), dict(_readable(studio.workspace))
    part = key_of(beginning.strip())
    found: dict[str, SuggestionView] = {}
    for suggestions in (
        (one for key, one in own.items() if key.startswith(key_of(beginning.lstrip()))),
        (_listed(source, one) for source, tags in lists.items() for one in tags.complete(beginning, count)),
        (one for key, one in own.items() if part and key.find(part) > 0),
        (_listed(source, one) for source, tags in lists.items() for one in tags.containing(beginning, count)),
    ):
        if len(found) < count:
            for one in suggestions:
                found.setdefault(key_of(one.tag), one)
    return list(found.values())[:count]


def _own(counts: Mapping[str, int]) -> dict[str, SuggestionView]:
    """Tags of captions by what they are compared by, the most frequent first; of one in several spellings the most frequent spelling."""
    found: dict[str, SuggestionView] = {}
    for tag, count in counts.items():
        found.setdefault(key_of(tag), SuggestionView(tag=tag, count=0, alias=None, source="")).count += count
    return dict(sorted(found.items(), key=lambda one: -one[1].count))


def _listed(source: str, one: Suggestion) -> SuggestionView:
    return SuggestionView(tag=one.tag, count=one.count, alias=one.alias, source=source)


def _readable(workspace: Path) -> Iterator[tuple[str, Vocabulary]]:
    """The tag lists that can be read; `list_vocabularies` says why others cannot."""
    for file in _files(workspace):
        with suppress(InputError):
            yield _name(workspace, file), _opened(file, _state(file))


def _files(workspace: Path) -> list[Path]:
    """Those in the workspace's folder, then those that are registered from elsewhere."""
    folder = workspace / FOLDER
    own = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith(".")) if folder.is_dir() else []
    registered = (workspace / one.source for one in Shelf(workspace) if one.kind == "vocabulary")
    return list(dict.fromkeys([*own, *(file for file in registered if file.is_file())]))


def _view(workspace: Path, file: Path) -> VocabularyView:
    name, size = _name(workspace, file), file.stat().st_size
    try:
        read = _opened(file, _state(file))
    except InputError as error:
        return VocabularyView(file=name, bytes=size, tags=0, aliases=0, implying=0, problem=str(error))
    return VocabularyView(file=name, bytes=size, tags=len(read), aliases=len(read.aliases), implying=len(read.implications), problem="")


def vocabulary_named(workspace: Path, files: Sequence[str]) -> Vocabulary | None:
    """The tag lists of these names as one; None for none. Raises InputError where there is none of a name, or it cannot be read."""
    known = {_name(workspace, file): file for file in _files(workspace)}
    if missing := [name for name in files if name not in known]:
        raise InputError(f"There is no tag list {missing[0]!r}. Choose one of the list.", code="vocabulary.not_found", file=missing[0])
    chosen = tuple(known[name] for name in files)
    return _together(chosen, tuple(map(_state, chosen))) if chosen else None


@lru_cache(maxsize=4)
def _opened(file: Path, state: tuple[int, int]) -> Vocabulary:
    return open_vocabulary(file)


@lru_cache(maxsize=1)
def _together(files: tuple[Path, ...], states: tuple[tuple[int, int], ...]) -> Vocabulary:
    return open_vocabulary(files)


def _state(file: Path) -> tuple[int, int]:
    facts = os.stat(file)
    return facts.st_size, facts.st_mtime_ns


def _name(workspace: Path, file: Path) -> str:
    """The path of a tag list in the workspace, or the full one of a list elsewhere."""
    return (file.relative_to(workspace) if file.is_relative_to(workspace) else file).as_posix().encode(errors="backslashreplace").decode()
