"""DoRA: a magnitude for each column of the weight, trained apart from its direction (Liu et al. 2024, https://arxiv.org/abs/2402.09353).

    W' = m * (W + delta) / ||W + delta||          norms of columns: over all outputs (and the kernel), one for each input

It goes around LoRA, LoHa and LoKr, whose change `delta` is. The magnitude m is `dora_scale` in the file. Along the inputs, as the paper
has it, it is [1, in] or [1, in, 1, 1]; LyCORIS and peft by default take it along the outputs, [out, 1].
"""

from __future__ import annotations

from typing import Literal

from lorasmith.adapters.kinds.kind import Shaped
from lorasmith.adapters.kinds.programs import Form, wrong
from lorasmith.models.lora_naming import LOADS, UNTRIED, readings

SCALE = "dora_scale"

Axis = Literal["input", "output"]

_PLAIN_PART_ONLY = wrong("it drops the DoRA magnitude and loads the rest as a plain LoRA")
_OTHER_AXIS = wrong("it takes a DoRA magnitude along the outputs as one along the inputs, or divides by the norm of W alone")

ALONG_INPUTS = Form("DoRA along the inputs", readings(LOADS, LOADS, LOADS, _PLAIN_PART_ONLY))
ALONG_OUTPUTS = Form(
    "DoRA along the outputs",
    readings(wrong("it always takes a DoRA magnitude along the inputs"), _OTHER_AXIS, _OTHER_AXIS, _PLAIN_PART_ONLY),
)
IN_ONE_ROW = Form(
    "DoRA in one row",
    readings(UNTRIED, UNTRIED, wrong("a DoRA magnitude without a second axis is spread along the wrong one, or stops the load"), UNTRIED),
)
FORMS = (ALONG_INPUTS, ALONG_OUTPUTS, IN_ONE_ROW)


def axis_of(scale: Shaped) -> Axis:
    """Which axis of the weight a magnitude belongs to, by its shape: [1, in ...] "input"; [out, 1 ...] or [out] "output"."""
    return "input" if len(scale.shape) > 1 and scale.shape[0] == 1 else "output"


def form_of(scale: Shaped) -> Form:
    """The form of a layer with this magnitude, whatever kind is inside."""
    if len(scale.shape) == 1:
        return IN_ONE_ROW
    return ALONG_INPUTS if axis_of(scale) == "input" else ALONG_OUTPUTS
