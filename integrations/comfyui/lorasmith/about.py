"""What a LoRA file says of itself: its trigger and the weight to use it at, from its header and the file beside it.

Read with the standard library alone, so that the nodes run wherever ComfyUI does. The header of a safetensors file is 8 bytes that
give its length, then JSON; its `__metadata__` is a table of texts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LONGEST_HEADER = 100_000_000
"""Bytes; safetensors refuses more."""
LONGEST_NOTE = 4 * 2**20
"""Bytes of a file beside a LoRA above which it is not read."""


@dataclass(frozen=True)
class About:
    """What is known of a LoRA; empty or None where nothing says it."""

    title: str = ""
    triggers: str = ""
    """Trigger words, separated by commas, as they go into a prompt."""
    weight: float | None = None
    """What its maker or a verdict recommends."""
    base: str = ""
    """The base model that it was trained on."""

    @property
    def in_words(self) -> str:
        """A line for a person."""
        weight = "nothing says which weight" if self.weight is None else f"weight {self.weight:g}"
        return "; ".join(
            filter(None, (self.title, self.triggers or "no trigger word is named", weight, self.base and f"trained on {self.base}"))
        )


def about(file: str | Path) -> About:
    """What a LoRA file and the `.json` beside it say; what its user typed there goes before what the file says."""
    file = Path(file)
    said, beside = _metadata(file), _table(_text(file.with_suffix(".json"), LONGEST_NOTE))
    return About(
        title=_first(said, "modelspec.title", "ss_output_name"),
        triggers=_first(beside, "activation text") or _first(said, "modelspec.trigger_phrase"),
        weight=_weight(beside.get("preferred weight")) or _weight(said.get("lorasmith_weight")),
        base=_first(said, "ss_sd_model_name"),
    )


def _metadata(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            header = opened.read(length) if length <= LONGEST_HEADER else b""
    except OSError:
        return {}
    return _table(_table(header).get("__metadata__"))


def _text(file: Path, longest: int) -> bytes:
    try:
        return file.read_bytes() if file.stat().st_size <= longest else b""
    except OSError:
        return b""


def _table(text: Any) -> dict[str, Any]:
    """A JSON table, of its text or as it is; empty for anything else."""
    if isinstance(text, bytes):
        try:
            text = json.loads(text)
        except (ValueError, RecursionError):
            return {}
    return text if isinstance(text, dict) else {}


def _first(table: dict[str, Any], *keys: str) -> str:
    return next((value.strip() for key in keys if isinstance(value := table.get(key), str) and value.strip()), "")


def _weight(said: Any) -> float | None:
    """A weight that was said; UIs write 0 for none."""
    try:
        weight = float(said)
    except (TypeError, ValueError):
        return None
    return weight if 0 < abs(weight) <= 10 else None
