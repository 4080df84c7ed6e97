"""DyLoRA: LoRA with the first ranks alone, up to one that is drawn in each step; see `kinds.dylora`.

Each step draws a rank b and trains LoRA with the first b rows of `down` and columns of `up` alone,

    W' = W + s * up[:, :b] @ down[:b]          s = strength * alpha / rank

so the first ranks learn what matters most, and the file can afterwards be cut to any smaller rank without training again:
keep the first b and alpha * b / rank. `rank_step` makes b a multiple of it; with 1 every rank is drawn.

The scale is the full rank's at every b. (Others scale by the drawn rank, in ways that no program knows; then the images
differ from what was trained.) So the file is a plain LoRA, and every program reads it right. Outside training, and in
`delta_weight`, all ranks act.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from lorasmith.adapters.kinds.dylora import DyloraSettings
from lorasmith.adapters.kinds.formulas import lora
from lorasmith.adapters.kinds.formulas.dropouts import Draws
from lorasmith.adapters.kinds.formulas.formulas import Tensors
from lorasmith.adapters.kinds.layer_settings import LayerSettings
from lorasmith.adapters.kinds.lora import DOWN, UP, rank_of


def cut(tensors: Tensors, alpha: float, rank: int) -> tuple[dict[str, Tensor], float]:
    """The tensors and alpha of the first `rank` ranks, which act as they did together with the rest."""
    return {DOWN: tensors[DOWN][:rank], UP: tensors[UP][:, :rank]}, alpha * rank / rank_of(tensors)


def drawn_rank(settings: LayerSettings, rank: int, draws: Draws) -> int:
    """How many of a layer's ranks act in a step."""
    rank_step = settings.own_as(DyloraSettings).rank_step
    steps = -(-rank // rank_step)
    return min(rank, rank_step * draws.rng("dylora rank").randint(1, steps))


def in_step(tensors: Tensors, alpha: float, settings: LayerSettings, draws: Draws) -> tuple[dict[str, Tensor], float]:
    return cut(tensors, alpha, drawn_rank(settings, rank_of(tensors), draws))


FORMULAS = replace(lora.FORMULAS, added=None, in_step=in_step)
