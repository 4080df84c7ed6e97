"""The original (Black Forest Labs) names of transformers with double and single blocks: of Flux.1, and of what was made from it.

The original keeps query, key and value in one layer, in Flux.1's single blocks together with the first layer of the MLP; diffusers has
them apart. In the last modulation the original puts the shift above the scale, and diffusers the scale above the shift.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from lorasmith.models.take import Shapes, Take, stacked


@dataclass(frozen=True)
class OriginalNames:
    """diffusers' modules -> the original's; those inside a block without the block."""

    outside: Mapping[str, str]
    in_double: Mapping[str, str]
    in_single: Mapping[str, str]
    fused: Mapping[tuple[str, str], tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    """Layers whose rows are one below the other in a layer of the original: (block, the first of them) -> (it, all of them)."""

    def takes(self, shapes: Shapes, keys: Collection[str]) -> dict[str, Take]:
        """Where each tensor of diffusers' transformer is in a file with the original names."""
        blocks = {"transformer_blocks": ("double_blocks", self.in_double), "single_transformer_blocks": ("single_blocks", self.in_single)}
        found: dict[str, Take] = {}
        for name in shapes:
            module, _, kind = name.rpartition(".")
            if module in self.outside:
                found[name] = Take(f"{self.outside[module]}.{kind}", halves_swapped=module == "norm_out.linear")
                continue
            block, i, inside = module.split(".", 2)
            theirs, table = blocks[block]
            if (block, inside) in self.fused:
                layer, group = self.fused[block, inside]
                found |= stacked(f"{theirs}.{i}.{layer}.{kind}", shapes, [f"{block}.{i}.{one}.{kind}" for one in group])
            elif inside in table:
                # The norms of query and key call their weight a scale.
                found[name] = Take(f"{theirs}.{i}.{table[inside]}.{'scale' if table[inside].endswith('_norm') else kind}")
        return found


ENDS = {
    "x_embedder": "img_in",
    "context_embedder": "txt_in",
    "proj_out": "final_layer.linear",
    "norm_out.linear": "final_layer.adaLN_modulation.1",
}
ATTENTION = {
    "attn.norm_q": "img_attn.norm.query_norm", "attn.norm_k": "img_attn.norm.key_norm", "attn.norm_added_q": "txt_attn.norm.query_norm",
    "attn.norm_added_k": "txt_attn.norm.key_norm", "attn.to_out.0": "img_attn.proj", "attn.to_add_out": "txt_attn.proj",
}  # fmt: skip
"""In a double block."""
FUSED = {
    ("transformer_blocks", "attn.to_q"): ("img_attn.qkv", ("attn.to_q", "attn.to_k", "attn.to_v")),
    ("transformer_blocks", "attn.add_q_proj"): ("txt_attn.qkv", ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj")),
}
"""The attention of double blocks."""

FLUX = OriginalNames(
    ENDS | {
        f"time_text_embed.{theirs}.linear_{i}": f"{ours}.{layer}"
        for theirs, ours in (("timestep_embedder", "time_in"), ("text_embedder", "vector_in"), ("guidance_embedder", "guidance_in"))
        for i, layer in ((1, "in_layer"), (2, "out_layer"))
    },
    ATTENTION | {
        "norm1.linear": "img_mod.lin", "norm1_context.linear": "txt_mod.lin", "ff.net.0.proj": "img_mlp.0", "ff.net.2": "img_mlp.2",
        "ff_context.net.0.proj": "txt_mlp.0", "ff_context.net.2": "txt_mlp.2",
    },
    {"norm.linear": "modulation.lin", "attn.norm_q": "norm.query_norm", "attn.norm_k": "norm.key_norm", "proj_out": "linear2"},
    FUSED | {("single_transformer_blocks", "attn.to_q"): ("linear1", ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"))},
)  # fmt: skip


def from_bfl(shapes: Shapes, keys: Collection[str]) -> dict[str, Take]:
    """Where each tensor of diffusers' Flux.1 transformer is in a file with the original names."""
    return FLUX.takes(shapes, keys)
