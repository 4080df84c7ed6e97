"""LoKr: the change as a Kronecker product (KronA, Edalati et al. 2022, https://arxiv.org/abs/2212.10650; for diffusion
models LyCORIS, https://arxiv.org/abs/2309.14859).

    W' = W + s * kron(w1, w2)          each factor whole, or a low-rank product w_a @ w_b

s is alpha / rank, and 1 where both factors are whole. Tucker cores in w2 are read but never written: ComfyUI and Forge do not read them
on most convolutions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from lorasmith.adapters.kinds.kind import Kind, Shapes
from lorasmith.adapters.kinds.layer_settings import OwnSettings
from lorasmith.adapters.kinds.programs import IN_FILES_NUMBERS, PLAIN_LORA_ONLY, Form, refused
from lorasmith.models.lora_naming import LOADS, drops, readings

W1, W1A, W1B, W2, W2A, W2B, T2 = "lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2"


class LokrSettings(OwnSettings):
    """How the weight is split."""

    factor: int = Field(
        -1, ge=-1, le=4096, description="LoKr: size of the first factor. -1: the squarest split, the smallest file; 8: a large one."
    )
    full_matrix: bool = Field(False, description="LoKr: neither factor is low-rank, and rank has no effect.")
    decompose_both: bool = Field(False, description="LoKr: the first factor is low-rank too, where the rank is small enough.")


def contradiction(values: Mapping[str, Any], given: frozenset[str]) -> str | None:
    if values["full_matrix"]:
        for field in ("decompose_both", "rank", "alpha", "conv_rank", "conv_alpha", "rs_lora", "rank_dropout"):
            if field in given:
                return f"network.{field} has no effect with network.full_matrix; remove one of them."
    return None


def rank(tensors: Shapes) -> int | None:
    """None where both factors are whole: the change is not scaled then."""
    return next((tensors[suffix].shape[0] for suffix in (W2B, W1B) if suffix in tensors), None)


def shape(tensors: Shapes) -> tuple[int, ...]:
    first = tensors[W1].shape if W1 in tensors else (tensors[W1A].shape[0], tensors[W1B].shape[1])
    if W2 in tensors:
        second = tuple(tensors[W2].shape)
    elif T2 in tensors:
        second = (tensors[W2A].shape[1], tensors[W2B].shape[1], *tensors[T2].shape[2:])
    else:
        second = (tensors[W2A].shape[0], tensors[W2B].shape[1])
    return (first[0] * second[0], first[1] * second[1], *second[2:])


def inner(tensors: Shapes) -> list[tuple[int, int]]:
    axes = ((W1A, 1, W1B), (W2A, 0 if T2 in tensors else 1, W2B))
    return [(tensors[a].shape[axis], tensors[b].shape[0]) for a, axis, b in axes if a in tensors and b in tensors]


PLAIN = Form("lokr", readings(LOADS, LOADS, LOADS, PLAIN_LORA_ONLY), IN_FILES_NUMBERS)
TUCKER = Form(
    "lokr in Tucker form",
    readings(
        LOADS,
        refused("it stops at a Tucker core on most convolutions (view size is not compatible)"),
        drops("it skips a Tucker core on most convolutions (view size is not compatible)"),
        PLAIN_LORA_ONLY,
    ),
    IN_FILES_NUMBERS,
)

KIND = Kind(
    name="lokr",
    title="LoKr",
    words="more from the smallest files",
    shared_settings=frozenset({"rank", "alpha", "rs_lora", "dora", "rank_dropout", "module_dropout"}),
    own_settings=LokrSettings,
    loraplus=frozenset({W1, W1A, W1B}),  # as in sd-scripts
    contradiction=contradiction,
    suffixes=(W1, W1A, W1B, W2, W2A, W2B, T2),
    complete=((frozenset({W1}), frozenset({W1A, W1B})), (frozenset({W2}), frozenset({W2A, W2B}))),
    product=(W1, W1A, W1B, W2, W2A, W2B, T2),
    rank=rank,
    alpha_counts=lambda tensors: rank(tensors) is not None,
    inner=inner,
    axes={W1: (2,), W1A: (2,), W1B: (2,), W2: (2, 3, 4, 5), W2A: (2,), W2B: (2, 4), T2: (4,)},
    rank_first=(W2B, W1B),
    shape=shape,
    algo="lokr",
    forms=(PLAIN, TUCKER),
    form=lambda tensors, alpha: 1 if T2 in tensors else 0,
    module=__name__,
)
