"""Which family of base models a file was made for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from lorasmith.adapters.files.other_families import other_family, other_family_in_words
from lorasmith.adapters.kinds import kind_of
from lorasmith.adapters.kinds.kind import Shapes
from lorasmith.errors import AdapterError
from lorasmith.models.families import FAMILIES, in_words
from lorasmith.models.lora_naming import LoraMarks

_VERSIONS = ("ss_base_model_version", "modelspec.architecture")
"""Entries of the metadata that name the base."""


def guess_family(layers: Mapping[str, Shapes], metadata: Mapping[str, str]) -> str:
    """The family that a file was made for: by its tensors' shapes, then by the names of its layers, then by the words of its metadata.

    What each family is recognised by is in its record (`models.lora_naming.LoraMarks`). Of two that fit, the later in the registry has
    more layers of its own, and is taken. Words come last: files are edited by hand, and merging copies the metadata of the first.

    Raises:
        AdapterError: it is of a family that is not supported (`lora.other_family`), or nothing in it shows whose it is
            (`lora.unknown_family`).
    """
    shapes = {name.replace(".", "_"): _shape(tensors) for name, tensors in layers.items()}
    names = "\n".join(shapes)
    of_families = {name: family.lora.marks for name, family in reversed(FAMILIES.items())}
    marks = {name: mark for name, mark in of_families.items() if not (mark.beyond and re.search(mark.beyond, names, re.MULTILINE))}
    for name, mark in marks.items():
        if any(_is_shaped(mark, layer, shape) for layer, shape in shapes.items() if shape is not None):
            return name
    if title := other_family(shapes):
        raise _unsupported(title)
    words = tuple(metadata.get(key, "") for key in _VERSIONS)
    cross_attention, text_encoder = _width_of(shapes, r"attn2_to_[kv]$"), _width_of(shapes, r"self_attn_[qkv]_proj$")
    for name, mark in marks.items():
        if cross_attention is not None and cross_attention == mark.cross_attention:
            if twin := next((title for word in words if (title := other_family_in_words(word)) in mark.twins), None):
                raise _unsupported(twin)
            return name
    for name, mark in marks.items():
        known, named = mark.named_layers, any(piece in "".join(words) for piece in mark.versions)
        if known and named and all(re.fullmatch(known, layer) for layer in shapes):
            return name
    for word in words:
        if title := other_family_in_words(word):
            raise _unsupported(title)
    for name, mark in marks.items():
        if mark.certain and re.search(mark.certain, names, re.MULTILINE):
            return name
    for name, mark in marks.items():
        if any(piece in "".join(words) for piece in mark.versions):
            return name
    for name, mark in marks.items():
        if text_encoder is not None and text_encoder == mark.text_encoder:
            return name
    for name, mark in marks.items():
        if mark.likely and re.search(mark.likely, names, re.MULTILINE):
            return name
    raise unknown_family()


def _is_shaped(mark: LoraMarks, layer: str, shape: tuple[int, ...]) -> bool:
    return any(rule(shape) and re.search(pattern, layer) for pattern, rule in mark.shaped.items())


def families_alike(family: str, layers: Iterable[str], paths: Iterable[str], metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Titles of other models that a file could be for as well, by its layers' names in the family and their paths in the file.

    There are none where words decide.
    """
    marks, words = FAMILIES[family].lora.marks, " ".join(metadata.get(key, "") for key in _VERSIONS)
    if any(piece in words for piece in marks.versions):
        return ()
    names, flat = list(layers), [path.replace(".", "_") for path in paths]
    by_names = [title for title, shared in marks.shared_layers.items() if names and all(re.fullmatch(shared, name) for name in names)]
    if any(_has_all(flat, stack, count) for stack, count in marks.blocks.items()):
        return tuple(by_names)
    return (
        *by_names,
        *(title for title, shared in marks.shared_paths.items() if flat and all(re.fullmatch(shared, path) for path in flat)),
    )


def _has_all(paths: Iterable[str], stack: str, count: int) -> bool:
    """Whether each of the stack's blocks has a layer."""
    found = {int(match[1]) for path in paths if (match := re.match(rf"{stack}_(\d+)_", path))}
    return found >= {*range(count)}


def unknown_family() -> AdapterError:
    """The error that nothing in a file shows whose it is, or that none of its layers is one of the family that it looks like."""
    return AdapterError(
        f"The family of models that the file was made for is unknown, nothing in it shows which: give it ({', '.join(FAMILIES)}).",
        code="lora.unknown_family",
    )


def _unsupported(title: str) -> AdapterError:
    return AdapterError(
        f"The file was made for {title}, which is not supported; {in_words('and')} are.", code="lora.other_family", family=title
    )


def _width_of(shapes: Mapping[str, tuple[int, ...] | None], pattern: str) -> int | None:
    """Input channels of the first layer with such a name whose tensors show them."""
    return next((shape[1] for name, shape in shapes.items() if shape is not None and re.search(pattern, name)), None)


def _shape(tensors: Shapes) -> tuple[int, ...] | None:
    """The shape of a layer's change, where the tensors show it."""
    try:
        shape = kind_of(tensors).shape
    except AdapterError:
        return None
    try:
        found = None if shape is None else shape(tensors)
    except IndexError:  # a damaged layer, whose tensors have too few axes
        return None
    return found if found is not None and len(found) > 1 else None
