"""Full: the change itself, number for number; a fine-tune in the form of a LoRA file, with files as large as the layers.

W' = W + s * diff        b' = b + s * diff_b        s = strength
"""

from __future__ import annotations

from lorasmith.adapters.kinds.kind import Kind
from lorasmith.adapters.kinds.programs import IN_FILES_NUMBERS, PLAIN_LORA_ONLY, Form
from lorasmith.models.lora_naming import LOADS, readings

DIFF, DIFF_B = "diff", "diff_b"

KIND = Kind(
    name="full",
    title="full difference",
    words="every number, in large files",
    shared_settings=frozenset({"module_dropout"}),
    suffixes=(DIFF, DIFF_B),
    complete=((frozenset({DIFF}),),),
    product=(DIFF,),
    has_alpha=False,
    axes={DIFF: (1, 2, 3, 4, 5), DIFF_B: (1,)},
    shape=lambda tensors: tuple(tensors[DIFF].shape),
    algo="full",
    forms=(Form("full", readings(LOADS, LOADS, LOADS, PLAIN_LORA_ONLY), IN_FILES_NUMBERS),),
    module=__name__,
)
