"""Stable Diffusion XL (and Pony, Illustrious, NoobAI) at its full size, as data: what a single file does not say about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lorasmith.models.family import FamilyDefaults
from lorasmith.models.parts import Part, build_all
from lorasmith.models.sd1 import config as sd1

if TYPE_CHECKING:
    from torch import nn

UNET: dict[str, Any] = {
    "sample_size": 128, "in_channels": 4, "out_channels": 4, "block_out_channels": [320, 640, 1280], "layers_per_block": 2,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "cross_attention_dim": 2048, "attention_head_dim": [5, 10, 20], "transformer_layers_per_block": [1, 2, 10],
    "use_linear_projection": True, "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}  # fmt: skip
TEXT_ENCODER: dict[str, Any] = sd1.TEXT_ENCODER
# OpenCLIP ViT-bigG, with the projection that gives the pooled state.
TEXT_ENCODER_2: dict[str, Any] = {
    "vocab_size": 49408, "hidden_size": 1280, "intermediate_size": 5120, "projection_dim": 1280, "num_hidden_layers": 32,
    "num_attention_heads": 20, "max_position_embeddings": 77, "hidden_act": "gelu", "bos_token_id": 49406,
    "eos_token_id": 49407, "pad_token_id": 0,
}  # fmt: skip
VAE: dict[str, Any] = sd1.VAE | {"sample_size": 1024, "scaling_factor": 0.13025, "force_upcast": True}
SCHEDULER: Part = sd1.SCHEDULER
PIPELINE = "StableDiffusionXLPipeline"
PARTS: dict[str, Part] = {
    "unet": ("UNet2DConditionModel", UNET),
    "text_encoder": ("CLIPTextModel", TEXT_ENCODER),
    "text_encoder_2": ("CLIPTextModelWithProjection", TEXT_ENCODER_2),
    "vae": ("AutoencoderKL", VAE),
}
TOKENIZERS = {
    "tokenizer": ("CLIPTokenizer", {"pad_token": "<|endoftext|>"}),
    "tokenizer_2": ("CLIPTokenizer", {"pad_token": "!"}),
}
DEFAULTS = FamilyDefaults(
    resolution=1024, bucket_step=64, bucket_sides=(512, 2048), caption_style="sentences", max_token_lengths=(75, 150, 225),
    denoiser_lr=5e-5, text_encoder_lr=5e-6, steps=25, cfg_scale=6.0,
)  # fmt: skip


def new_parts() -> dict[str, nn.Module]:
    """The parts at full size with fresh weights; within `torch.device("meta")` they take no memory."""
    return build_all(PARTS)
