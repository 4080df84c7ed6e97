"""A kind of network that the package does not know, with a setting of its own: the change is the outer product of two vectors, a LoRA of rank 1
without a name for it.

W' = W + alpha * left right^T
"""

from pydantic import Field

from lorasmith.adapters.kinds.kind import Kind
from lorasmith.adapters.kinds.layer_settings import OwnSettings
from lorasmith.adapters.kinds.programs import Form, refused
from lorasmith.models.lora_naming import UNTRIED, readings

LEFT, RIGHT = "outer_left", "outer_right"


class OuterSettings(OwnSettings):
    """How it starts."""

    spread: float = Field(1.0, gt=0, le=100, description="Outer product: standard deviation of the right vector's start.")


KIND = Kind(
    name="outer",
    title="outer product",
    words="made up for a test",
    shared_settings=frozenset({"alpha", "module_dropout"}),
    own_settings=OuterSettings,
    loraplus=frozenset({LEFT}),
    suffixes=(LEFT, RIGHT),
    complete=((frozenset({LEFT, RIGHT}),),),
    product=(LEFT, RIGHT),
    shape=lambda tensors: (tensors[LEFT].shape[0], tensors[RIGHT].shape[0]),
    algo="outer",
    forms=(Form("outer", readings(UNTRIED, UNTRIED, UNTRIED, refused("nobody has told it"))),),
    module=__name__,
)
