"""Flux.1 at its full size, as data: what a single file does not say about itself.

`dev` was distilled from guidance and has an input for it; `schnell` has none, and generates in four steps.
"""

from __future__ import annotations

from typing import Any

from lorasmith.models.architectures import full_size
from lorasmith.models.architectures.double_stream_names import from_bfl
from lorasmith.models.architectures.parts import AUTOENCODER_KL, CLIP_TEXT, T5
from lorasmith.models.parts import Architecture, Part, SchedulerConfig

FLUX_TRANSFORMER = Architecture(
    "FluxTransformer2DModel", "diffusers", kind="transformer", title="a Flux transformer",
    anchors={"double_blocks.0.img_attn.qkv.weight": "bfl", "single_transformer_blocks.0.attn.to_q.weight": "diffusers"},
    tables={"bfl": from_bfl}, layouts={"bfl": "the original (Black Forest Labs)"}, quantizable=True,
    width=("num_attention_heads", "attention_head_dim"),
)  # fmt: skip
TRANSFORMER: dict[str, Any] = {
    "patch_size": 1, "in_channels": 64, "num_layers": 19, "num_single_layers": 38, "attention_head_dim": 128, "num_attention_heads": 24,
    "joint_attention_dim": 4096, "pooled_projection_dim": 768, "guidance_embeds": True, "axes_dims_rope": [16, 56, 56],
}  # fmt: skip
PARTS: dict[str, Part] = {
    "transformer": Part(FLUX_TRANSFORMER, TRANSFORMER),
    "text_encoder": Part(CLIP_TEXT, full_size.CLIP_L),
    "text_encoder_2": Part(T5, full_size.T5_XXL),
    "vae": Part(AUTOENCODER_KL, full_size.FLUX_VAE),
}
PARTS_SCHNELL = PARTS | {"transformer": Part(FLUX_TRANSFORMER, TRANSFORMER | {"guidance_embeds": False})}
SCHEDULER: SchedulerConfig = ("FlowMatchEulerDiscreteScheduler", {
    "num_train_timesteps": 1000, "shift": 3.0, "use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 1.15,
    "base_image_seq_len": 256, "max_image_seq_len": 4096,
})  # fmt: skip
SCHEDULER_SCHNELL: SchedulerConfig = ("FlowMatchEulerDiscreteScheduler", {**SCHEDULER[1], "shift": 1.0, "use_dynamic_shifting": False})
