"""DyLoRA: a LoRA that is good at every rank up to its own (Valipour et al. 2023, https://arxiv.org/abs/2210.07558).

Each step draws a rank b and trains LoRA with the first b rows of `down` and columns of `up` alone,

    W' = W + s * up[:, :b] @ down[:b]          s = strength * alpha / rank

so the first ranks learn what matters most, and the file can afterwards be cut to any smaller rank without training again:
keep the first b and alpha * b / rank. `rank_step` makes b a multiple of it; with 1 every rank is drawn.

The scale is the full rank's at every b. (Others scale by the drawn rank, in ways that no reader of files knows; then what
was trained is not what is drawn.) So the file is a plain LoRA, and every reader has it right. Outside training, and in
`delta_weight`, all ranks act.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from lorasmith.adapters.kinds import lora
from lorasmith.adapters.kinds.kind import Tensors


def cut(tensors: Tensors, alpha: float, rank: int) -> tuple[dict[str, Tensor], float]:
    """The tensors and alpha of the first `rank` ranks, which act as they did together with the rest."""
    whole = lora.rank_of(tensors)
    kept = {lora.DOWN: tensors[lora.DOWN][:rank], lora.UP: tensors[lora.UP][:, :rank]}
    return kept, alpha * rank / whole


KIND = replace(
    lora.KIND,
    name="dylora",
    title="DyLoRA",
    options=frozenset({"rank", "alpha", "rs_lora", "rank_step", "module_dropout"}),
    endings=frozenset({lora.DOWN, lora.UP}),
    added=None,
)
