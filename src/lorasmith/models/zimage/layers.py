"""The layers of the Z-Image transformer in LoRA files: diffusers' names, except for the picture's way in and out.

Some files keep query, key and value in one layer, as the original does. Paths here have underscores for dots.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lorasmith.models.architectures.next_dit_names import block
from lorasmith.models.lora_naming import LayerNames, Place

_ENDS = {"all_x_embedder_2-1": "x_embedder", "all_final_layer_2-1": "final_layer"}
_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
MODULATION = 256
"""Numbers of the timestep that the layers' modulation reads, of larger models."""


def to_file(flat: str, shape: Any = None) -> Place:
    """The place of a layer by its name in diffusers or in the original."""
    for ours, theirs in _ENDS.items():
        flat = re.sub(rf"^{ours}(?=_|$)", theirs, flat)
    flat = re.sub(r"attention_([qk])_norm$", r"attention_norm_\1", flat)
    return Place(re.sub(r"attention_out$", "attention_to_out_0", flat))


def to_module(flat: str, shape: Any = None) -> tuple[str, ...]:
    """diffusers' layers of a name in a file, in row order."""
    if flat.endswith("attention_qkv"):
        return tuple(f"{flat.removesuffix('qkv')}to_{one}" for one in "qkv")
    for ours, theirs in _ENDS.items():
        flat = re.sub(rf"^{theirs}(?=_|$)", ours, flat)
    return (flat,)


def transformer_layers(settings: Mapping[str, Any]) -> dict[str, int | None]:
    """The layers of a Z-Image transformer of diffusers, by its settings; see `LayerNames.all_layers`."""
    width, modulation = settings["dim"], min(settings["dim"], MODULATION)
    inside: dict[str, int | None] = {f"attention.{name}": width for name in _ATTENTION}
    inside |= {"feed_forward.w1": width, "feed_forward.w3": width, "feed_forward.w2": int(width / 3 * 8)}
    inside |= dict.fromkeys(("attention.norm_q", "attention.norm_k", "attention_norm1", "attention_norm2", "ffn_norm1", "ffn_norm2"))
    refiners = range(settings["n_refiner_layers"])
    blocks = {f"layers.{i}": True for i in range(settings["n_layers"])}
    blocks |= {f"noise_refiner.{i}": True for i in refiners} | {f"context_refiner.{i}": False for i in refiners}
    found = {f"{path}.{name}": size for path in blocks for name, size in inside.items()}
    found |= {f"{path}.adaLN_modulation.0": modulation for path, modulated in blocks.items() if modulated}
    return found | {
        "all_x_embedder.2-1": 4 * settings["in_channels"], "all_final_layer.2-1.linear": width,
        "all_final_layer.2-1.adaLN_modulation.1": modulation, "cap_embedder.0": None,
        "cap_embedder.1": settings["cap_feat_dim"],
        "t_embedder.mlp.0": 256, "t_embedder.mlp.2": 1024,
    }  # fmt: skip


TRANSFORMER_NAMES = LayerNames(
    categories=(
        (r"layers\.\d+\.attention\.to_(q|k|v|out\.0)", "attention"),
        (r"layers\.\d+\.feed_forward\.w[123]", "mlp"),
        (r"(noise|context)_refiner\.\d+\.(attention|feed_forward)\..*", "rest"),
        (r".*\.adaLN_modulation\.\d|all_x_embedder\.2-1|all_final_layer\.2-1\.linear|(cap|t)_embedder\..*", "rest"),
    ),
    words=frozenset(
        ["layers", "noise_refiner", "context_refiner", "attention", "to_q", "to_k", "to_v", "to_out", "qkv", "norm_q", "norm_k", "feed_forward", "w1", "w2", "w3", "attention_norm1", "attention_norm2", "ffn_norm1", "ffn_norm2", "adaLN_modulation", "x_embedder", "final_layer", "all_x_embedder", "all_final_layer", "2-1", "linear", "cap_embedder", "t_embedder", "mlp"]
    ),
    to_file=to_file, to_module=to_module, block=block, all_layers=transformer_layers,
)  # fmt: skip
