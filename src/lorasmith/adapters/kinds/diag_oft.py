"""Diag-OFT: the layer's outputs are turned instead of added to (Qiu et al. 2023, https://arxiv.org/abs/2306.07280).

    W' = R W,  R = diag(R_1, ..., R_n),  each R_i a rotation of `block_size` neighbouring outputs

In the file `alpha` is the constraint. Programs disagree about one, so it is worked into the blocks when they are written, and alpha is 0,
which all understand. A `rescale` beside the blocks is read by every program in another way, and by none of ours.
"""

from __future__ import annotations

from pydantic import Field

from lorasmith.adapters.kinds.kind import Kind, Shapes
from lorasmith.adapters.kinds.layer_settings import LayerSettings, OwnSettings
from lorasmith.adapters.kinds.programs import PLAIN_LORA_ONLY, Form, wrong
from lorasmith.models.lora_naming import LOADS, drops, readings

BLOCKS, RESCALE = "oft_blocks", "rescale"

SQUARED = wrong("the strength counts squared: right at strength 1 only")
_UNKNOWN = drops("it does not know OFT")
FREE = Form("diag-oft", readings(LOADS, _UNKNOWN, SQUARED, PLAIN_LORA_ONLY))
CONSTRAINED = Form(
    "diag-oft with a constraint",
    readings(LOADS, _UNKNOWN, wrong("it takes the constraint without the layer's width"), PLAIN_LORA_ONLY),
)
RESCALED = Form("rotation with rescale", readings(LOADS, _UNKNOWN, wrong("it ignores the rescale"), PLAIN_LORA_ONLY))


class RotationSettings(OwnSettings):
    """What is rotated together, and how far."""

    block_size: int | None = Field(
        None, ge=2, le=4096, description="Diag-OFT and BOFT: the most outputs that rotate together. Empty: 32; BOFT: about 8."
    )
    constraint: float = Field(0.0, ge=0, le=1, description="Diag-OFT and BOFT: how far the rotation may go, 1e-4 or so. 0: no limit.")


def form(tensors: Shapes, alpha: float | None) -> int:
    return 2 if RESCALE in tensors else 1 if alpha else 0


def square(tensors: Shapes) -> list[tuple[int, int]]:
    """The sides of a block."""
    return [(tensors[BLOCKS].shape[-2], tensors[BLOCKS].shape[-1])]


def constraint(settings: LayerSettings, rank: int | None) -> float:
    """What a layer carries as its alpha."""
    return settings.own_as(RotationSettings).constraint


KIND = Kind(
    name="diag-oft",
    title="Diag-OFT",
    words="rotates instead of adding",
    also_called=("oft", "diag_oft"),
    shared_settings=frozenset({"module_dropout"}),
    own_settings=RotationSettings,
    scalable=False,
    suffixes=(BLOCKS, RESCALE),
    complete=((frozenset({BLOCKS}),),),
    opaque=frozenset({RESCALE}),
    recognises=lambda tensors: BLOCKS not in tensors or len(tensors[BLOCKS].shape) != 4,
    alpha=constraint,
    inner=square,
    axes={BLOCKS: (3,)},
    needs_weight=True,
    algo="diag-oft",
    forms=(FREE, CONSTRAINED, RESCALED),
    form=form,
    module=__name__,
)
