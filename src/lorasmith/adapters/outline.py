"""One layer of a network without its numbers: what its kind is, the shapes of its tensors, and its alpha.

That is what a file's header shows, and it needs no torch. `layer.Layer` is the same with the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lorasmith.adapters.kinds import ALPHA, DORA_SCALE, dora, kind_of
from lorasmith.adapters.kinds.full import DIFF_B
from lorasmith.adapters.kinds.kind import Kind, Shapes
from lorasmith.adapters.kinds.programs import Form
from lorasmith.errors import AdapterError
from lorasmith.pages.numbers import count


@dataclass(frozen=True, slots=True)
class ShapeOnly:
    """A tensor of which the shape and the dtype (torch's name) are known; of one that says how others are meant its number too."""

    shape: tuple[int, ...]
    dtype: str
    number: float = 0

    def __int__(self) -> int:
        return int(self.number) if math.isfinite(self.number) else 0


@dataclass(frozen=True, eq=False, repr=False)
class LayerOutline:
    """One layer of a network: its name in kohya's layout, its kind, and its tensors, of which the shapes and dtypes suffice."""

    name: str
    kind: Kind
    tensors: Mapping[str, Any]
    """By suffix; alpha and the DoRA magnitude aside."""
    alpha: float | None = None
    """None: the file has none, which every program takes as alpha / rank = 1."""
    dora_scale: Any = None
    """DoRA's magnitude, where it has one."""
    written_as: tuple[str, ...] = ()
    """What the file calls it: the keys without their suffixes; several where it was fused."""
    bias: Any = None
    """A change of the bias (`diff_b`) beside a kind that has none of its own."""

    def __repr__(self) -> str:
        size = "" if self.rank is None else f" of rank {self.rank}"
        return f"{type(self).__name__}({self.name!r}, {self.kind.title}{size}{' with DoRA' if self.dora_scale is not None else ''})"

    @property
    def rank(self) -> int | None:
        """The rank, for the kinds that have one."""
        return self.kind.rank(self.tensors)

    @property
    def alpha_value(self) -> float:
        """The alpha; the rank where the file has none, so that the scale is 1."""
        return float(self.rank or 0) if self.alpha is None else self.alpha

    @property
    def alpha_counts(self) -> bool:
        """Whether the alpha changes what the layer does: not where both factors of a LoKr are whole."""
        return self.kind.has_alpha and self.kind.alpha_counts(self.tensors)

    @property
    def changes_bias(self) -> bool:
        """Whether it changes the bias too."""
        return self.bias is not None or any(suffix.endswith(DIFF_B) for suffix in self.tensors)

    @property
    def shape(self) -> tuple[int, ...] | None:
        """The shape of the change, a kernel perhaps flattened into the inputs; None where it depends on the base."""
        return None if self.kind.shape is None else self.kind.shape(self.tensors)

    @property
    def dora_axis(self) -> dora.Axis | None:
        """Which axis of the weight the DoRA magnitude belongs to; None without one."""
        return None if self.dora_scale is None else dora.axis_of(self.dora_scale, self.shape)

    @property
    def form(self) -> Form:
        """The form that the layer has in files, with what each program does with it."""
        if self.dora_scale is not None:
            return dora.form_of(self.dora_scale, self.shape)
        return self.kind.forms[self.kind.form(self.tensors, self.alpha)]

    @property
    def needs_weight(self) -> bool:
        """Whether `delta_weight` depends on the base weight's values; if not, a weight on the meta device serves."""
        return self.kind.needs_weight or self.dora_scale is not None

    @property
    def described(self) -> str:
        """What the layer is, for messages: its kind, and whether DoRA goes around it."""
        return self.kind.title + (" with a magnitude (DoRA)" if self.dora_scale is not None else "")


def outline_of(name: str, tensors: Shapes, alpha: float | None = None, written_as: tuple[str, ...] = ()) -> LayerOutline:
    """What a layer of a file is, by its tensors' suffixes and shapes; `alpha` is the number in its tensor of that name.

    Raises:
        AdapterError: no kind has such tensors, they do not go together, or the alpha or a mark is not a single number.
    """
    kind = kind_of(tensors)
    if empty := [suffix for suffix, tensor in tensors.items() if math.prod(tensor.shape) == 0]:
        raise AdapterError(f"The {empty[0]} of a {kind.title} has no numbers: the file is damaged.", code="adapter.empty")
    for suffix, axes in kind.axes.items():
        if suffix in tensors and len(tensors[suffix].shape) not in axes:
            found = count(len(tensors[suffix].shape), "axis", "axes")
            raise AdapterError(f"The {suffix} of a {kind.title} has {found}: the file is damaged.", code="adapter.axes")
    if (sizes := _unequal_sizes(kind, tensors)) is not None:
        raise AdapterError(
            f"The tensors of a {kind.title} do not go together, {sizes[0]} and {sizes[1]} should be equal: the file is damaged.",
            code="adapter.inner_rank",
        )
    if ALPHA in tensors and math.prod(tensors[ALPHA].shape) != 1:
        raise AdapterError("The alpha is not a single number: the file is damaged.", code="adapter.alpha_shape")
    if several := [suffix for suffix in sorted(kind.marks) if suffix in tensors and math.prod(tensors[suffix].shape) != 1]:
        raise AdapterError(f"The {several[0]} of a {kind.title} is not a single number: the file is damaged.", code="adapter.mark_shape")
    own = {
        suffix: value
        for suffix, value in tensors.items()
        if suffix not in (ALPHA, DORA_SCALE) and (suffix != DIFF_B or suffix in kind.suffixes)
    }
    try:
        kind.rank(own), kind.shape and kind.shape(own)
    except IndexError:
        raise AdapterError(f"A tensor of a {kind.title} has too few axes: the file is damaged.", code="adapter.axes") from None
    return LayerOutline(name, kind, own, alpha, tensors.get(DORA_SCALE), written_as, None if DIFF_B in own else tensors.get(DIFF_B))


def _unequal_sizes(kind: Kind, tensors: Shapes) -> tuple[int, int] | None:
    """The first two sizes that should be equal and are not; tensors with too few axes have no sizes to compare."""
    try:
        return next((pair for pair in kind.inner(tensors) if pair[0] != pair[1]), None)
    except IndexError:
        return None
