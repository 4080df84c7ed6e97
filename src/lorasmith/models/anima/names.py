"""The original (Cosmos-Predict2) names of Anima's transformer: diffusers' path of a layer <-> the path in a single file."""

from __future__ import annotations

import re
from collections.abc import Collection

from lorasmith.models.take import Shapes, Take

WHOLE = {
    "patch_embed.proj": "x_embedder.proj.1", "time_embed.t_embedder.linear_1": "t_embedder.1.linear_1",
    "time_embed.t_embedder.linear_2": "t_embedder.1.linear_2", "time_embed.norm": "t_embedding_norm",
    "norm_out.linear_1": "final_layer.adaln_modulation.1", "norm_out.linear_2": "final_layer.adaln_modulation.2", "proj_out": "final_layer.linear",
}  # fmt: skip
_ATTENTION = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out.0": "output_proj", "norm_q": "q_norm", "norm_k": "k_norm"}
IN_BLOCK = {
    **{f"attn1.{ours}": f"self_attn.{theirs}" for ours, theirs in _ATTENTION.items()},
    **{f"attn2.{ours}": f"cross_attn.{theirs}" for ours, theirs in _ATTENTION.items()},
    "ff.net.0.proj": "mlp.layer1", "ff.net.2": "mlp.layer2",
    **{
        f"norm{number}.linear_{i}": f"adaln_modulation_{of}.{i}"
        for number, of in ((1, "self_attn"), (2, "cross_attn"), (3, "mlp"))
        for i in (1, 2)
    },
}  # fmt: skip


def from_cosmos(shapes: Shapes, keys: Collection[str]) -> dict[str, Take]:
    """Where each tensor of diffusers' CosmosTransformer3DModel is in a file with the original names."""
    takes = {}
    for name in shapes:
        module, _, kind = name.rpartition(".")
        inside = re.fullmatch(r"transformer_blocks\.(\d+)\.(.+)", module)
        takes[name] = Take(f"blocks.{inside[1]}.{IN_BLOCK[inside[2]]}.{kind}" if inside else f"{WHOLE[module]}.{kind}")
    return takes
