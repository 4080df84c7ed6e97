"""The header of a safetensors file as Lorasmith writes it: metadata sorted, no spaces, the numbers after it at a multiple of 8 bytes.

The safetensors library orders the metadata at random, differently in each process; here the same content has the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def header_bytes(metadata: Mapping[str, str], tensors: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The bytes in front of the numbers; `tensors` are written in their order, each as {"dtype", "shape", "data_offsets"}."""
    header = {"__metadata__": dict(sorted(metadata.items())), **tensors}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
