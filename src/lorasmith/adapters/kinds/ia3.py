"""(IA)^3: one trained number a channel, which makes it louder or quieter (Liu et al. 2022, https://arxiv.org/abs/2205.05638).

    W' = W * (1 + w)        w over the rows of W (the outputs) or, with `on_input`, over its columns (the inputs)

The smallest network there is: a few kilobytes. It needs a learning rate of 5e-3 to 1e-2. Only AUTOMATIC1111 reads it, on linear
layers and on the inputs of convolutions; written as `diff`, everyone but diffusers does.
"""

from __future__ import annotations

from typing import SupportsInt, cast

from pydantic import Field

from lorasmith.adapters.kinds.advice import Advice, Rates
from lorasmith.adapters.kinds.kind import Kind, Shapes
from lorasmith.adapters.kinds.layer_settings import OwnSettings
from lorasmith.adapters.kinds.programs import PLAIN_LORA_ONLY, Form
from lorasmith.guides import CRASH_COURSE, guides
from lorasmith.models.lora_naming import LOADS, drops, readings

WEIGHT, ON_INPUT = "weight", "on_input"

_UNKNOWN = drops("it does not know (IA)^3")
LINEAR = Form("ia3", readings(LOADS, _UNKNOWN, _UNKNOWN, PLAIN_LORA_ONLY))
CONVOLUTION = Form(
    "ia3 on a convolution",
    readings(drops("it stops at (IA)^3 on the outputs of convolutions (size mismatch)"), _UNKNOWN, _UNKNOWN, PLAIN_LORA_ONLY),
)

ON_INPUTS = Form("ia3 on the inputs", LINEAR.programs)


class Ia3Settings(OwnSettings):
    """Which side is scaled."""

    on_input: bool = Field(False, description="(IA)^3: scale the input of a layer instead of its output.")


def form(tensors: Shapes, alpha: float | None) -> int:
    if int(cast(SupportsInt, tensors[ON_INPUT])):
        return 2
    return 1 if len(tensors[WEIGHT].shape) > 2 else 0


KIND = Kind(
    name="ia3",
    title="(IA)^3",
    words="tiny files",
    also_called=("(ia)^3", "ia^3"),
    shared_settings=frozenset({"module_dropout"}),
    own_settings=Ia3Settings,
    advice=Advice(rates=Rates(least=1e-3, usual=5e-3, source=f"{guides(CRASH_COURSE)}: 5e-3 to 1e-2")),
    suffixes=(WEIGHT, ON_INPUT),
    complete=((frozenset({WEIGHT, ON_INPUT}),),),
    marks=frozenset({ON_INPUT}),
    product=(WEIGHT,),
    has_alpha=False,
    needs_weight=True,
    algo="ia3",
    forms=(LINEAR, CONVOLUTION, ON_INPUTS),
    form=form,
    module=__name__,
)
