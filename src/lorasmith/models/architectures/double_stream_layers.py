"""The layers of transformers with double and single blocks (Flux.1, and what was made from it) in LoRA files, which have the original
(Black Forest Labs) names.

The original keeps query, key and value in one layer where diffusers has three (and in the single blocks the MLP too), so one name can
stand for several layers: its output rows are theirs, one below the other. Paths here have underscores for dots.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lorasmith.models.lora_naming import LayerNames, Place


@dataclass(frozen=True)
class OriginalLayers:
    """The layers of one transformer. Inside a block: the original's name -> diffusers' layers in row order."""

    double: Mapping[str, tuple[str, ...]]
    single: Mapping[str, tuple[str, ...]]
    ends: Mapping[str, str]
    """Outside the blocks: the original's name -> diffusers'."""
    widths: Mapping[str, int] = field(default_factory=dict)
    """Rows of a layer that shares a name with others, as a multiple of the model's width; 1 where not here: query, key and value."""

    @property
    def _blocks(self) -> dict[str, tuple[str, Mapping[str, tuple[str, ...]]]]:
        return {"transformer_blocks": ("double_blocks", self.double), "single_transformer_blocks": ("single_blocks", self.single)}

    def to_original(self, flat: str, shape: Any = None) -> Place:
        """The original's place of a layer of diffusers; a name of the original's stays as it is."""
        flat = re.sub(r"_(query|key)_norm$", r"\g<0>_scale", flat)
        for original, ours in self.ends.items():
            if flat == ours:
                return Place(original, halves_swapped=flat == "norm_out_linear")
        if m := re.fullmatch(r"((?:single_)?transformer_blocks)_(\d+)_(\w+)", flat):
            block, inside = self._blocks[m[1]]
            for original, layers in inside.items():
                if m[3] in layers:
                    shares = tuple(self.widths.get(layer, 1) for layer in layers)
                    return Place(f"{block}_{m[2]}_{original}", layers.index(m[3]), shares)
        return Place(flat)

    def to_diffusers(self, flat: str, shape: Any = None) -> tuple[str, ...]:
        """diffusers' layers of a name of the original's, in row order."""
        if flat in self.ends:
            return (self.ends[flat],)
        for ours, (block, inside) in self._blocks.items():
            if m := re.fullmatch(rf"{block}_(\d+)_(\w+)", flat):
                return tuple(f"{ours}_{m[1]}_{layer}" for layer in inside.get(m[2], (m[2],)))
        return (flat,)

    def block(self, flat: str, shape: Any = None) -> str | None:
        """DOUBLE00 ..., SINGLE00 ..."""
        found = re.match(r"(double|single)_blocks_(\d+)", self.to_original(flat).name)
        return f"{found[1].upper()}{int(found[2]):02d}" if found else None


ENDS = {
    "img_in": "x_embedder", "txt_in": "context_embedder", "final_layer_linear": "proj_out", "final_layer_adaLN_modulation_1": "norm_out_linear",
}  # fmt: skip
ATTENTION: dict[str, tuple[str, ...]] = {
    "img_attn_qkv": ("attn_to_q", "attn_to_k", "attn_to_v"), "txt_attn_qkv": ("attn_add_q_proj", "attn_add_k_proj", "attn_add_v_proj"),
    "img_attn_proj": ("attn_to_out_0",), "txt_attn_proj": ("attn_to_add_out",),
    "img_attn_norm_query_norm_scale": ("attn_norm_q",), "img_attn_norm_key_norm_scale": ("attn_norm_k",),
    "txt_attn_norm_query_norm_scale": ("attn_norm_added_q",), "txt_attn_norm_key_norm_scale": ("attn_norm_added_k",),
}  # fmt: skip
"""In a double block. The original calls the weight of a norm its scale, and ComfyUI looks for it under that name."""
SINGLE_NORMS: dict[str, tuple[str, ...]] = {"norm_query_norm_scale": ("attn_norm_q",), "norm_key_norm_scale": ("attn_norm_k",)}
"""In a single block."""
NORM_WORDS = frozenset(["norm", "norm_q", "norm_k", "norm_added_q", "norm_added_k", "query_norm", "key_norm", "scale"])
FLUX = OriginalLayers(
    ATTENTION | {
        "img_mlp_0": ("ff_net_0_proj",), "img_mlp_2": ("ff_net_2",), "txt_mlp_0": ("ff_context_net_0_proj",),
        "txt_mlp_2": ("ff_context_net_2",), "img_mod_lin": ("norm1_linear",), "txt_mod_lin": ("norm1_context_linear",),
    },
    SINGLE_NORMS | {
        "linear1": ("attn_to_q", "attn_to_k", "attn_to_v", "proj_mlp"), "linear2": ("proj_out",), "modulation_lin": ("norm_linear",),
    },
    ENDS | {
        f"{ours}_{layer}": f"time_text_embed_{theirs}_linear_{i}"
        for theirs, ours in (("timestep_embedder", "time_in"), ("guidance_embedder", "guidance_in"), ("text_embedder", "vector_in"))
        for i, layer in ((1, "in_layer"), (2, "out_layer"))
    },
    {"proj_mlp": 4},
)  # fmt: skip


