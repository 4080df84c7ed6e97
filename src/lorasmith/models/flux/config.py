"""Flux.1 at its full size, as data: what a single file does not say about itself.

`dev` was distilled from guidance and is told how much of it there shall be; `schnell` is not, and draws in four steps.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lorasmith.models.family import FamilyDefaults
from lorasmith.models.parts import Part, build_all
from lorasmith.models.sd1 import config as sd1

if TYPE_CHECKING:
    from torch import nn

TRANSFORMER: dict[str, Any] = {
    "patch_size": 1, "in_channels": 64, "num_layers": 19, "num_single_layers": 38, "attention_head_dim": 128, "num_attention_heads": 24,
    "joint_attention_dim": 4096, "pooled_projection_dim": 768, "guidance_embeds": True, "axes_dims_rope": [16, 56, 56],
}  # fmt: skip
TRANSFORMER_SCHNELL: dict[str, Any] = TRANSFORMER | {"guidance_embeds": False}
TEXT_ENCODER: dict[str, Any] = sd1.TEXT_ENCODER
# T5 v1.1 XXL, its encoder.
TEXT_ENCODER_2: dict[str, Any] = {
    "vocab_size": 32128, "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64, "feed_forward_proj": "gated-gelu",
    "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128, "layer_norm_epsilon": 1e-6, "dropout_rate": 0.1,
    "is_encoder_decoder": False, "use_cache": False, "tie_word_embeddings": False, "pad_token_id": 0, "eos_token_id": 1,
}  # fmt: skip
VAE: dict[str, Any] = sd1.VAE | {
    "sample_size": 1024, "latent_channels": 16, "scaling_factor": 0.3611, "shift_factor": 0.1159, "use_quant_conv": False,
    "use_post_quant_conv": False, "force_upcast": True,
}  # fmt: skip
SCHEDULER: Part = ("FlowMatchEulerDiscreteScheduler", {
    "num_train_timesteps": 1000, "shift": 3.0, "use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 1.15,
    "base_image_seq_len": 256, "max_image_seq_len": 4096,
})  # fmt: skip
SCHEDULER_SCHNELL: Part = ("FlowMatchEulerDiscreteScheduler", {**SCHEDULER[1], "shift": 1.0, "use_dynamic_shifting": False})
PIPELINE = "FluxPipeline"
PARTS: dict[str, Part] = {
    "transformer": ("FluxTransformer2DModel", TRANSFORMER),
    "text_encoder": ("CLIPTextModel", TEXT_ENCODER),
    "text_encoder_2": ("T5EncoderModel", TEXT_ENCODER_2),
    "vae": ("AutoencoderKL", VAE),
}
PARTS_SCHNELL: dict[str, Part] = PARTS | {"transformer": ("FluxTransformer2DModel", TRANSFORMER_SCHNELL)}
TOKENIZERS = {"tokenizer": ("CLIPTokenizer", {"pad_token": "<|endoftext|>"}), "tokenizer_2": ("T5Tokenizer", {"pad_token": "<pad>"})}
DEFAULTS = FamilyDefaults(
    resolution=1024, bucket_step=64, bucket_sides=(512, 2048), caption_style="sentences", max_token_lengths=(512, 256),
    denoiser_lr=1e-4, text_encoder_lr=0.0, steps=25, cfg_scale=1.0, guidance=3.5,
)  # fmt: skip
DEFAULTS_SCHNELL = replace(DEFAULTS, max_token_lengths=(256,), steps=4, guidance=None)


def new_parts(schnell: bool = False) -> dict[str, nn.Module]:
    """The parts at full size with fresh weights; within `torch.device("meta")` they take no memory."""
    return build_all(PARTS_SCHNELL if schnell else PARTS)
