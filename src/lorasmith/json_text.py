"""JSON in texts that anybody may have written, such as the metadata of a LoRA file."""

from __future__ import annotations

import json
from typing import Any

_MOST_LISTS = 500_000  # and tables; the largest tag counts have some thousands


def json_of(text: str) -> Any:
    """What a text stands for as JSON; None where it is not JSON, nests too deeply, or is nothing but brackets."""
    if text.count("[") + text.count("{") > _MOST_LISTS:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def table_of(text: str) -> dict[str, Any]:
    """The table that a text stands for as JSON; empty where it is anything else."""
    found = json_of(text)
    return found if isinstance(found, dict) else {}


def whole_text(text: str) -> str:
    """A text from JSON as any file can hold it: without NUL, and with `?` for half a character, as one that was cut within an emoji has at its end."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