DOUBLE_NORMS_OF_DIFFUSERS = dict.fromkeys(("attn.norm_q", "attn.norm_k", "attn.norm_added_q", "attn.norm_added_k"))
SINGLE_NORMS_OF_DIFFUSERS = dict.fromkeys(("attn.norm_q", "attn.norm_k"))


def block_layers(settings: Mapping[str, Any]) -> dict[str, int | None]:
    """The layers inside the blocks of a transformer of diffusers but for their modulation, by its settings; see `LayerNames.all_layers`."""
    width = settings["num_attention_heads"] * settings["attention_head_dim"]
    double: dict[str, int | None] = {f"attn.{name}": width for name in ("to_q", "to_k", "to_v", "to_out.0", "to_add_out")}
    double |= {f"attn.add_{name}_proj": width for name in "qkv"}
    double |= {f"{name}.net.{end}": size for name in ("ff", "ff_context") for end, size in (("0.proj", width), ("2", 4 * width))}
    single: dict[str, int | None] = {f"attn.to_{name}": width for name in "qkv"} | {"proj_mlp": width, "proj_out": 5 * width}
    double, single = double | DOUBLE_NORMS_OF_DIFFUSERS, single | SINGLE_NORMS_OF_DIFFUSERS
    found = {f"transformer_blocks.{i}.{name}": size for i in range(settings["num_layers"]) for name, size in double.items()}
    return found | {
        f"single_transformer_blocks.{i}.{name}": size for i in range(settings["num_single_layers"]) for name, size in single.items()
    }


def transformer_layers(settings: Mapping[str, Any]) -> dict[str, int | None]:
    """The layers of a Flux transformer of diffusers, by its settings; see `LayerNames.all_layers`."""
    width = settings["num_attention_heads"] * settings["attention_head_dim"]
    found = block_layers(settings)
    found |= {f"transformer_blocks.{i}.norm1{side}.linear": width for i in range(settings["num_layers"]) for side in ("", "_context")}
    found |= {f"single_transformer_blocks.{i}.norm.linear": width for i in range(settings["num_single_layers"])}
    found |= {
        "x_embedder": settings["in_channels"],
        "context_embedder": settings["joint_attention_dim"],
        "norm_out.linear": width,
        "proj_out": width,
    }
    inputs = {"timestep": 256, "text": settings["pooled_projection_dim"]} | ({"guidance": 256} if settings["guidance_embeds"] else {})
    for name, size in inputs.items():
        found |= {f"time_text_embed.{name}_embedder.linear_1": size, f"time_text_embed.{name}_embedder.linear_2": width}
    return found


TRANSFORMER_NAMES = LayerNames(
    categories=(
        (r"single_transformer_blocks\.\d+\.(attn\.to_.|proj_mlp|proj_out)", "attention"),
        (r"transformer_blocks\.\d+\.attn\.(to_(q|k|v|out\.0|add_out)|add_._proj)", "attention"),
        (r".*\.ff(_context)?\.net\..*", "mlp"),
        (r".*_blocks\.\d+\.norm\w*\.linear", "frame"),
        # norm_out is left out: its two halves are swapped between diffusers and the original, and not every reader swaps them.
        (r"(x_embedder|context_embedder|time_text_embed\..*|proj_out)", "rest"),
    ),
    words=frozenset(
        ["transformer_blocks", "single_transformer_blocks", "attn", "to_q", "to_k", "to_v", "to_out", "to_add_out", "add_q_proj", "add_k_proj", "add_v_proj", "ff", "ff_context", "net", "proj", "proj_mlp", "proj_out", "norm", "linear", "norm1", "norm1_context", "norm_out", "x_embedder", "context_embedder", "time_text_embed", "timestep_embedder", "guidance_embedder", "text_embedder", "linear_1", "linear_2", "double_blocks", "single_blocks", "img_attn", "txt_attn", "img_mlp", "txt_mlp", "img_mod", "txt_mod", "qkv", "lin", "linear1", "linear2", "modulation", "img_in", "txt_in", "time_in", "vector_in", "guidance_in", "in_layer", "out_layer", "final_layer", "adaLN_modulation", *NORM_WORDS]
    ),
    to_file=FLUX.to_original, to_module=FLUX.to_diffusers, block=FLUX.block, all_layers=transformer_layers,
)  # fmt: skip
