"""The layers of CLIP and T5 text encoders in LoRA files. Paths here have underscores for dots.

A CLIP text encoder has `text_model` in its names although transformers dropped it from the model in version 5.6; the readers of files
did not.
"""

from __future__ import annotations

import re
from typing import Any

from lorasmith.models.lora_naming import LayerNames, Place


def _with_text_model(flat: str, shape: Any) -> Place:
    return Place("text_model_" + flat.removeprefix("text_model_"))


def _block(flat: str, shape: Any) -> str | None:
    """The number of the layer, two digits."""
    found = re.search(r"(?:layers|block)_(\d+)", flat)
    return f"{int(found[1]):02d}" if found else None


CLIP_NAMES = LayerNames(
    categories=(
        (r"(?:text_model\.)?encoder\.layers\.\d+\.self_attn\.(q|k|v|out)_proj", "attention"),
        (r"(?:text_model\.)?encoder\.layers\.\d+\.mlp\.fc[12]", "mlp"),
    ),
    words=frozenset(
        ["text_model", "encoder", "layers", "self_attn", "q_proj", "k_proj", "v_proj", "out_proj", "mlp", "fc1", "fc2", "layer_norm1", "layer_norm2", "final_layer_norm", "text_projection"]
    ),
    to_file=_with_text_model, block=_block,
)  # fmt: skip
T5_NAMES = LayerNames(
    categories=(
        (r"encoder\.block\.\d+\.layer\.0\.SelfAttention\.[qkvo]", "attention"),
        (r"encoder\.block\.\d+\.layer\.1\.DenseReluDense\.w\w+", "mlp"),
    ),
    words=frozenset(["encoder", "block", "layer", "SelfAttention", "DenseReluDense", "q", "k", "v", "o", "wi", "wi_0", "wi_1", "wo", "layer_norm"]),
    block=_block,
)  # fmt: skip
