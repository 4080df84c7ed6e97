"""What a kind of network says about itself. Everything that others ask about a kind is in its own file, as one `Kind`.

A kind says how the change of a layer's weight, W' - W, is written with fewer (or other) numbers than W has. It comes in two files of
one name. `kinds/loha.py` describes it without torch: what it is called, which settings it takes, what its tensors are called in a
LoRA file and what follows from their shapes, what other programs do with it. `kinds/formulas/loha.py` computes with it, and is imported
when numbers are needed. So settings can be checked and the header of a file be read without torch.

A layer's tensors are named as in the file, without the layer's name: their suffixes. `alpha` and `dora_scale` can stand beside them in
every kind and are not counted among them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from lorasmith.adapters.kinds.advice import NO_ADVICE, Advice
from lorasmith.adapters.kinds.layer_settings import LayerSettings, OwnSettings
from lorasmith.adapters.kinds.programs import Form

if TYPE_CHECKING:
    from lorasmith.adapters.kinds.formulas.formulas import Formulas


class Shaped(Protocol):
    """A tensor, or what a file's header says of one."""

    @property
    def shape(self) -> Sequence[int]: ...


Shapes = Mapping[str, Shaped]
"""A layer's tensors by suffix, of which only the shapes matter."""


def alpha_of_settings(settings: LayerSettings, rank: int | None) -> float:
    """The alpha that is written into the file: with rs-scaling the one that, divided by the rank, gives alpha / sqrt(rank)."""
    return settings.alpha * math.sqrt(rank) if settings.rs_lora and rank is not None else settings.alpha


@dataclass(frozen=True, kw_only=True, eq=False)
class Kind:
    """A kind of network."""

    # In the settings.

    name: str
    """What the user types; a key of KINDS."""
    title: str
    """What people call it, in sentences."""
    words: str
    """What it is good for, in a few words."""
    also_called: tuple[str, ...] = ()
    """What other programs call it, in lower case."""
    shared_settings: frozenset[str] = frozenset()
    """Those of the settings that several kinds share, the fields of LayerSettings, which have an effect."""
    own_settings: type[OwnSettings] = OwnSettings
    """The settings that it declares itself."""
    trainable: bool = True
    """False for what is read from files, kept and merged, but neither trained nor attached."""
    changes_weight: bool = True
    """Whether it changes the weight of a linear layer or a convolution; False for normalisations."""
    scalable: bool = True
    """Whether its change can be scaled, so that `scale_weight_norms` works."""
    loraplus: frozenset[str] = frozenset()
    """Suffixes of the tensors that learn faster with LoRA+: the matrix on the output's side. Empty: LoRA+ has no effect."""
    contradiction: Callable[[Mapping[str, Any], frozenset[str]], str | None] = lambda values, given: None
    """(all network settings, the names of those that were given for this kind) -> what contradicts what, or None."""
    advice: Advice = NO_ADVICE
    """What the guides advise about it."""

    # In files.

    suffixes: tuple[str, ...]
    """All names that its tensors can have."""
    complete: tuple[tuple[frozenset[str], ...], ...]
    """What a whole layer consists of: of each group one set must be there."""
    marks: frozenset[str] = frozenset()
    """Suffixes of whole numbers that say how the others are meant; they are not trained, and stay on the CPU."""
    opaque: frozenset[str] = frozenset()
    """Suffixes that every program reads differently: a layer with one is read and kept, but not computed with."""
    file_kind: Kind | None = None
    """The kind that its files have, where nothing in them shows that they are of this one."""
    recognises: Callable[[Shapes], bool] = lambda tensors: True
    """Whether a layer with these suffixes is of this kind and no other."""
    has_alpha: bool = True
    alpha: Callable[[LayerSettings, int | None], float] = alpha_of_settings
    """(settings, rank) -> the alpha of a new layer. In most kinds the change is multiplied by alpha / rank."""
    alpha_counts: Callable[[Shapes], bool] = lambda tensors: True
    """Whether the change depends on the alpha."""
    rank: Callable[[Shapes], int | None] = lambda tensors: None
    """The rank; None where there is none. A missing alpha is the rank."""
    rank_first: tuple[str, ...] = ()
    """Suffixes of tensors whose first axis is the rank; the first that a layer has is thinned out where the forward pass takes no mask."""
    inner: Callable[[Shapes], Iterable[tuple[int, int]]] = lambda tensors: ()
    """The axes over which its tensors are multiplied, and others that belong together, as pairs of sizes that must be equal."""
    axes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Suffix -> how many axes such a tensor can have. Of suffixes that are not here nothing is known."""
    shape: Callable[[Shapes], tuple[int, ...]] | None = None
    """The shape of the change, as far as it follows from the tensors (a kernel may be flattened into the input). None: it depends on the base."""
    product: tuple[str, ...] = ()
    """Suffixes of the tensors that the change is a product of, so that it is zero where one of them is. Empty: it is not a product."""
    needs_weight: bool = False
    """Whether the change depends on the values of the base's weight, and not only on its shape."""
    algo: str | None = None
    """LyCORIS' name for it, which files carry as `ss_network_args`; None for what sd-scripts itself trains as a LoRA."""

    # In other programs.

    forms: tuple[Form, ...]
    """The forms in which it occurs in files; the first is the usual one."""
    form: Callable[[Shapes, float | None], int] = lambda tensors, alpha: 0
    """(tensors, alpha) -> which of `forms` a layer has. DoRA around it has forms of its own."""

    # Computing.

    module: str
    """The module that describes it (`__name__`); the one of the same name in the folder `formulas` beside it computes."""

    @property
    def settings(self) -> frozenset[str]:
        """The names of all settings that have an effect."""
        return self.shared_settings | self.own_settings.model_fields.keys()

    def layer_settings(self, **values: Any) -> LayerSettings:
        """The settings of a layer of this kind, shared ones and its own by their names; what is not given keeps its default."""
        own = {name: values.pop(name) for name in self.own_settings.model_fields if name in values}
        return LayerSettings(kind=self.name, own=self.own_settings(**own), **values)

    @cached_property
    def formulas(self) -> Formulas:
        """What computes with it; imports torch."""
        package, _, name = self.module.rpartition(".")
        found: Formulas = import_module(f"{package}.formulas.{name}").FORMULAS
        return found

    def __repr__(self) -> str:
        return f"Kind({self.name!r})"
