"""Texts of a run without the folders of the machine that it ran on: a report is passed on, and they are nobody's business."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lorasmith.findings import Finding
from lorasmith.stores import local, url_of
from lorasmith.training.settings.places import places
from lorasmith.training.settings.tree import Settings


@dataclass(frozen=True)
class LocalFolders:
    """The folders that hold a run and what it was made from, the deepest first."""

    folders: tuple[str, ...]

    @classmethod
    def of(cls, settings: Settings, run_folder: Path) -> LocalFolders:
        """All those above every absolute path in the settings, those above every place in a store, and above the run."""
        in_stores = [place for url in map(url_of, _paths_in(settings)) if url for place in _above(url)]
        above = {
            folder for path in (*map(local, _paths_in(settings)), run_folder.resolve()) if path.is_absolute() for folder in path.parents
        }
        names = [f"{folder}{os.sep}" for folder in above if folder != Path(folder.anchor)]
        return cls(tuple(sorted([*names, *in_stores], key=len, reverse=True)))

    def hidden_in(self, text: str) -> str:
        """The text with the last part of each path alone."""
        for folder in self.folders:
            in_toml = json.dumps(folder, ensure_ascii=False)[1:-1]  # a Windows path has two backslashes there
            text = re.sub(rf"(?<![\w.-])(?:{re.escape(folder)}|{re.escape(in_toml)})", "", text)
        return text

    def hidden_in_finding(self, finding: Finding) -> Finding:
        """The finding with what it says and names treated alike."""
        fix = finding.fix and replace(finding.fix, words=self.hidden_in(finding.fix.words))
        return replace(
            finding, message=self.hidden_in(finding.message), subjects=tuple(map(self.hidden_in, finding.subjects)),
            details=tuple(map(self.hidden_in, finding.details)), why=self.hidden_in(finding.why), fix=fix,
        )  # fmt: skip


def _above(url: str) -> Iterator[str]:
    """The places above one in a store, with the slash that a path takes away and without it."""
    scheme, _, rest = url.partition("://")
    parts = rest.split("/")
    for count in range(len(parts)):
        inside = "".join(f"{part}/" for part in parts[:count])
        yield from (f"{scheme}://{inside}", f"{scheme}:/{inside}")


def _paths_in(settings: Settings) -> Iterator[Path]:
    yield from (settings.cache, settings.cache_folder, *places(settings).values())
