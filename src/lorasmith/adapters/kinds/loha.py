"""LoHa: the change as the entrywise product of two low-rank matrices (FedPara, Hyeon-Woo et al. 2022,
https://arxiv.org/abs/2108.06098; for diffusion models LyCORIS, https://arxiv.org/abs/2309.14859).

    W' = W + alpha / rank * (w1_a @ w1_b) * (w2_a @ w2_b)          * entry by entry
"""

from __future__ import annotations

from lorasmith.adapters.kinds.advice import Advice, Ranks
from lorasmith.adapters.kinds.kind import Kind, Shapes
from lorasmith.adapters.kinds.programs import IN_FILES_NUMBERS, PLAIN_LORA_ONLY, Form
from lorasmith.guides import CRASH_COURSE, guides
from lorasmith.models.lora_naming import LOADS, readings

W1A, W1B, W2A, W2B, T1, T2 = "hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2"


def shape(tensors: Shapes) -> tuple[int, ...]:
    if T1 in tensors:
        return (tensors[W1A].shape[1], tensors[W1B].shape[1], *tensors[T1].shape[2:])
    return (tensors[W1A].shape[0], tensors[W1B].shape[1])


def inner(tensors: Shapes) -> list[tuple[int, int]]:
    axis = 0 if T1 in tensors else 1
    return [(tensors[a].shape[axis], tensors[b].shape[0]) for a, b in ((W1A, W1B), (W2A, W2B))]


KIND = Kind(
    name="loha",
    title="LoHa",
    words="more from smaller files",
    shared_settings=frozenset({"rank", "alpha", "rs_lora", "dora", "use_tucker", "rank_dropout", "module_dropout"}),
    loraplus=frozenset({W1A}),  # the factor that starts at zero
    advice=Advice(Ranks(most=32, usual=32, source=guides(CRASH_COURSE), most_of_convolutions=16)),
    suffixes=(W1A, W1B, W2A, W2B, T1, T2),
    complete=((frozenset({W1A, W1B, W2A, W2B}),),),
    product=(W1A, W1B, W2A, W2B, T1, T2),
    rank=lambda tensors: tensors[W1B].shape[0],
    inner=inner,
    axes={W1A: (2,), W1B: (2,), W2A: (2,), W2B: (2,), T1: (4,), T2: (4,)},
    rank_first=(W1B,),
    shape=shape,
    algo="loha",
    forms=(Form("loha", readings(LOADS, LOADS, LOADS, PLAIN_LORA_ONLY), IN_FILES_NUMBERS),),
    module=__name__,
)
