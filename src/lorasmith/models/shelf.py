"""The models that a workspace knows: bases, taggers, tag lists and upscalers, each a file, a folder or an id of the hub.

    shelf = Shelf("lora")
    shelf.add(Registered("base", "/models/animagine.safetensors"))
    [one.source for one in shelf if one.kind == "base"]

They are in `models/registered.json`. What is downloaded from a link is in the workspace's `models` and `vocabularies`, what comes from the
hub in the hub's own cache. Taking a model off the shelf deletes no file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from filelock import FileLock

from lorasmith.atomic import write_atomically
from lorasmith.errors import InputError

ModelKind = Literal["base", "tagger", "vocabulary", "upscaler"]

FOLDERS: Mapping[ModelKind, str] = {"base": "models/bases", "vocabulary": "vocabularies", "upscaler": "models/upscalers"}
"""Where a workspace keeps what was downloaded; a tagger, which is several files, comes from the hub alone."""

ENDINGS: Mapping[ModelKind, tuple[str, ...]] = {
    "base": (".safetensors",), "vocabulary": (".csv", ".txt", ".json", ".jsonl", ".gz", ".toml"), "upscaler": (".safetensors",)
}  # fmt: skip
"""Of files that are downloaded from a link. Pickles are code, and none is."""

REGISTERED = Path("models", "registered.json")


@dataclass(frozen=True)
class Registered:
    """A model on the shelf."""

    kind: ModelKind
    source: str
    """A full path, the path of a tag list in the workspace, or the id of a hub repository."""
    licence: str = ""
    """As its page at the hub says it."""


def registered_as(workspace: Path, kind: ModelKind, place: Path) -> str:
    """The source of a file or folder. Tag lists go by their path in the workspace, as completion and jobs name them."""
    place = workspace.absolute() / place
    inside = kind == "vocabulary" and place.is_relative_to(workspace.absolute())
    return place.relative_to(workspace.absolute()).as_posix() if inside else str(place)


class Shelf:
    """The registered models of a workspace, in the order in which they came."""

    def __init__(self, workspace: str | Path):
        self.workspace = Path(workspace)
        self.file = self.workspace / REGISTERED

    def __iter__(self) -> Iterator[Registered]:
        try:
            listed = json.loads(self.file.read_bytes())
            found = [Registered(each["kind"], str(each["source"]), str(each["licence"])) for each in listed]
        except FileNotFoundError:
            return iter(())
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{self.file} is damaged: put it back as it was, or delete it and register the models again.", code="models.damaged"
            ) from error
        return iter([one for one in found if one.kind in get_args(ModelKind)])

    def add(self, model: Registered) -> None:
        """Put a model on the shelf; one of the same source is replaced."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            rest = [one for one in self if (one.kind, one.source) != (model.kind, model.source)]
            self._write([*rest, model])

    def remove(self, kind: ModelKind, source: str) -> None:
        """Take a model off the shelf; its files stay. Raises InputError where it is not on it (`models.not_found`)."""
        if not any((one.kind, one.source) == (kind, source) for one in self):
            raise InputError(f"No {kind} {source!r} is registered. Choose one of the list.", code="models.not_found", source=source)
        with self._alone():
            self._write([one for one in self if (one.kind, one.source) != (kind, source)])

    def _alone(self) -> FileLock:
        return FileLock(self.file.with_suffix(".lock"))

    def _write(self, models: list[Registered]) -> None:
        write_atomically(self.file, json.dumps([asdict(one) for one in models], indent=1).encode())
