"""The layers of Anima's transformer in LoRA files, which have the original (Cosmos-Predict2) names. Paths here have underscores for dots."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lorasmith.models.anima.names import IN_BLOCK, WHOLE
from lorasmith.models.lora_naming import LayerNames, Place


def _flat(names: Mapping[str, str]) -> dict[str, str]:
    return {ours.replace(".", "_"): original.replace(".", "_") for ours, original in names.items()}


_ENDS, _INSIDE = _flat(WHOLE), _flat(IN_BLOCK)
_ENDS_BACK, _INSIDE_BACK = ({original: ours for ours, original in names.items()} for names in (_ENDS, _INSIDE))


def to_original(flat: str, shape: Any = None) -> Place:
    """The original's place of a layer of diffusers; a name of the original's stays as it is."""
    found = re.fullmatch(r"transformer_blocks_(\d+)_(\w+)", flat)
    return Place(f"blocks_{found[1]}_{_INSIDE.get(found[2], found[2])}" if found else _ENDS.get(flat, flat))


def to_diffusers(flat: str, shape: Any = None) -> tuple[str, ...]:
    """diffusers' layer of a name of the original's."""
    found = re.fullmatch(r"blocks_(\d+)_(\w+)", flat)
    return (f"transformer_blocks_{found[1]}_{_INSIDE_BACK.get(found[2], found[2])}" if found else _ENDS_BACK.get(flat, flat),)


def block(flat: str, shape: Any = None) -> str | None:
    """BLOCK00 ..."""
    found = re.match(r"(?:transformer_)?blocks_(\d+)_", flat)
    return f"BLOCK{int(found[1]):02d}" if found else None


def transformer_layers(settings: Mapping[str, Any]) -> dict[str, int | None]:
    """The layers of Anima's transformer, by its settings; see `LayerNames.all_layers`."""
    width, text, modulation = (
        settings["num_attention_heads"] * settings["attention_head_dim"],
        settings["text_embed_dim"],
        settings["adaln_lora_dim"],
    )
    inside: dict[str, int | None] = {f"attn1.{name}": width for name in ("to_q", "to_k", "to_v", "to_out.0")}
    inside |= {"attn2.to_q": width, "attn2.to_k": text, "attn2.to_v": text, "attn2.to_out.0": width}
    inside |= {"ff.net.0.proj": width, "ff.net.2": int(width * settings["mlp_ratio"])}
    inside |= dict.fromkeys(f"attn{number}.norm_{of}" for number in (1, 2) for of in "qk")
    inside |= {f"norm{number}.linear_{i}": size for number in (1, 2, 3) for i, size in ((1, width), (2, modulation))}
    found = {f"transformer_blocks.{i}.{name}": size for i in range(settings["num_layers"]) for name, size in inside.items()}
    return found | {
        "patch_embed.proj": 4 * settings["in_channels"], "time_embed.t_embedder.linear_1": width, "time_embed.t_embedder.linear_2": width,
        "norm_out.linear_1": width, "norm_out.linear_2": modulation, "proj_out": width,
        "time_embed.norm": None,
    }  # fmt: skip


TRANSFORMER_NAMES = LayerNames(
    categories=(
        (r"transformer_blocks\.\d+\.attn[12]\.to_(q|k|v|out\.0)", "attention"),
        (r"transformer_blocks\.\d+\.ff\.net\.(0\.proj|2)", "mlp"),
        (r"(transformer_blocks\.\d+\.norm[123]\.linear_[12]|patch_embed\.proj|time_embed\..*|norm_out\.linear_[12]|proj_out)", "rest"),
    ),
    words=frozenset(
        ["transformer_blocks", "attn1", "attn2", "to_q", "to_k", "to_v", "to_out", "ff", "net", "proj", "norm1", "norm2", "norm3", "linear_1", "linear_2", "patch_embed", "time_embed", "t_embedder", "norm_out", "proj_out", "blocks", "self_attn", "cross_attn", "q_proj", "k_proj", "v_proj", "output_proj", "mlp", "layer1", "layer2", "adaln_modulation_self_attn", "adaln_modulation_cross_attn", "adaln_modulation_mlp", "adaln_modulation", "x_embedder", "final_layer", "linear", "norm_q", "norm_k", "q_norm", "k_norm", "norm", "t_embedding_norm"]
    ),
    to_file=to_original, to_module=to_diffusers, block=block, all_layers=transformer_layers,
)  # fmt: skip
