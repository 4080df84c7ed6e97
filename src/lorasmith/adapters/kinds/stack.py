"""A stack: networks of several layers whose weights are one below the other in the file's names, kept as they were trained.

    W' - W = [change of the first rows; change of the next; ...]          rows that none of them has stay as they are

Flux files in diffusers' names have query, key and value apart where kohya's names have one layer. Plain LoRAs become one LoRA (see
`files.fuse`); other kinds have no such form, and are kept apart: a LoKr of 4 MB is a difference of 1.3 GB. A stack is never in a file: it
is written as its difference (`diff`).

Its tensors are those of its parts, each with the number of the part before its suffix ("0_lokr_w1"), alphas and DoRA magnitudes with
them, and `rows`: how the rows are shared out, in proportion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from lorasmith.adapters.kinds import ALPHA, DORA_SCALE, KINDS, dora, kind_of
from lorasmith.adapters.kinds.kind import Kind, Shapes
from lorasmith.adapters.kinds.programs import Form

ROWS = "rows"

T = TypeVar("T")


def parts_of(tensors: Mapping[str, T]) -> dict[int, dict[str, T]]:
    """Number of the part -> its tensors by suffix, alpha and magnitude with them."""
    parts: dict[int, dict[str, T]] = {}
    for name, tensor in tensors.items():
        number, _, suffix = name.partition("_")
        if name != ROWS:
            parts.setdefault(int(number), {})[suffix] = tensor
    return parts


def _shape(tensors: Shapes) -> tuple[int, ...]:
    kinds = [(kind_of(part), part) for part in parts_of(tensors).values()]
    shapes = [kind.shape(part) for kind, part in kinds if kind.shape is not None]
    rows: Any = tensors[ROWS]
    return (int(rows.sum()), *shapes[0][1:])


_FORMS: tuple[Form, ...] = (*dora.FORMS, *(form for kind in KINDS.values() for form in kind.forms))


def _form(tensors: Shapes, alpha: float | None) -> int:
    """That of its parts: of the first with a magnitude, else of the first."""
    parts = parts_of(tensors).values()
    for part in parts:
        if DORA_SCALE in part:
            kind = kind_of(part)
            return _FORMS.index(dora.form_of(part[DORA_SCALE], None if kind.shape is None else kind.shape(part)))
    first = next(iter(parts))
    kind = kind_of(first)
    return _FORMS.index(kind.forms[kind.form(first, None)])


KIND = Kind(
    name="stack",
    title="stack of layers that were trained apart",
    words="read from files, not trained",
    suffixes=(ROWS,),
    complete=(),
    marks=frozenset({ROWS}),
    alpha_counts=lambda tensors: any(ALPHA in part for part in parts_of(tensors).values()),
    shape=_shape,
    forms=_FORMS,
    form=_form,
    module=__name__,
)
ON_WEIGHT = replace(KIND, needs_weight=True)
"""A stack with a part whose change depends on the values of the base's weight."""
