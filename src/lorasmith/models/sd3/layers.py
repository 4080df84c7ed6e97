"""The layers of the Stable Diffusion 3 transformer in LoRA files, which have diffusers' names: nothing else loads in ComfyUI and diffusers.

Files of sd-scripts have the original names, with query, key and value in one layer. Paths here have underscores for dots.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lorasmith.models.lora_naming import LayerNames, Place
from lorasmith.models.sd3.names import FUSED, INSIDE, OUTSIDE, PAIRS


def _flat(path: str) -> str:
    return path.replace(".", "_")


_INSIDE = {_flat(theirs): _flat(ours) for ours, theirs in INSIDE.items()}
_OUTSIDE = {_flat(theirs): _flat(ours) for ours, theirs in OUTSIDE.items()}
_FUSED = {_flat(theirs): tuple(map(_flat, ours)) for theirs, ours in FUSED.items()}
_PAIRS = frozenset(map(_flat, PAIRS))


def _in_block(flat: str) -> tuple[str, str]:
    """The number of a block of the original's, and the path in it; empty outside the blocks."""
    found = re.fullmatch(r"joint_blocks_(\d+)_(\w+)", flat)
    return (found[1], found[2]) if found else ("", "")


def to_file(flat: str, shape: Any = None) -> Place:
    """diffusers' name of a layer; one that holds several of diffusers' keeps its own."""
    number, inside = _in_block(flat)
    if inside in _INSIDE:
        return Place(f"transformer_blocks_{number}_{_INSIDE[inside]}", halves_swapped=_INSIDE[inside] in _PAIRS)
    if flat in _OUTSIDE:
        return Place(_OUTSIDE[flat], halves_swapped=_OUTSIDE[flat] in _PAIRS)
    return Place(flat)


def to_module(flat: str, shape: Any = None) -> tuple[str, ...]:
    """diffusers' layers of a name in a file, in row order."""
    number, inside = _in_block(flat)
    if inside in _FUSED:
        return tuple(f"transformer_blocks_{number}_{one}" for one in _FUSED[inside])
    return (to_file(flat).name,)


def block(flat: str, shape: Any = None) -> str | None:
    """BLOCK00 ..."""
    found = re.match(r"(?:transformer|joint)_blocks_(\d+)_", flat)
    return f"BLOCK{int(found[1]):02d}" if found else None


def transformer_layers(settings: Mapping[str, Any]) -> dict[str, int | None]:
    """The layers of a Stable Diffusion 3 transformer of diffusers, by its settings; see `LayerNames.all_layers`."""
    width, blocks = settings["num_attention_heads"] * settings["attention_head_dim"], settings["num_layers"]
    own: dict[str, int | None] = {f"attn.{name}": width for name in ("to_q", "to_k", "to_v", "to_out.0")}
    own |= {f"attn.add_{name}_proj": width for name in "qkv"} | {"norm1.linear": width, "norm1_context.linear": width}
    own |= {"ff.net.0.proj": width, "ff.net.2": 4 * width}
    text: dict[str, int | None] = {"attn.to_add_out": width, "ff_context.net.0.proj": width, "ff_context.net.2": 4 * width}
    second: dict[str, int | None] = {f"attn2.{name}": width for name in ("to_q", "to_k", "to_v", "to_out.0")}
    if settings.get("qk_norm"):
        own |= dict.fromkeys(f"attn.norm_{of}" for of in ("q", "k", "added_q", "added_k"))
        second |= dict.fromkeys(f"attn2.norm_{of}" for of in "qk")
    found: dict[str, int | None] = {}
    for i in range(blocks):
        inside = own | (text if i < blocks - 1 else {}) | (second if i in settings["dual_attention_layers"] else {})
        found |= {f"transformer_blocks.{i}.{name}": size for name, size in inside.items()}
    for name, size in (("timestep", 256), ("text", settings["pooled_projection_dim"])):
        found |= {f"time_text_embed.{name}_embedder.linear_1": size, f"time_text_embed.{name}_embedder.linear_2": width}
    return found | {
        "pos_embed.proj": settings["in_channels"], "context_embedder": settings["joint_attention_dim"], "norm_out.linear": width,
        "proj_out": width,
    }  # fmt: skip


TRANSFORMER_NAMES = LayerNames(
    categories=(
        (r"transformer_blocks\.\d+\.attn2?\.(to_(q|k|v|out\.0|add_out)|add_._proj)", "attention"),
        (r"transformer_blocks\.\d+\.ff(_context)?\.net\.(0\.proj|2)", "mlp"),
        # norm_out is left out: its two halves are swapped between diffusers and the original, and not every reader swaps them.
        (r"transformer_blocks\.\d+\.norm1(_context)?\.linear|pos_embed\.proj|time_text_embed\..*|context_embedder|proj_out", "rest"),
    ),
    words=frozenset(
        ["transformer_blocks", "joint_blocks", "x_block", "context_block", "attn", "attn2", "to_q", "to_k", "to_v", "to_out", "to_add_out", "add_q_proj", "add_k_proj", "add_v_proj", "qkv", "proj", "norm_q", "norm_k", "norm_added_q", "norm_added_k", "ln_q", "ln_k", "ff", "ff_context", "net", "mlp", "fc1", "fc2", "norm1", "norm1_context", "norm_out", "linear", "adaLN_modulation", "pos_embed", "context_embedder", "proj_out", "time_text_embed", "timestep_embedder", "text_embedder", "linear_1", "linear_2", "x_embedder", "y_embedder", "t_embedder", "final_layer"]
    ),
    to_file=to_file, to_module=to_module, block=block, all_layers=transformer_layers,
)  # fmt: skip
