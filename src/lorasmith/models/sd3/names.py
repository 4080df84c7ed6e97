"""The original (Stability AI) names of the Stable Diffusion 3 transformer, which keeps query, key and value in one layer.

A block of it has two sides, one for the picture and one for the text. Where a modulation is a scale and a shift alone, in the last
block's text side and at the model's end, the original puts the shift above the scale, and diffusers the scale above the shift.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from lorasmith.models.take import Shapes, Take, stacked

OUTSIDE = {
    "pos_embed.proj": "x_embedder.proj", "context_embedder": "context_embedder", "proj_out": "final_layer.linear",
    "norm_out.linear": "final_layer.adaLN_modulation.1",
    "time_text_embed.timestep_embedder.linear_1": "t_embedder.mlp.0", "time_text_embed.timestep_embedder.linear_2": "t_embedder.mlp.2",
    "time_text_embed.text_embedder.linear_1": "y_embedder.mlp.0", "time_text_embed.text_embedder.linear_2": "y_embedder.mlp.2",
}  # fmt: skip
"""diffusers' modules outside the blocks -> the original's."""
INSIDE = {
    "norm1.linear": "x_block.adaLN_modulation.1", "norm1_context.linear": "context_block.adaLN_modulation.1",
    "attn.norm_q": "x_block.attn.ln_q", "attn.norm_k": "x_block.attn.ln_k", "attn.to_out.0": "x_block.attn.proj",
    "attn.norm_added_q": "context_block.attn.ln_q", "attn.norm_added_k": "context_block.attn.ln_k", "attn.to_add_out": "context_block.attn.proj",
    "attn2.norm_q": "x_block.attn2.ln_q", "attn2.norm_k": "x_block.attn2.ln_k", "attn2.to_out.0": "x_block.attn2.proj",
    "ff.net.0.proj": "x_block.mlp.fc1", "ff.net.2": "x_block.mlp.fc2",
    "ff_context.net.0.proj": "context_block.mlp.fc1", "ff_context.net.2": "context_block.mlp.fc2",
}  # fmt: skip
"""In a block."""
FUSED = {
    "x_block.attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"), "x_block.attn2.qkv": ("attn2.to_q", "attn2.to_k", "attn2.to_v"),
    "context_block.attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
}  # fmt: skip
"""In a block: the original's layer -> diffusers', in row order."""
PAIRS = ("norm_out.linear", "norm1_context.linear")
"""Modulations that are a scale and a shift, the second one in the last block alone."""
_FIRST = {layers[0]: (theirs, layers) for theirs, layers in FUSED.items()}


def from_original(shapes: Shapes, keys: Collection[str]) -> dict[str, Take]:
    """Where each tensor of diffusers' Stable Diffusion 3 transformer is in a file with the original names."""
    takes: dict[str, Take] = {}
    for name, shape in shapes.items():
        module, _, kind = name.rpartition(".")
        found = re.fullmatch(r"transformer_blocks\.(\d+)\.(.+)", module)
        if name == "pos_embed.pos_embed":
            takes[name] = Take("pos_embed")
        elif found is None:
            takes[name] = Take(f"{OUTSIDE[module]}.{kind}", halves_swapped=module in PAIRS)
        elif found[2] in _FIRST:
            layer, group = _FIRST[found[2]]
            of_file, of_module = f"joint_blocks.{found[1]}", f"transformer_blocks.{found[1]}"
            takes |= stacked(f"{of_file}.{layer}.{kind}", shapes, [f"{of_module}.{one}.{kind}" for one in group])
        elif found[2] in INSIDE:
            swapped = found[2] in PAIRS and shape[0] == 2 * shapes["context_embedder.bias"][0]
            takes[name] = Take(f"joint_blocks.{found[1]}.{INSIDE[found[2]]}.{kind}", halves_swapped=swapped)
    return takes
