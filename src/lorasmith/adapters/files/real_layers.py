"""Which of a file's layers its family really has. Names are made of a family's words, and words can be put together to layers that no model has.

A layer is compared with those of the family at its standard size (`models.lora_naming.LayerNames.all_layers`): without its numbers first,
and with them where the file's widths show that it is for that size. A base of another size may have other blocks. Of a part whose family
lists no layers nothing is refused here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from lorasmith.adapters.files import names as keys
from lorasmith.adapters.outline import LayerOutline
from lorasmith.errors import AdapterError
from lorasmith.models.families import FAMILIES
from lorasmith.models.lora_naming import NAMES


def exists_at_some_size(family: str, name: str, shape: Any = None) -> bool:
    """Whether the family has a layer of this name, whatever the numbers in it."""
    try:
        part, paths = keys.layers_of(family, name, shape)
    except AdapterError:
        return False
    known = _kinds_of_layers(family, part)
    return not known or all(_without_numbers(path) in known for path in paths)


def beyond_standard_size(family: str, layers: Mapping[str, LayerOutline]) -> list[str]:
    """The layers whose numbers the family does not have at its standard size; none of a part that the file has in another size."""
    beyond: dict[str, list[str]] = {}
    sizes: Counter[tuple[str, bool]] = Counter()
    for name, layer in layers.items():
        part, paths = keys.layers_of(family, name)
        standard = _standard_layers(family)[part]
        if not standard:
            continue
        if any(path not in standard for path in paths):
            beyond.setdefault(part, []).append(name)
            continue
        width, found = standard[paths[0]], _input_width(layer)
        if width is not None and found is not None:
            sizes[part, found % width == 0] += 1  # a kernel may be flattened into the input
    return [name for part, names in beyond.items() for name in names if sizes[part, False] <= sizes[part, True]]


def _input_width(layer: LayerOutline) -> int | None:
    shape = layer.shape
    return shape[1] if shape is not None and len(shape) > 1 else None


@cache
def _standard_layers(family: str) -> Mapping[str, Mapping[str, int | None]]:
    parts = FAMILIES[family].usual.parts
    return {part: naming.layers.all_layers(parts[part].settings) for part, naming in keys.naming_of(family).parts.items()}


@cache
def _kinds_of_layers(family: str, part: str) -> frozenset[str]:
    return frozenset(_without_numbers(path) for path in _standard_layers(family)[part])


@lru_cache(NAMES)
def _without_numbers(path: str) -> str:
    return re.sub(r"\d+", "0", path)
