"""The layers of CLIP and T5 text encoders in LoRA files. Paths here have underscores for dots.

A CLIP text encoder has `text_model` in its names although transformers dropped it from the model in version 5.6; the readers of files
did not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lorasmith.models.lora_naming import LayerNames, Place


def _with_text_model(flat: str, shape: Any) -> Place:
    return Place("text_model_" + flat.removeprefix("text_model_"))


def _block(flat: str, shape: Any) -> str | None:
    """The number of the layer, two digits."""
    found = re.search(r"(?:layers|block)_(\d+)", flat)
    return f"{int(found[1]):02d}" if found else None


def clip_layers(settings: Mapping[str, Any]) -> dict[str, int | None]:
    """The layers of a CLIP text encoder, by its settings; see `LayerNames.all_layers`."""
    width = settings["hidden_size"]
    inside: dict[str, int | None] = {f"self_attn.{name}_proj": width for name in ("q", "k", "v", "out")}
    inside |= {"mlp.fc1": width, "mlp.fc2": settings["intermediate_size"], "layer_norm1": None, "layer_norm2": None}
    blocks = range(settings["num_hidden_layers"])
    found = {f"text_model.encoder.layers.{i}.{name}": size for i in blocks for name, size in inside.items()}
    return found | {"text_model.final_layer_norm": None}


def t5_layers(settings: Mapping[str, Any]) -> dict[str, int | None]:
    """The layers of T5's encoder, by its settings; see `LayerNames.all_layers`."""
    width, heads = settings["d_model"], settings["num_heads"] * settings["d_kv"]
    gated = settings["feed_forward_proj"].startswith("gated")
    inside: dict[str, int | None] = {f"layer.0.SelfAttention.{name}": width for name in "qkv"}
    inside |= {"layer.0.SelfAttention.o": heads, "layer.0.layer_norm": None, "layer.1.layer_norm": None}
    inside |= {f"layer.1.DenseReluDense.{name}": width for name in (("wi_0", "wi_1") if gated else ("wi",))}
    inside["layer.1.DenseReluDense.wo"] = settings["d_ff"]
    found = {f"encoder.block.{i}.{name}": size for i in range(settings["num_layers"]) for name, size in inside.items()}
    return found | {"encoder.final_layer_norm": None}


CLIP_NAMES = LayerNames(
    categories=(
        (r"(?:text_model\.)?encoder\.layers\.\d+\.self_attn\.(q|k|v|out)_proj", "attention"),
        (r"(?:text_model\.)?encoder\.layers\.\d+\.mlp\.fc[12]", "mlp"),
    ),
    words=frozenset(
        ["text_model", "encoder", "layers", "self_attn", "q_proj", "k_proj", "v_proj", "out_proj", "mlp", "fc1", "fc2", "layer_norm1", "layer_norm2", "final_layer_norm", "text_projection"]
    ),
    to_file=_with_text_model, block=_block, all_layers=clip_layers,
)  # fmt: skip
PROJECTION = {r"text_encoder_2_(text_model_)?text_projection": "projection of the second text encoder"}
"""A layer that follows the blocks of an OpenCLIP encoder, for `lora_naming.LoraNaming.left_out`."""
T5_NAMES = LayerNames(
    categories=(
        (r"encoder\.block\.\d+\.layer\.0\.SelfAttention\.[qkvo]", "attention"),
        (r"encoder\.block\.\d+\.layer\.1\.DenseReluDense\.w\w+", "mlp"),
    ),
    words=frozenset(["encoder", "block", "layer", "SelfAttention", "DenseReluDense", "q", "k", "v", "o", "wi", "wi_0", "wi_1", "wo", "layer_norm", "final_layer_norm"]),
    block=_block, all_layers=t5_layers,
)  # fmt: skip
