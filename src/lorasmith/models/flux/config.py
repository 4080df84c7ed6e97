"""Flux.1 at its full size, as data: what a single file does not say about itself.

`dev` was distilled from guidance and has an input for it; `schnell` has none, and generates in four steps.
"""

from __future__ import annotations

from typing import Any

from lorasmith.models.architectures import full_size
from lorasmith.models.architectures.parts import AUTOENCODER_KL, CLIP_TEXT, T5
from lorasmith.models.flux.conversion import from_bfl
from lorasmith.models.parts import Architecture, Part, SchedulerConfig

FLUX_TRANSFORMER = Architecture(
    "FluxTransformer2DModel", "diffusers", kind="transformer", title="a Flux transformer",
    anchors={"double_blocks.0.img_attn.qkv.weight": "bfl", "single_transformer_blocks.0.attn.to_q.weight": "diffusers"},
    tables={"bfl": from_bfl}, layouts={"bfl": "the original (Black Forest Labs)"}, quantizable=True,
)  # fmt: skip
TRANSFORMER: dict[str, Any] = {
    "patch_size": 1, "in_channels": 64, "num_layers": 19, "num_single_layers": 38, "attention_head_dim": 128, "num_attention_heads": 24,
    "joint_attention_dim": 4096, "pooled_projection_dim": 768, "guidance_embeds": True, "axes_dims_rope": [16, 56, 56],
}  # fmt: skip
PARTS: dict[str, Part] = {
    "transformer": Part(FLUX_TRANSFORMER, TRANSFORMER),
    "text_encoder": Part(CLIP_TEXT, full_size.CLIP_L),
    # T5 v1.1 XXL, its encoder.
    "text_encoder_2": Part(T5, {
        "vocab_size": 32128, "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64,
        "feed_forward_proj": "gated-gelu", "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128,
        "layer_norm_epsilon": 1e-6, "dropout_rate": 0.1, "is_encoder_decoder": False, "use_cache": False, "tie_word_embeddings": False,
        "pad_token_id": 0, "eos_token_id": 1,
    }),
    "vae": Part(AUTOENCODER_KL, full_size.VAE | {
        "sample_size": 1024, "latent_channels": 16, "scaling_factor": 0.3611, "shift_factor": 0.1159, "use_quant_conv": False,
        "use_post_quant_conv": False, "force_upcast": True,
    }),
}  # fmt: skip
PARTS_SCHNELL = PARTS | {"transformer": Part(FLUX_TRANSFORMER, TRANSFORMER | {"guidance_embeds": False})}
SCHEDULER: SchedulerConfig = ("FlowMatchEulerDiscreteScheduler", {
    "num_train_timesteps": 1000, "shift": 3.0, "use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 1.15,
    "base_image_seq_len": 256, "max_image_seq_len": 4096,
})  # fmt: skip
SCHEDULER_SCHNELL: SchedulerConfig = ("FlowMatchEulerDiscreteScheduler", {**SCHEDULER[1], "shift": 1.0, "use_dynamic_shifting": False})
