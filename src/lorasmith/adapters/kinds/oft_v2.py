"""OFTv2: the layer's inputs are turned (Qiu et al. 2025, https://arxiv.org/abs/2506.19847), as peft and OneTrainer have it.

    W' = W R^T,  R = diag(R_1, ..., R_n),  each R_i nearly a rotation of neighbouring inputs; of one block that all share where n is 1

It is read from files, kept and converted, but not trained here: of the programs only the trainers themselves read it.
"""

from __future__ import annotations

from lorasmith.adapters.kinds.kind import Kind
from lorasmith.adapters.kinds.programs import PLAIN_LORA_ONLY, Form, refused
from lorasmith.models.lora_naming import drops, readings

BLOCKS, SCALED = "oft_R.weight", "oft_R.scaled_oft"

_UNKNOWN = drops("it does not know OFTv2: convert the file to lora or diff")

KIND = Kind(
    name="oft-v2",
    title="OFTv2",
    words="found in files, not trained",
    trainable=False,
    scalable=False,
    suffixes=(BLOCKS, SCALED),
    complete=((frozenset({BLOCKS}),),),
    marks=frozenset({SCALED}),
    has_alpha=False,
    axes={BLOCKS: (2,)},
    needs_weight=True,
    forms=(Form("oft-v2", readings(refused("it stops at OFTv2 (Could not find a module type)"), _UNKNOWN, _UNKNOWN, PLAIN_LORA_ONLY)),),
    module=__name__,
)
