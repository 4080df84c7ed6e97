"""The folder of a sweep, which says everything about it:

    runs/rates/
      sweep.json        what the sweep is, its trials so far, which were ruled out and why, how long it has worked
      trial-1/          a run, with its proof
      trial-2/
      in-full/          the winner, where trials were short
      sweep.html        the page

A trial is written down before it is begun, so that a sweep whose process dies begins none twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lorasmith.atomic import write_atomically
from lorasmith.errors import InputError, SettingsError
from lorasmith.jobs.sweep.sweep_file import Sweep, sweep_from
from lorasmith.jobs.sweep.vary import by_names

RECORD, PAGE, LOCK = "sweep.json", "sweep.html", ".lock"
MAY_CHANGE = {"trials", "hours", "stop_early", "min_epochs", "reduction_factor"}
"""What the file may say otherwise when a sweep goes on."""


@dataclass
class Record:
    """What a sweep has to remember."""

    definition: dict[str, Any]
    """The sweep's file, with its settings in it."""
    trials: list[dict[str, Any]] = field(default_factory=list)
    """The values of each trial that was begun, in their order."""
    ruled_out: dict[int, str] = field(default_factory=dict)
    """Trial -> why."""
    rulings: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Trial -> the same as code and values; earlier versions kept none."""
    full: int | None = None
    """The trial whose settings are trained in full."""
    seconds: float = 0.0
    """Of work so far."""
    complete: bool = False
    """Whether every trial has ended, or no more are begun."""


class SweepFolder:
    """The folder, and what is remembered in it."""

    def __init__(self, root: Path, record: Record):
        self.root, self.record = root, record

    def __repr__(self) -> str:
        return f"SweepFolder({self.root}, {len(self.record.trials)} trials)"

    @classmethod
    def of(cls, sweep: Sweep, root: Path) -> SweepFolder:
        """The folder of a sweep, new or as an earlier process left it; nothing is written.

        Raises:
            SettingsError: another sweep is there (`sweep.another`), or something else.
        """
        definition = definition_of(sweep)
        if not (root / RECORD).is_file():
            if root.is_dir() and any(root.iterdir()):
                raise SettingsError(f"The folder {root} is not empty. Give another one with --out.", code="sweep.folder", path=str(root))
            return cls(root, Record(definition))
        record = _read(root)
        before = {key: value for key, value in record.definition.items() if key not in MAY_CHANGE}
        before["vary"] = by_names(before["vary"], sweep.settings)
        if differing := [key for key, value in definition.items() if key not in MAY_CHANGE and value != before.get(key)]:
            raise SettingsError(
                f"The sweep in {root} was begun with another {differing[0]}. Put it back, or begin another sweep with --out.",
                code="sweep.another", path=str(root), differing=differing,
            )  # fmt: skip
        record.definition = definition
        return cls(root, record)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Within the block no other process works on this sweep.

        Raises:
            InputError: one does (`sweep.in_use`).
        """
        self.root.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.root / LOCK).acquire(timeout=0.1):
                yield
        except Timeout:
            raise InputError(f"Another process works on the sweep {self.root}. Wait for it, or stop it.", code="sweep.in_use") from None

    def trial(self, number: int) -> Path:
        return self.root / f"trial-{number}"

    @property
    def in_full(self) -> Path:
        return self.root / "in-full"

    @property
    def page(self) -> Path:
        return self.root / PAGE

    def save(self) -> None:
        """Write down what is remembered."""
        write_atomically(self.root / RECORD, json.dumps(vars(self.record), indent=1, ensure_ascii=False).encode())


def definition_of(sweep: Sweep) -> dict[str, Any]:
    """A sweep as plain data that does not depend on other files."""
    return sweep.file.model_dump(mode="json") | {"name": sweep.name, "settings": sweep.settings.model_dump(mode="json", exclude_none=True)}


def read_sweep_folder(root: str | Path) -> SweepFolder:
    """The folder of a sweep as it was left. Raises SettingsError where no sweep was begun in it."""
    return SweepFolder(Path(root), _read(Path(root)))


def sweep_in(root: str | Path) -> Sweep:
    """The sweep that was begun in a folder.

    Raises:
        SettingsError: none was.
    """
    return sweep_from(_read(Path(root)).definition, str(root))


def _read(root: Path) -> Record:
    try:
        tree: Mapping[str, Any] = json.loads((root / RECORD).read_bytes())
        by_trial = {name: {int(number): why for number, why in tree.get(name, {}).items()} for name in ("ruled_out", "rulings")}
        return Record(**{**tree, **by_trial})
    except FileNotFoundError:
        raise SettingsError(f"{root} is not the folder of a sweep. Give its file.", code="sweep.no_folder", path=str(root)) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(f"{root / RECORD} is damaged ({error}). Restore it, or begin another sweep.", code="sweep.damaged") from error
