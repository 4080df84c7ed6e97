"""The folder that a run leaves, and that explains it.

runs/<name>/
  settings.toml    the complete settings
  manifest.json    hashes of every input, versions, device, seed
  events.jsonl     what happened, append-only
  checkpoints/     LoRA files: <name>-000001.safetensors per epoch, <name>.safetensors at the end
  state/           what a killed run goes on from
  samples/         pictures drawn on the way
  report.html      made at the end
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lorasmith.atomic import WriteFailed, remove_leftovers, write_atomically
from lorasmith.datasets.training_set import TrainingSet
from lorasmith.errors import RunError, SettingsError
from lorasmith.models.base import Base
from lorasmith.training.learner.continuation import Parent
from lorasmith.training.settings.toml import load_settings, settings_toml
from lorasmith.training.settings.tree import Settings


@dataclass(frozen=True)
class RunFolder:
    """Paths inside a run's folder."""

    root: Path

    @property
    def settings(self) -> Path:
        return self.root / "settings.toml"

    @property
    def manifest(self) -> Path:
        return self.root / "manifest.json"

    @property
    def events(self) -> Path:
        return self.root / "events.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def samples(self) -> Path:
        return self.root / "samples"

    @property
    def report(self) -> Path:
        return self.root / "report.html"

    def create(self, settings: Settings) -> None:
        """Make the folder with its settings; raises SettingsError where a run lies there already."""
        self.root.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.root, self.settings.name)  # of a start that was killed here, before there was anything to go on with
        if any(self.root.iterdir()):
            raise SettingsError(f"the run folder {self.root} is not empty; give another --out, or go on with: lorasmith resume {self.root}")
        write_atomically(self.settings, settings_toml(settings).encode())
        for folder in (self.checkpoints, self.state, self.samples):
            folder.mkdir(exist_ok=True)

    def remove_unstarted(self) -> None:
        """Remove the folder of a run that was refused before its first step, so that nothing half-written is left."""
        if not any(self.state.glob("step-*")) and not any(self.checkpoints.iterdir()):
            shutil.rmtree(self.root)

    def read_settings(self) -> Settings:
        """The settings of the run that lies here."""
        if not self.settings.is_file():
            raise SettingsError(f"{self.root} is no run folder (it has no settings.toml); give the folder of a run")
        return load_settings(self.settings)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Within the block no other process may work on this run; the system lets go of it when this one ends."""
        self.state.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.state / ".lock")
        try:
            with lock.acquire(timeout=0):
                yield
        except Timeout:
            raise SettingsError(f"the run {self.root} is being worked on by another process; stop that one first") from None

    def remove_leftovers(self) -> None:
        """Remove what a killed process was writing; only for the one that has the run in use."""
        for folder in (self.checkpoints, self.state, self.samples):
            folder.mkdir(exist_ok=True)
            remove_leftovers(folder)
        remove_leftovers(self.root, self.manifest.name)

    def thread_count(self) -> int | None:
        """Threads of the machine's part of the run so far; None where nothing is known."""
        try:
            return json.loads(self.manifest.read_text(encoding="utf-8"))["threads"]
        except (OSError, json.JSONDecodeError, KeyError):
            return None

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        write_atomically(self.manifest, json.dumps(manifest, indent=1, ensure_ascii=False).encode())

    def check_inputs_unchanged(self, inputs: dict[str, Any]) -> None:
        """Raises RunError where pictures, captions or base differ from when the run began: it could not go on exactly."""
        try:
            before = json.loads(self.manifest.read_text(encoding="utf-8"))["inputs"]
        except (OSError, json.JSONDecodeError, KeyError):
            return  # killed before the manifest was written: nothing was trained yet
        if before == inputs:
            return
        changed = sorted(
            {p for p in {**before["pictures"], **inputs["pictures"]} if before["pictures"].get(p) != inputs["pictures"].get(p)}
        )
        same_base = before["base"] == inputs["base"]
        what = f"the picture or caption {changed[0]}" if changed else "the LoRA it goes on from" if same_base else "the base model"
        raise RunError(f"the run {self.root} cannot go on exactly, since {what} has changed; put it back, or start a new run")


def could_not_write(error: WriteFailed, run: Path) -> RunError:
    """What to say where a file of a run has no room: what it is, how much it needs, and how the run goes on."""
    free = shutil.disk_usage(error.path.parent).free
    return RunError(
        f"{error.path} could not be written ({error.strerror}): it needs {_size(error.size)} and {_size(free)} are free; what was saved before "
        f"is whole, so make room and go on with: lorasmith resume {run}"
    )


def _size(count: int) -> str:
    """Bytes for people: 3.2 MB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def describe_inputs(training_set: TrainingSet, base: Base, parent: Parent | None = None) -> dict[str, Any]:
    """What the result depends on: hashes of pictures (with captions, repeats and masks), of the base's parts, of the LoRA it goes on from."""
    said: dict[str, list[str]] = {}
    for item in training_set.pictures:
        masked = f" {item.mask.content}" if item.mask is not None else ""
        said.setdefault(str(item.picture.path), []).append(f"{item.picture.content} {item.repeats} {item.picture.caption!r}{masked}")
    return {
        "pictures": {path: hashlib.sha256("\n".join(each).encode()).hexdigest() for path, each in said.items()},
        "base": dict(base.fingerprints),
        **({"parent": parent.sha256} if parent is not None else {}),
    }


def describe_machine(device: str) -> dict[str, Any]:
    """Versions and device, for the manifest."""
    import torch

    packages = ("lorasmith", "torch", "diffusers", "transformers", "safetensors", "numpy", "pillow")
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device,
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in packages},
    }
