"""The layers of the Qwen-Image transformer in LoRA files. Its authors published it with diffusers' names, and all files have those."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lorasmith.models.lora_naming import LayerNames

_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0", "to_add_out", "add_q_proj", "add_k_proj", "add_v_proj")


def block(flat: str, shape: Any = None) -> str | None:
    """BLOCK00 ..."""
    found = re.match(r"transformer_blocks_(\d+)_", flat)
    return f"BLOCK{int(found[1]):02d}" if found else None


def transformer_layers(settings: Mapping[str, Any]) -> dict[str, int | None]:
    """The layers of a Qwen-Image transformer, by its settings; see `LayerNames.all_layers`."""
    width = settings["num_attention_heads"] * settings["attention_head_dim"]
    inside: dict[str, int | None] = {f"attn.{name}": width for name in _ATTENTION}
    inside |= dict.fromkeys(f"attn.norm_{of}" for of in ("q", "k", "added_q", "added_k"))
    for stream in ("img", "txt"):
        inside |= {f"{stream}_mod.1": width, f"{stream}_mlp.net.0.proj": width, f"{stream}_mlp.net.2": 4 * width}
    found = {f"transformer_blocks.{i}.{name}": size for i in range(settings["num_layers"]) for name, size in inside.items()}
    return found | {
        "img_in": settings["in_channels"], "txt_in": settings["joint_attention_dim"], "norm_out.linear": width, "proj_out": width,
        "txt_norm": None,
        "time_text_embed.timestep_embedder.linear_1": 256, "time_text_embed.timestep_embedder.linear_2": width,
    }  # fmt: skip


TRANSFORMER_NAMES = LayerNames(
    categories=(
        (r"transformer_blocks\.\d+\.attn\.(to_(q|k|v|out\.0|add_out)|add_._proj)", "attention"),
        (r"transformer_blocks\.\d+\.(img|txt)_mlp\.net\.(0\.proj|2)", "mlp"),
        (r"transformer_blocks\.\d+\.(img|txt)_mod\.1", "frame"),
        (r"(img_in|txt_in|time_text_embed\..*|norm_out\.linear|proj_out)", "rest"),
    ),
    words=frozenset(
        ["transformer_blocks", "attn", "to_q", "to_k", "to_v", "to_out", "to_add_out", "add_q_proj", "add_k_proj", "add_v_proj", "img_mlp", "txt_mlp", "net", "proj", "img_mod", "txt_mod", "img_in", "txt_in", "time_text_embed", "timestep_embedder", "linear_1", "linear_2", "norm_out", "linear", "proj_out", "norm_q", "norm_k", "norm_added_q", "norm_added_k", "txt_norm"]
    ),
    block=block, all_layers=transformer_layers,
)  # fmt: skip
