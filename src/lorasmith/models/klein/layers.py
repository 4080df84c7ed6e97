"""The layers of the FLUX.2 transformer in LoRA files, under the original (Black Forest Labs) names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lorasmith.models.architectures.double_stream_layers import (
    ATTENTION,
    DOUBLE_NORMS_OF_DIFFUSERS,
    ENDS,
    NORM_WORDS,
    SINGLE_NORMS,
    SINGLE_NORMS_OF_DIFFUSERS,
    OriginalLayers,
)
from lorasmith.models.lora_naming import LayerNames

_MODULATION = ("double_stream_modulation_img", "double_stream_modulation_txt", "single_stream_modulation")
NAMES = OriginalLayers(
    ATTENTION | {
        "img_mlp_0": ("ff_linear_in",), "img_mlp_2": ("ff_linear_out",), "txt_mlp_0": ("ff_context_linear_in",),
        "txt_mlp_2": ("ff_context_linear_out",),
    },
    SINGLE_NORMS | {"linear1": ("attn_to_qkv_mlp_proj",), "linear2": ("attn_to_out",)},
    ENDS | {f"{of_blocks}_lin": f"{of_blocks}_linear" for of_blocks in _MODULATION} | {
        "time_in_in_layer": "time_guidance_embed_timestep_embedder_linear_1",
        "time_in_out_layer": "time_guidance_embed_timestep_embedder_linear_2",
    },
)  # fmt: skip


def all_layers(settings: Mapping[str, Any]) -> dict[str, int | None]:
    """The layers of a FLUX.2 transformer of diffusers without guidance, by its settings; see `LayerNames.all_layers`."""
    width = settings["num_attention_heads"] * settings["attention_head_dim"]
    inner = int(settings["mlp_ratio"] * width)
    double: dict[str, int | None] = {f"attn.{name}": width for name in ("to_q", "to_k", "to_v", "to_out.0", "to_add_out")}
    double |= {f"attn.add_{name}_proj": width for name in "qkv"}
    double |= {f"{name}.linear_{end}": size for name in ("ff", "ff_context") for end, size in (("in", width), ("out", inner))}
    single: dict[str, int | None] = {"attn.to_qkv_mlp_proj": width, "attn.to_out": width + inner}
    double, single = double | DOUBLE_NORMS_OF_DIFFUSERS, single | SINGLE_NORMS_OF_DIFFUSERS
    found = {f"transformer_blocks.{i}.{name}": size for i in range(settings["num_layers"]) for name, size in double.items()}
    found |= {f"single_transformer_blocks.{i}.{name}": size for i in range(settings["num_single_layers"]) for name, size in single.items()}
    return found | dict.fromkeys((f"{of_blocks}.linear" for of_blocks in _MODULATION), width) | {
        "x_embedder": settings["in_channels"],
        "context_embedder": settings["joint_attention_dim"],
        "norm_out.linear": width,
        "proj_out": width,
        "time_guidance_embed.timestep_embedder.linear_1": settings["timestep_guidance_channels"],
        "time_guidance_embed.timestep_embedder.linear_2": width,
    }  # fmt: skip


TRANSFORMER_NAMES = LayerNames(
    categories=(
        (r"single_transformer_blocks\.\d+\.attn\.to_(qkv_mlp_proj|out)", "attention"),
        (r"transformer_blocks\.\d+\.attn\.(to_(q|k|v|out\.0|add_out)|add_._proj)", "attention"),
        (r"transformer_blocks\.\d+\.ff(_context)?\.linear_(in|out)", "mlp"),
        # norm_out is left out: its two halves are swapped between diffusers and the original, and not every reader swaps them.
        (r"x_embedder|context_embedder|time_guidance_embed\..*|proj_out|\w+_stream_modulation(_img|_txt)?\.linear", "rest"),
    ),
    words=frozenset(
        ["transformer_blocks", "single_transformer_blocks", "attn", "to_q", "to_k", "to_v", "to_out", "to_add_out", "add_q_proj", "add_k_proj", "add_v_proj", "to_qkv_mlp_proj", "ff", "ff_context", "linear_in", "linear_out", "norm_out", "linear", "x_embedder", "context_embedder", "time_guidance_embed", "timestep_embedder", "linear_1", "linear_2", "proj_out", "double_blocks", "single_blocks", "img_attn", "txt_attn", "img_mlp", "txt_mlp", "qkv", "proj", "lin", "linear1", "linear2", "img_in", "txt_in", "time_in", "in_layer", "out_layer", "final_layer", "adaLN_modulation", *NORM_WORDS, *_MODULATION]
    ),
    to_file=NAMES.to_original, to_module=NAMES.to_diffusers, block=NAMES.block, all_layers=all_layers,
)  # fmt: skip
