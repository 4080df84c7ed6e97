"""Settings of parts at full size that several families share, as data."""

from __future__ import annotations

from typing import Any

from lorasmith.models.parts import SchedulerConfig

CLIP_L: dict[str, Any] = {
    "vocab_size": 49408, "hidden_size": 768, "intermediate_size": 3072, "projection_dim": 768, "num_hidden_layers": 12,
    "num_attention_heads": 12, "max_position_embeddings": 77, "hidden_act": "quick_gelu", "bos_token_id": 49406,
    "eos_token_id": 49407, "pad_token_id": 49407,
}  # fmt: skip
"""The text side of openai/clip-vit-large-patch14."""

VAE: dict[str, Any] = {
    "latent_channels": 4, "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2,
    "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4, "scaling_factor": 0.18215,
}  # fmt: skip
"""The autoencoder of latent diffusion with 8 pixels a latent; sample_size is a family's own."""

DDIM: SchedulerConfig = ("DDIMScheduler", {
    "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False,
    "set_alpha_to_one": False, "steps_offset": 1, "prediction_type": "epsilon",
})  # fmt: skip
"""The schedule that Stable Diffusion was trained with."""

TEXT_LENGTHS = (75, 150, 225)
"""Tokens of a caption that CLIP reads in one, two or three chunks."""
