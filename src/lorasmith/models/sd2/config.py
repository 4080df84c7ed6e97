"""Stable Diffusion 2.x at its full size, as data: what a single file does not say about itself.

The settings are those of 2.1 at 768 pixels; the "base" models (512 pixels) predict epsilon and are the same otherwise.
"""

from __future__ import annotations

from lorasmith.models.architectures import full_size
from lorasmith.models.architectures.parts import AUTOENCODER_KL, CLIP_TEXT, UNET
from lorasmith.models.parts import Part, SchedulerConfig

PARTS: dict[str, Part] = {
    "unet": Part(UNET, {
        "sample_size": 96, "in_channels": 4, "out_channels": 4, "block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2,
        "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
        "cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20], "use_linear_projection": True, "upcast_attention": True,
    }),
    # OpenCLIP ViT-H without its last layer: the penultimate state is what the U-Net reads.
    "text_encoder": Part(CLIP_TEXT, {
        "vocab_size": 49408, "hidden_size": 1024, "intermediate_size": 4096, "projection_dim": 512, "num_hidden_layers": 23,
        "num_attention_heads": 16, "max_position_embeddings": 77, "hidden_act": "gelu", "bos_token_id": 49406,
        "eos_token_id": 49407, "pad_token_id": 0,
    }),
    "vae": Part(AUTOENCODER_KL, full_size.VAE | {"sample_size": 768}),
}  # fmt: skip
SCHEDULER: SchedulerConfig = ("DDIMScheduler", {**full_size.DDIM[1], "prediction_type": "v_prediction"})
