"""Norm: trained scales and shifts of normalisation layers, as LyCORIS writes them beside another kind (`train_norm`).

    w' = w + s * w_norm        b' = b + s * b_norm        s = strength

Those without a shift, as the norms of query and key in transformers, have a `w_norm` alone; they are read with a shift that stays as it is.
They are read from files, kept, merged and sampled with (see `adapters.changed_norms`), but not trained here: there is no weight matrix
that they change.
"""

from __future__ import annotations

from lorasmith.adapters.kinds.kind import Kind
from lorasmith.adapters.kinds.programs import PLAIN_LORA_ONLY, Form
from lorasmith.models.lora_naming import LOADS, readings

W, B = "w_norm", "b_norm"

KIND = Kind(
    name="norm",
    title="trained normalisation",
    words="found in files, not trained",
    trainable=False,
    changes_weight=False,
    scalable=False,
    suffixes=(W, B),
    complete=((frozenset({W}),),),
    axes={W: (1,), B: (1,)},
    has_alpha=False,
    forms=(Form("norm", readings(LOADS, LOADS, LOADS, PLAIN_LORA_ONLY)),),
    module=__name__,
)
