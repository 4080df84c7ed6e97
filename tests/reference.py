"""Where the reference numbers of the peers lie; tests that need them skip where the folder is absent."""

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1].parent / "shared" / "reference"


def reference_json(name: str) -> dict:
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"the reference numbers are not on this machine ({name})")
    return json.loads(path.read_text(encoding="utf-8"))
