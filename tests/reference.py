"""Where the reference numbers of the peers lie; tests that need them skip where the folder is absent.

The environment variable LORASMITH_REFERENCE names the folder; without it, it is looked for beside the checkout.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("LORASMITH_REFERENCE") or Path(__file__).resolve().parents[1].parent / "shared" / "reference")


def reference_json(name: str) -> dict:
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"the reference numbers are not on this machine ({name})")
    return json.loads(path.read_text(encoding="utf-8"))


def reference_cases(name: str, key: str = "cases") -> list:
    """The records of a file, for a test's parameters; one that skips where the file is absent."""
    path = FOLDER / name
    if not path.exists():
        reason = pytest.mark.skip(reason=f"the reference numbers are not on this machine ({name})")
        return [pytest.param({"id": "absent"}, marks=reason)]
    return json.loads(path.read_text(encoding="utf-8"))[key]


def only(cases: list, keep: Callable[[dict], object]) -> list:
    """Those of `reference_cases` that are to be kept; where the file is absent, the one that skips."""
    return [case for case in cases if not isinstance(case, dict) or keep(case)]
