"""Stable Diffusion 3 and 3.5 at their full sizes, as data: what a single file does not say about itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from lorasmith.models.architectures import full_size
from lorasmith.models.architectures.parts import AUTOENCODER_KL, CLIP_TEXT, CLIP_TEXT_WITH_PROJECTION, T5
from lorasmith.models.parts import Architecture, Part, SchedulerConfig
from lorasmith.models.sd3.names import from_original

SD3_TRANSFORMER = Architecture(
    "SD3Transformer2DModel", "diffusers", kind="transformer", title="a Stable Diffusion 3 transformer",
    anchors={"joint_blocks.0.context_block.attn.qkv.weight": "original", "pos_embed.pos_embed": "diffusers"},
    tables={"original": from_original}, layouts={"original": "the original (Stability AI)"}, quantizable=True, buffers_in_files=True,
    width=("num_attention_heads", "attention_head_dim"),
)  # fmt: skip
# The pooled state of CLIP-L is read without a projection. Folders have one that changes nothing, for which files have no room.
CLIP_L = replace(CLIP_TEXT, in_folder=CLIP_TEXT_WITH_PROJECTION)
VAE: dict[str, Any] = full_size.FLUX_VAE | {"scaling_factor": 1.5305, "shift_factor": 0.0609}


def _transformer(layers: int, places: int, qk_norm: str | None, two_attentions: Iterable[int] = ()) -> dict[str, Any]:
    """One size: as many heads as layers, and `places` patches on each side of the largest picture."""
    return {
        "sample_size": 128, "patch_size": 2, "in_channels": 16, "out_channels": 16, "num_layers": layers, "attention_head_dim": 64,
        "num_attention_heads": layers, "joint_attention_dim": 4096, "caption_projection_dim": 64 * layers, "pooled_projection_dim": 2048,
        "pos_embed_max_size": places, "dual_attention_layers": list(two_attentions), "qk_norm": qk_norm,
    }  # fmt: skip


def _parts(transformer: dict[str, Any]) -> dict[str, Part]:
    return {
        "transformer": Part(SD3_TRANSFORMER, transformer),
        "text_encoder": Part(CLIP_L, full_size.CLIP_L),
        "text_encoder_2": Part(CLIP_TEXT_WITH_PROJECTION, full_size.CLIP_G),
        "text_encoder_3": Part(T5, full_size.T5_XXL),
        "vae": Part(AUTOENCODER_KL, VAE),
    }


MEDIUM = _parts(_transformer(24, 384, "rms_norm", range(13)))
LARGE = _parts(_transformer(38, 192, "rms_norm"))
FIRST_MEDIUM = _parts(_transformer(24, 192, None))
"""Stable Diffusion 3 medium of June 2024."""
SCHEDULER: SchedulerConfig = ("FlowMatchEulerDiscreteScheduler", {
    "num_train_timesteps": 1000, "shift": 3.0, "use_dynamic_shifting": False,
})  # fmt: skip
