"""Stable Diffusion 2.x at its full size, as data: what a single file does not say about itself.

The settings are those of 2.1 at 768 pixels; the "base" models (512 pixels) predict epsilon and are the same otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lorasmith.models.family import FamilyDefaults
from lorasmith.models.parts import Part, build_all
from lorasmith.models.sd1 import config as sd1

if TYPE_CHECKING:
    from torch import nn

UNET: dict[str, Any] = sd1.UNET | {
    "sample_size": 96, "cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20], "use_linear_projection": True,
    "upcast_attention": True,
}  # fmt: skip
# OpenCLIP ViT-H without its last layer: the penultimate state is what the U-Net reads.
TEXT_ENCODER: dict[str, Any] = {
    "vocab_size": 49408, "hidden_size": 1024, "intermediate_size": 4096, "projection_dim": 512, "num_hidden_layers": 23,
    "num_attention_heads": 16, "max_position_embeddings": 77, "hidden_act": "gelu", "bos_token_id": 49406,
    "eos_token_id": 49407, "pad_token_id": 0,
}  # fmt: skip
VAE: dict[str, Any] = sd1.VAE | {"sample_size": 768}
SCHEDULER: Part = ("DDIMScheduler", {**sd1.SCHEDULER[1], "prediction_type": "v_prediction"})
PIPELINE = "StableDiffusionPipeline"
PARTS: dict[str, Part] = {
    "unet": ("UNet2DConditionModel", UNET),
    "text_encoder": ("CLIPTextModel", TEXT_ENCODER),
    "vae": ("AutoencoderKL", VAE),
}
TOKENIZERS = {"tokenizer": ("CLIPTokenizer", {"pad_token": "!"})}
DEFAULTS = FamilyDefaults(
    resolution=768, bucket_step=64, bucket_sides=(384, 1536), caption_style="sentences", max_token_lengths=(75, 150, 225),
    denoiser_lr=1e-4, text_encoder_lr=5e-5, steps=20, cfg_scale=7.0,
)  # fmt: skip


def new_parts() -> dict[str, nn.Module]:
    """The parts at full size with fresh weights; within `torch.device("meta")` they take no memory."""
    return build_all(PARTS)
