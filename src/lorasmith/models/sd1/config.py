"""Stable Diffusion 1.x at its full size, as data: what a single file does not say about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lorasmith.models.family import FamilyDefaults
from lorasmith.models.parts import Part, build_all

if TYPE_CHECKING:
    from torch import nn

UNET: dict[str, Any] = {
    "sample_size": 64, "in_channels": 4, "out_channels": 4, "block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2,
    "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
    "cross_attention_dim": 768, "attention_head_dim": 8,
}  # fmt: skip
# CLIP-L (openai/clip-vit-large-patch14), its text side.
TEXT_ENCODER: dict[str, Any] = {
    "vocab_size": 49408, "hidden_size": 768, "intermediate_size": 3072, "projection_dim": 768, "num_hidden_layers": 12,
    "num_attention_heads": 12, "max_position_embeddings": 77, "hidden_act": "quick_gelu", "bos_token_id": 49406,
    "eos_token_id": 49407, "pad_token_id": 49407,
}  # fmt: skip
VAE: dict[str, Any] = {
    "sample_size": 512, "latent_channels": 4, "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2,
    "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4, "scaling_factor": 0.18215,
}  # fmt: skip
SCHEDULER: Part = ("DDIMScheduler", {
    "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False,
    "set_alpha_to_one": False, "steps_offset": 1, "prediction_type": "epsilon",
})  # fmt: skip
PIPELINE = "StableDiffusionPipeline"
PARTS: dict[str, Part] = {
    "unet": ("UNet2DConditionModel", UNET),
    "text_encoder": ("CLIPTextModel", TEXT_ENCODER),
    "vae": ("AutoencoderKL", VAE),
}
# Tokenizer -> token that fills a caption up.
TOKENIZERS = {"tokenizer": ("CLIPTokenizer", {"pad_token": "<|endoftext|>"})}
DEFAULTS = FamilyDefaults(
    resolution=512, bucket_step=64, bucket_sides=(256, 1024), caption_style="sentences", max_token_lengths=(75, 150, 225),
    denoiser_lr=1e-4, text_encoder_lr=5e-5, steps=20, cfg_scale=7.0,
)  # fmt: skip


def new_parts() -> dict[str, nn.Module]:
    """The parts at full size with fresh weights; within `torch.device("meta")` they take no memory."""
    return build_all(PARTS)
