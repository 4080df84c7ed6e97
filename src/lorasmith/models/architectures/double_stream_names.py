"""The original (Black Forest Labs) names of transformers with double and single blocks: of Flux.1, and of what was made from it.

The original keeps query, key and value in one layer, in the single blocks together with the first layer of the MLP; diffusers has
them apart. In the last modulation the original puts the shift above the scale, and diffusers the scale above the shift.
"""

from __future__ import annotations

from collections.abc import Collection

from lorasmith.models.take import Shapes, Take, stacked

_WHOLE = {
    "x_embedder": "img_in", "context_embedder": "txt_in", "proj_out": "final_layer.linear", "norm_out.linear": "final_layer.adaLN_modulation.1",
    **{
        f"time_text_embed.{theirs}.linear_{i}": f"{ours}.{layer}"
        for theirs, ours in (("timestep_embedder", "time_in"), ("text_embedder", "vector_in"), ("guidance_embedder", "guidance_in"))
        for i, layer in ((1, "in_layer"), (2, "out_layer"))
    },
}  # fmt: skip
_IN_DOUBLE = {
    "norm1.linear": "img_mod.lin", "norm1_context.linear": "txt_mod.lin", "attn.norm_q": "img_attn.norm.query_norm",
    "attn.norm_k": "img_attn.norm.key_norm", "attn.norm_added_q": "txt_attn.norm.query_norm", "attn.norm_added_k": "txt_attn.norm.key_norm",
    "attn.to_out.0": "img_attn.proj", "attn.to_add_out": "txt_attn.proj", "ff.net.0.proj": "img_mlp.0", "ff.net.2": "img_mlp.2",
    "ff_context.net.0.proj": "txt_mlp.0", "ff_context.net.2": "txt_mlp.2",
}  # fmt: skip
_IN_SINGLE = {
    "norm.linear": "modulation.lin", "attn.norm_q": "norm.query_norm", "attn.norm_k": "norm.key_norm", "proj_out": "linear2",
}  # fmt: skip
# The layers whose rows are one below the other in a layer of the original: the first of them -> (it, all of them).
_FUSED = {
    ("transformer_blocks", "attn.to_q"): ("img_attn.qkv", ("attn.to_q", "attn.to_k", "attn.to_v")),
    ("transformer_blocks", "attn.add_q_proj"): ("txt_attn.qkv", ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj")),
    ("single_transformer_blocks", "attn.to_q"): ("linear1", ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")),
}
_BLOCKS = {"transformer_blocks": ("double_blocks", _IN_DOUBLE), "single_transformer_blocks": ("single_blocks", _IN_SINGLE)}


def from_bfl(shapes: Shapes, keys: Collection[str]) -> dict[str, Take]:
    """Where each tensor of diffusers' transformer is in a file with the original names."""
    takes: dict[str, Take] = {}
    for name in shapes:
        module, _, kind = name.rpartition(".")
        if module in _WHOLE:
            takes[name] = Take(f"{_WHOLE[module]}.{kind}", halves_swapped=module == "norm_out.linear")
            continue
        blocks, i, inside = module.split(".", 2)
        theirs, table = _BLOCKS[blocks]
        if (blocks, inside) in _FUSED:
            layer, group = _FUSED[blocks, inside]
            takes |= stacked(f"{theirs}.{i}.{layer}.{kind}", shapes, [f"{blocks}.{i}.{one}.{kind}" for one in group])
        elif inside in table:
            # The norms of query and key call their weight a scale.
            takes[name] = Take(f"{theirs}.{i}.{table[inside]}.{'scale' if table[inside].endswith('_norm') else kind}")
    return takes
