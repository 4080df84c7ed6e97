"""BOFT: the outputs are turned in several stages of a butterfly, so that with small blocks every output meets every other
(Liu et al. 2024, https://arxiv.org/abs/2311.06243).

    W' = R_m ... R_1 W        each R_i turns blocks of b outputs that are 2^(i-1) * b / 2 apart

Its files differ from those of Diag-OFT by one more axis of `oft_blocks`: [stages, blocks, b, b].
"""

from __future__ import annotations

from lorasmith.adapters.kinds import diag_oft
from lorasmith.adapters.kinds.diag_oft import BLOCKS, RESCALE, RotationSettings, square
from lorasmith.adapters.kinds.kind import Kind, Shapes
from lorasmith.adapters.kinds.programs import PLAIN_LORA_ONLY, Form
from lorasmith.models.lora_naming import LOADS, drops, readings

_UNKNOWN = drops("it does not know BOFT")
PLAIN = Form("boft", readings(LOADS, _UNKNOWN, diag_oft.SQUARED, PLAIN_LORA_ONLY))
WITHOUT_ALPHA = Form("boft without alpha", readings(LOADS, _UNKNOWN, drops("it needs an alpha to recognise a BOFT"), PLAIN_LORA_ONLY))


def form(tensors: Shapes, alpha: float | None) -> int:
    return 1 if alpha is None else 0


KIND = Kind(
    name="boft",
    title="BOFT",
    words="rotates, every output with every other",
    shared_settings=frozenset({"module_dropout"}),
    own_settings=RotationSettings,
    scalable=False,
    suffixes=(BLOCKS, RESCALE),
    complete=((frozenset({BLOCKS}),),),
    opaque=frozenset({RESCALE}),
    recognises=lambda tensors: BLOCKS in tensors and len(tensors[BLOCKS].shape) == 4,
    alpha=diag_oft.constraint,
    inner=square,
    axes={BLOCKS: (4,)},
    needs_weight=True,
    algo="boft",
    forms=(PLAIN, WITHOUT_ALPHA),
    form=form,
    module=__name__,
)
