"""A kind of network that the package does not know: the change is the outer product of two vectors, a LoRA of rank 1 without a name for it.

W' = W + alpha * left right^T
"""

from lorasmith.adapters.kinds.kind import Kind
from lorasmith.adapters.kinds.programs import Form, refused
from lorasmith.models.lora_naming import UNTRIED, readings

LEFT, RIGHT = "outer_left", "outer_right"

KIND = Kind(
    name="outer",
    title="outer product",
    words="made up for a test",
    settings=frozenset({"alpha", "module_dropout"}),
    loraplus=frozenset({LEFT}),
    suffixes=(LEFT, RIGHT),
    complete=((frozenset({LEFT, RIGHT}),),),
    product=(LEFT, RIGHT),
    shape=lambda tensors: (tensors[LEFT].shape[0], tensors[RIGHT].shape[0]),
    algo="outer",
    forms=(Form("outer", readings(UNTRIED, UNTRIED, UNTRIED, refused("nobody has told it"))),),
    module=__name__,
)
