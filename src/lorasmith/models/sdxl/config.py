"""Stable Diffusion XL (and Pony, Illustrious, NoobAI) at its full size, as data: what a single file does not say about itself."""

from __future__ import annotations

from lorasmith.models.architectures import full_size
from lorasmith.models.architectures.parts import AUTOENCODER_KL, CLIP_TEXT, CLIP_TEXT_WITH_PROJECTION, UNET
from lorasmith.models.parts import Part

PARTS: dict[str, Part] = {
    "unet": Part(UNET, {
        "sample_size": 128, "in_channels": 4, "out_channels": 4, "block_out_channels": [320, 640, 1280], "layers_per_block": 2,
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        "cross_attention_dim": 2048, "attention_head_dim": [5, 10, 20], "transformer_layers_per_block": [1, 2, 10],
        "use_linear_projection": True, "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    }),
    "text_encoder": Part(CLIP_TEXT, full_size.CLIP_L),
    "text_encoder_2": Part(CLIP_TEXT_WITH_PROJECTION, full_size.CLIP_G),
    "vae": Part(AUTOENCODER_KL, full_size.VAE | {"sample_size": 1024, "scaling_factor": 0.13025, "force_upcast": True}),
}  # fmt: skip
SCHEDULER = full_size.DDIM
