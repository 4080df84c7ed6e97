"""The network kinds, by the name that a user types; and how a file's layer is understood.

name, tensors = "lora_unet_...", {"lora_down.weight": ..., "lora_up.weight": ..., "alpha": ...}
stored = read_layer(tensors)            # which kind it is, its tensors, its alpha
change = stored.delta_weight(weight)    # W' - W in fp32
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from lorasmith.adapters.kinds import boft, diag_oft, dora, dylora, full, glora, ia3, loha, lokr, lora
from lorasmith.adapters.kinds.kind import Kind
from lorasmith.errors import AdapterError

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (lora.KIND, loha.KIND, lokr.KIND, dylora.KIND, glora.KIND, ia3.KIND, diag_oft.KIND, boft.KIND, full.KIND)
}

ALPHA = "alpha"
DORA_SCALE = dora.SCALE


@dataclass(frozen=True)
class StoredLayer:
    """One layer of a file: its kind, its tensors by ending, its alpha, and its DoRA lengths where it has them."""

    kind: Kind
    tensors: dict[str, Tensor]
    alpha: float
    dora_scale: Tensor | None = None

    @property
    def needs_weight(self) -> bool:
        """Whether `delta_weight` depends on the base weight's values; else a weight on the meta device serves."""
        return self.kind.needs_weight or self.dora_scale is not None

    def delta_weight(self, weight: Tensor) -> Tensor:
        """W' - W in fp32 at strength 1."""
        change = self.kind.delta_weight(self.tensors, self.alpha, weight)
        return change if self.dora_scale is None else dora.delta_weight(change, self.dora_scale, weight)

    def delta_bias(self) -> Tensor | None:
        """b' - b in fp32 at strength 1; None for all but `full`."""
        return self.kind.delta_bias(self.tensors)


def kind_of(tensors: Mapping[str, Tensor]) -> Kind:
    """The kind of a file's layer, told by the endings of its tensors' names; a DyLoRA is a LoRA by then.

    Raises:
        AdapterError: no kind has such tensors.
    """
    endings = tensors.keys() - {ALPHA, DORA_SCALE}
    for kind in KINDS.values():
        if endings and endings <= kind.endings:
            if kind is diag_oft.KIND and tensors[diag_oft.BLOCKS].dim() == 4:
                return boft.KIND
            return kind
    raise AdapterError(
        f"A layer of the file has {', '.join(sorted(endings)) or 'no tensors'}: no network kind known here is made of these."
    )


def read_layer(tensors: Mapping[str, Tensor]) -> StoredLayer:
    """What a layer of a file is, from its tensors by ending. A missing alpha is the rank: scale 1, as all readers have it.

    Raises:
        AdapterError: no kind has such tensors, or the alpha is not a single number.
    """
    kind = kind_of(tensors)
    own = {ending: value for ending, value in tensors.items() if ending not in (ALPHA, DORA_SCALE)}
    _check_complete(kind, own)
    if ia3.ON_INPUT in own:
        own[ia3.ON_INPUT] = own[ia3.ON_INPUT].long()
    alpha = tensors.get(ALPHA)
    if alpha is not None and alpha.numel() != 1:
        raise AdapterError("An alpha in the LoRA file is not a single number: the file is damaged.")
    number = float(kind.rank(own) or 0) if alpha is None else alpha.item()
    return StoredLayer(kind, own, float(number), tensors.get(DORA_SCALE))


_ALTERNATIVES: dict[str, tuple[tuple[frozenset[str], ...], ...]] = {
    # kind -> groups; of each group one set must be there in whole
    "lora": ((frozenset({lora.DOWN, lora.UP}),),),
    "loha": ((frozenset({loha.W1A, loha.W1B, loha.W2A, loha.W2B}),),),
    "lokr": ((frozenset({lokr.W1}), frozenset({lokr.W1A, lokr.W1B})), (frozenset({lokr.W2}), frozenset({lokr.W2A, lokr.W2B}))),
    "glora": ((glora.KIND.endings,),),
    "ia3": ((ia3.KIND.endings,),),
    "full": ((frozenset({full.DIFF}),),),
}


def _check_complete(kind: Kind, tensors: Mapping[str, Tensor]) -> None:
    for group in _ALTERNATIVES.get(kind.name, ()):
        if not any(needed <= tensors.keys() for needed in group):
            lacks = [sorted(needed - tensors.keys()) for needed in group]
            missing: list[str] = min(lacks, key=len)
            raise AdapterError(f"A layer of the LoRA file lacks {', '.join(missing)}: the file is damaged.")
