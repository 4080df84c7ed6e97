"""`manifest.json`: what a run works with. Hashes of every input, the machine, and the settings of each of its stretches.

A run that continues makes sure that its inputs are what they were. It could not end in the same bytes otherwise. Where it continues with
other settings (see `settings.changes`), that begins a new stretch, which is recorded with the step from which on they hold.
"""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from lorasmith.atomic import write_atomically
from lorasmith.datasets.masks import masks_content
from lorasmith.datasets.training_set import TrainingSet
from lorasmith.errors import RunError
from lorasmith.training.records.inputs import versions
from lorasmith.training.settings.changes import changes_between
from lorasmith.training.settings.tree import Settings, settings_from

WITHOUT_EFFECT = ("base.", "cache", "logging.", "samples.", "checkpoints.", "validation.", "training.latents_in_memory", "training.device")
"""Settings that may change on the way and leave the tensors as they would have been; a base in another place is the same one."""

Inputs = dict[str, Any]
"""`pictures` (path -> hash; of a manifest or shards one for all), `base` (part -> hash), and `parent` (hash) where the run continues from a finished LoRA."""


def inputs_of(training_set: TrainingSet, base: Mapping[str, str], parent: str | None = None) -> Inputs:
    """What the result depends on: pictures with their captions, repeats and masks; `base` and `parent` are hashes already."""
    described: dict[str, list[str]] = {}
    for item in training_set.listed:
        masked = f" {masks_content(item.masks)}" if item.masks else ""
        described.setdefault(str(item.picture.path), []).append(f"{item.picture.content} {item.repeats} {item.picture.caption!r}{masked}")
    return {
        "pictures": {path: hashlib.sha256("\n".join(each).encode()).hexdigest() for path, each in described.items()}
        | {str(rows.path): rows.row_index.digest for rows in training_set.rows},
        "base": dict(base),
        **({"parent": parent} if parent is not None else {}),
    }


def write_manifest(path: Path, inputs: Inputs, settings: Settings, device: str, threads: int) -> None:
    """Write down the inputs and settings, and with which versions, on which device and with how many threads the run began."""
    manifest = {
        "inputs": inputs,
        "stretches": [_stretch(0, settings)],
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device,
        "threads": threads,
        "versions": versions(),
    }
    write_atomically(path, _as_json(manifest))


def settings_before(path: Path) -> Settings | None:
    """The settings of the run's last stretch; None where the manifest does not have them, as in runs of earlier versions."""
    stretches = _read(path).get("stretches")
    return settings_from(stretches[-1]["settings"], str(path)) if stretches else None


def record_stretch(path: Path, step: int, settings: Settings) -> None:
    """Write down that the run continues after `step` with these settings; stretches that a lost state discards go."""
    manifest = _read(path)
    earlier = [stretch for stretch in manifest.get("stretches", []) if stretch["step"] < step or stretch["step"] == 0]
    write_atomically(path, _as_json(manifest | {"stretches": [*earlier, _stretch(step, settings)]}))


def continued_with(path: Path) -> list[tuple[int, list[str]]]:
    """The steps after which the run went on with other settings that its result depends on, and what changed, in words."""
    stretches = [(stretch["step"], settings_from(stretch["settings"], str(path))) for stretch in _read(path).get("stretches", [])]
    found = []
    for (_, before), (step, after) in pairwise(stretches):
        changes = [change for change in changes_between(before, after) if not change.setting.startswith(WITHOUT_EFFECT)]
        if changes:
            found.append((step, [str(change) for change in changes]))
    return found


def _stretch(step: int, settings: Settings) -> dict[str, Any]:
    return {"step": step, "settings": settings.model_dump(mode="json", exclude_none=True)}


def thread_count(path: Path) -> int | None:
    """With how many threads the run began; None where that is not known."""
    return _read(path).get("threads")


def check_inputs_unchanged(path: Path, inputs: Inputs) -> None:
    """Raises RunError (`run.inputs_changed`) where pictures, captions, base or parent differ from when the run began."""
    before = _read(path).get("inputs")
    if before is None:
        return  # killed before the manifest was written: nothing was trained yet
    if "ancestor" in before:
        before["parent"] = before.pop("ancestor")  # its name in the first version of the manifest
    if _content(before) == _content(inputs):
        return
    pictures = {**before["pictures"], **inputs["pictures"]}
    changed = sorted(name for name in pictures if before["pictures"].get(name) != inputs["pictures"].get(name))
    same_base = before["base"] == inputs["base"]
    what = f"the picture or caption {changed[0]}" if changed else "the LoRA that it started from" if same_base else "the base model"
    raise RunError(
        f"The run {path.parent} cannot continue exactly, because {what} has changed. Put it back, or start a new run.",
        code="run.inputs_changed", run=str(path.parent), changed=changed,
    )  # fmt: skip


def _content(inputs: Inputs) -> Inputs:
    """Inputs without the places of the pictures, which may be other ones on another machine: draws depend on their order alone."""
    return inputs | {"pictures": list(inputs["pictures"].values())}


def _as_json(manifest: Mapping[str, Any]) -> bytes:
    return json.dumps(manifest, indent=1, ensure_ascii=False).encode()


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return {}
