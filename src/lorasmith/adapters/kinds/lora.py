"""LoRA: a small detour around a layer is trained instead of the layer (Hu et al. 2021, https://arxiv.org/abs/2106.09685).

    W' = W + alpha / rank * up @ down

On convolutions this is known as LoCon. Wide kernels may be split once more, by a Tucker core `mid`. Every program reads it.
"""

from __future__ import annotations

from math import prod

from lorasmith.adapters.kinds.advice import Advice, Ranks
from lorasmith.adapters.kinds.kind import Kind, Shapes
from lorasmith.adapters.kinds.programs import PLAIN_LORA_ONLY, Form
from lorasmith.guides import BOOTCAMP, CRASH_COURSE, guides
from lorasmith.models.lora_naming import LOADS, readings

DOWN, UP, MID = "lora_down.weight", "lora_up.weight", "lora_mid.weight"

PLAIN = Form("lora", readings(LOADS, LOADS, LOADS, LOADS))
TUCKER = Form("lora in Tucker form", readings(LOADS, LOADS, LOADS, PLAIN_LORA_ONLY))


def rank_of(tensors: Shapes) -> int:
    return tensors[DOWN].shape[0]


def shape(tensors: Shapes) -> tuple[int, ...]:
    kernel = tensors[MID].shape[2:] if MID in tensors else tensors[DOWN].shape[2:]
    return (tensors[UP].shape[0], tensors[DOWN].shape[1], *kernel)


def inner(tensors: Shapes) -> list[tuple[int, int]]:
    down, up = tensors[DOWN].shape[0], tensors[UP].shape[1]
    points = [(prod(tensors[UP].shape[2:]), 1)]  # `up` mixes channels alone
    if MID not in tensors:
        return [(up, down), *points]
    return [(up, tensors[MID].shape[0]), (down, tensors[MID].shape[1]), *points, (prod(tensors[DOWN].shape[2:]), 1)]


KIND = Kind(
    name="lora",
    title="LoRA",
    words="read everywhere",
    also_called=("locon", "lierla", "c3lier"),
    shared_settings=frozenset({"rank", "alpha", "rs_lora", "dora", "use_tucker", "dropout", "rank_dropout", "module_dropout"}),
    loraplus=frozenset({UP}),
    advice=Advice(
        Ranks(
            most=64,
            usual=32,
            source=f"{guides(CRASH_COURSE, BOOTCAMP)}: over 64 rarely helps, 128 bloats",
            least_for_several=16,
            most_for_few=64,
            most_of_convolutions=16,
        )
    ),
    suffixes=(DOWN, MID, UP),
    complete=((frozenset({DOWN, UP}),),),
    product=(DOWN, MID, UP),
    rank=rank_of,
    inner=inner,
    axes={DOWN: (2, 3, 4, 5), UP: (2, 3, 4, 5), MID: (4,)},
    shape=shape,
    forms=(PLAIN, TUCKER),
    form=lambda tensors, alpha: 1 if MID in tensors else 0,
    module=__name__,
)
