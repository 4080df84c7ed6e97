"""Which pictures were decided to be held out, by the hash of their bytes, so that it stays so whatever they are called and wherever they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from lorasmith.atomic import write_atomically
from lorasmith.dataset_folder import HOLDOUT_DECISIONS
from lorasmith.errors import DatasetError


def decisions_of(root: Path) -> dict[str, bool]:
    """Content -> whether it is held out, as decided before. Raises DatasetError where the file is damaged."""
    file = root / HOLDOUT_DECISIONS
    if not file.exists():
        return {}
    try:
        tree = json.loads(file.read_bytes())
    except ValueError:
        tree = None
    if not isinstance(tree, dict):
        raise DatasetError(
            f"{file} is damaged: put it back as it was, or delete it to decide again what is held out.",
            code="holdout.damaged",
            file=str(file),
        )
    return {str(content): bool(side) for content, side in tree.items()}


def save_decisions(root: Path, decisions: Mapping[str, bool]) -> None:
    """Replace what was decided; the caller has the dataset's lock."""
    write_atomically(root / HOLDOUT_DECISIONS, (json.dumps(decisions, indent=0, sort_keys=True) + "\n").encode())
