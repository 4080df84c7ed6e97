"""The layers of the Krea 2 transformer in LoRA files, which have the original names. Paths here have underscores for dots."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lorasmith.models.krea2.names import ENDS, INSIDE, OTHERS, STACKS
from lorasmith.models.lora_naming import LayerNames, Place


def _flat(names: Mapping[str, str]) -> dict[str, str]:
    return {ours.replace(".", "_"): theirs.replace(".", "_") for ours, theirs in names.items()}


def _renamed(flat: str, stacks: Mapping[str, str], inside: Mapping[str, str], ends: Mapping[str, str]) -> str:
    """A path with other words; one that has none of them stays as it is."""
    for stack, theirs in stacks.items():
        if (found := re.fullmatch(rf"{stack}_(\d+)_(\w+)", flat)) and found[2] in inside:
            return f"{theirs}_{found[1]}_{inside[found[2]]}"
    return ends.get(flat, flat)


_NORMS = {ours.removesuffix(".weight"): theirs for ours, theirs in OTHERS.items() if ours.endswith(".weight")}
_TO_FILE = (_flat(STACKS), _flat(INSIDE | _NORMS), _flat(ENDS | _NORMS))
_STACKS_BACK, _INSIDE_BACK, _ENDS_BACK = ({theirs: ours for ours, theirs in table.items()} for table in _TO_FILE)


def to_file(flat: str, shape: Any = None) -> Place:
    """The original's name of a layer of diffusers; that of a norm ends as its weight is called there."""
    flat = re.sub(r"((^|_)(pre|post|[qk])norm|last_norm|txtmlp_0)$", r"\g<0>_scale", flat)
    return Place(_renamed(flat, *_TO_FILE))


def to_module(flat: str, shape: Any = None) -> tuple[str, ...]:
    """diffusers' layer of a name of the original's."""
    return (_renamed(flat, _STACKS_BACK, _INSIDE_BACK, _ENDS_BACK),)


def block(flat: str, shape: Any = None) -> str | None:
    """BLOCK00 ..."""
    found = re.match(r"(?:transformer_)?blocks_(\d+)_", flat)
    return f"BLOCK{int(found[1]):02d}" if found else None


def transformer_layers(settings: Mapping[str, Any]) -> dict[str, int | None]:
    """The layers of a Krea 2 transformer of diffusers, by its settings; see `LayerNames.all_layers`."""
    width, text = settings["num_attention_heads"] * settings["attention_head_dim"], settings["text_hidden_dim"]
    stacks = {
        "transformer_blocks": (settings["num_layers"], width, settings["intermediate_size"]),
        "text_fusion.layerwise_blocks": (settings["num_layerwise_text_blocks"], text, settings["text_intermediate_size"]),
        "text_fusion.refiner_blocks": (settings["num_refiner_text_blocks"], text, settings["text_intermediate_size"]),
    }
    found: dict[str, int | None] = {
        f"{stack}.{i}.{name}": inner if name == "ff.down" else outer
        for stack, (count, outer, inner) in stacks.items()
        for i in range(count)
        for name in INSIDE
    }
    found |= {
        f"{stack}.{i}.{name}": None
        for stack, (count, *_) in stacks.items()
        for i in range(count)
        for name in ("norm1", "norm2", "attn.norm_q", "attn.norm_k")
    }
    return found | {
        "img_in": settings["in_channels"], "final_layer.linear": width, "time_embed.linear_1": settings["timestep_embed_dim"],
        "time_embed.linear_2": width, "time_mod_proj": width, "txt_in.linear_1": text, "txt_in.linear_2": width,
        "text_fusion.projector": settings["num_text_layers"],
        "txt_in.norm": None, "final_layer.norm": None,
    }  # fmt: skip


TRANSFORMER_NAMES = LayerNames(
    categories=(
        (r"transformer_blocks\.\d+\.attn\.(to_(q|k|v|out\.0|gate))", "attention"),
        (r"transformer_blocks\.\d+\.ff\.(gate|up|down)", "mlp"),
        # Its authors train these as well.
        (r"text_fusion\..*|img_in|final_layer\.linear|time_embed\..*|time_mod_proj|txt_in\..*", "frame"),
    ),
    words=frozenset(
        ["transformer_blocks", "blocks", "text_fusion", "txtfusion", "layerwise_blocks", "refiner_blocks", "attn", "to_q", "to_k", "to_v", "to_out", "to_gate", "wq", "wk", "wv", "wo", "ff", "mlp", "gate", "up", "down", "projector", "img_in", "first", "final_layer", "last", "linear", "time_embed", "tmlp", "linear_1", "linear_2", "time_mod_proj", "tproj", "txt_in", "txtmlp", "norm", "norm1", "norm2", "norm_q", "norm_k", "prenorm", "postnorm", "qknorm", "qnorm", "knorm", "scale"]
    ),
    to_file=to_file, to_module=to_module, block=block, all_layers=transformer_layers,
)  # fmt: skip
