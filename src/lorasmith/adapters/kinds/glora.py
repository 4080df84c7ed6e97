"""GLoRA: LoRA that also reworks the weight's input side (Chavan et al. 2023, https://arxiv.org/abs/2306.07967, in the form
that LyCORIS gave it).

    W' = W + alpha / rank * (W a1 a2 + b1 b2)

Not every program reads it; on linear layers it equals a LoRA of twice the rank, which all read.
"""

from __future__ import annotations

from lorasmith.adapters.kinds.advice import Advice, Ranks
from lorasmith.adapters.kinds.kind import Kind, Shapes
from lorasmith.adapters.kinds.programs import PLAIN_LORA_ONLY, Form
from lorasmith.guides import CRASH_COURSE, guides
from lorasmith.models.lora_naming import LOADS, drops, readings

A1, A2, B1, B2 = "a1.weight", "a2.weight", "b1.weight", "b2.weight"


def rank_of(tensors: Shapes) -> int:
    return tensors[A2].shape[0]


KIND = Kind(
    name="glora",
    title="GLoRA",
    words="for styles",
    shared_settings=frozenset({"rank", "alpha", "rs_lora", "dropout", "rank_dropout", "module_dropout"}),
    advice=Advice(Ranks(most=64, usual=64, source=guides(CRASH_COURSE))),
    suffixes=(A1, A2, B1, B2),
    complete=((frozenset({A1, A2, B1, B2}),),),
    rank=rank_of,
    inner=lambda tensors: [(tensors[a].shape[1], tensors[b].shape[0]) for a, b in ((A1, A2), (B1, B2))],
    axes={A1: (2, 4), A2: (2, 4), B1: (2, 4), B2: (2, 4)},
    needs_weight=True,
    algo="glora",
    forms=(Form("glora", readings(drops("it knows the older layout of GLoRA only"), LOADS, LOADS, PLAIN_LORA_ONLY)),),
    module=__name__,
)
