"""Stable Diffusion 1.x at its full size, as data: what a single file does not say about itself."""

from __future__ import annotations

from lorasmith.models.architectures import full_size
from lorasmith.models.architectures.parts import AUTOENCODER_KL, CLIP_TEXT, UNET
from lorasmith.models.parts import Part

PARTS: dict[str, Part] = {
    "unet": Part(UNET, {
        "sample_size": 64, "in_channels": 4, "out_channels": 4, "block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2,
        "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
        "cross_attention_dim": 768, "attention_head_dim": 8,
    }),
    "text_encoder": Part(CLIP_TEXT, full_size.CLIP_L),
    "vae": Part(AUTOENCODER_KL, full_size.VAE | {"sample_size": 512}),
}  # fmt: skip
SCHEDULER = full_size.DDIM
