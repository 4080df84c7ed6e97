"""The original (Black Forest Labs) names of the FLUX.2 transformer and of its autoencoder.

The single blocks have one layer for query, key, value and MLP in both. Modulation is computed once for all blocks.
"""

from __future__ import annotations

from collections.abc import Collection

from lorasmith.models.architectures import autoencoder_names
from lorasmith.models.architectures.double_stream_names import ATTENTION, ENDS, FUSED, OriginalNames
from lorasmith.models.take import Shapes, Take

TRANSFORMER = OriginalNames(
    ENDS | {
        "time_guidance_embed.timestep_embedder.linear_1": "time_in.in_layer",
        "time_guidance_embed.timestep_embedder.linear_2": "time_in.out_layer",
        **{
            f"{of_blocks}.linear": f"{of_blocks}.lin"
            for of_blocks in ("double_stream_modulation_img", "double_stream_modulation_txt", "single_stream_modulation")
        },
    },
    ATTENTION | {
        "ff.linear_in": "img_mlp.0", "ff.linear_out": "img_mlp.2", "ff_context.linear_in": "txt_mlp.0", "ff_context.linear_out": "txt_mlp.2",
    },
    {
        "attn.to_qkv_mlp_proj": "linear1", "attn.to_out": "linear2", "attn.norm_q": "norm.query_norm", "attn.norm_k": "norm.key_norm",
    },
    FUSED,
)  # fmt: skip

_INSIDE = {"quant_conv": "encoder.quant_conv", "post_quant_conv": "decoder.post_quant_conv"}


def autoencoder_from_original(shapes: Shapes, keys: Collection[str]) -> dict[str, Take]:
    """Where each tensor of the autoencoder is in a file with the original names; two convolutions may be in encoder and decoder there."""
    takes = autoencoder_names.from_ldm(shapes, keys)
    for name in shapes:
        module, _, kind = name.rpartition(".")
        if module in _INSIDE and name not in keys:
            takes[name] = Take(f"{_INSIDE[module]}.{kind}")
    return takes
