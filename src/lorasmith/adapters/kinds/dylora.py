"""DyLoRA: a LoRA that is good at every rank up to its own (Valipour et al. 2023, https://arxiv.org/abs/2210.07558).

Each step trains the first ranks alone, up to one that is drawn. Its file is a plain LoRA, which every program reads, and which can be cut
to any smaller rank without training again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import Field

from lorasmith.adapters.kinds import lora
from lorasmith.adapters.kinds.advice import Advice, Ranks
from lorasmith.adapters.kinds.layer_settings import OwnSettings
from lorasmith.guides import CRASH_COURSE, guides


class DyloraSettings(OwnSettings):
    """Which ranks are drawn."""

    rank_step: int = Field(1, ge=1, le=4096, description="DyLoRA: drawn ranks are multiples of this; 4 or 8 trains faster than 1.")


def contradiction(values: Mapping[str, Any], given: frozenset[str]) -> str | None:
    if values["rank"] % values["rank_step"]:
        return f"network.rank {values['rank']} is not a multiple of network.rank_step {values['rank_step']}; change one of them."
    return None


KIND = replace(
    lora.KIND,
    name="dylora",
    title="DyLoRA",
    words="one training, any rank",
    also_called=(),
    shared_settings=frozenset({"rank", "alpha", "rs_lora", "module_dropout"}),
    own_settings=DyloraSettings,
    contradiction=contradiction,
    advice=Advice(Ranks(most=128, usual=128, source=guides(CRASH_COURSE), least=64), one_rank_a_batch=True),
    file_kind=lora.KIND,
    forms=(lora.PLAIN,),
    form=lambda tensors, alpha: 0,
    module=__name__,
)
