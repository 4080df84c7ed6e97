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

CLIP_G: dict[str, Any] = {
    "vocab_size": 49408, "hidden_size": 1280, "intermediate_size": 5120, "projection_dim": 1280, "num_hidden_layers": 32,
    "num_attention_heads": 20, "max_position_embeddings": 77, "hidden_act": "gelu", "bos_token_id": 49406, "eos_token_id": 49407,
    "pad_token_id": 0,
}  # fmt: skip
"""The text side of OpenCLIP ViT-bigG, with the projection that gives the pooled state."""

VAE: dict[str, Any] = {
    "latent_channels": 4, "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2,
    "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4, "scaling_factor": 0.18215,
}  # fmt: skip
"""The autoencoder of latent diffusion with 8 pixels a latent; sample_size is a family's own."""

VIDEO_VAE: dict[str, Any] = {
    "base_dim": 96, "z_dim": 16, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_scales": [], "temperal_downsample": [False, True, True],
    "dropout": 0.0, "input_channels": 3,
    "latents_mean": [
        -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508, 0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503,
        -0.2921,
    ],
    "latents_std": [
        2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743, 3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.916,
    ],
}  # fmt: skip
"""The autoencoder of Wan 2.1, which is that of Qwen-Image too: 8 pixels a latent."""

FLUX_VAE: dict[str, Any] = VAE | {
    "sample_size": 1024, "latent_channels": 16, "scaling_factor": 0.3611, "shift_factor": 0.1159, "use_quant_conv": False,
    "use_post_quant_conv": False, "force_upcast": True,
}  # fmt: skip
"""The autoencoder of Flux.1, which later families use as well."""

T5_XXL: dict[str, Any] = {
    "vocab_size": 32128, "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64,
    "feed_forward_proj": "gated-gelu", "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128,
    "layer_norm_epsilon": 1e-6, "dropout_rate": 0.1, "is_encoder_decoder": False, "use_cache": False, "tie_word_embeddings": False,
    "pad_token_id": 0, "eos_token_id": 1,
}  # fmt: skip
"""The encoder of T5 v1.1 XXL."""

DDIM: SchedulerConfig = ("DDIMScheduler", {
    "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False,
    "set_alpha_to_one": False, "steps_offset": 1, "prediction_type": "epsilon",
})  # fmt: skip
"""The schedule that Stable Diffusion was trained with."""

TEXT_LENGTHS = (75, 150, 225)
"""Tokens of a caption that CLIP reads in one, two or three chunks."""


def _qwen(width: int, feed_forward: int, layers: int, heads: int, theta: float) -> dict[str, Any]:
    """A language model of Qwen 3 at one of its sizes."""
    return {
        "vocab_size": 151936, "hidden_size": width, "intermediate_size": feed_forward, "num_hidden_layers": layers,
        "num_attention_heads": heads, "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 40960, "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "default", "rope_theta": theta},
    }  # fmt: skip


QWEN3_06B: dict[str, Any] = _qwen(1024, 3072, 28, 16, 1e6)
QWEN3_4B: dict[str, Any] = _qwen(2560, 9728, 36, 32, 1e6)
QWEN3_8B: dict[str, Any] = _qwen(4096, 12288, 36, 32, 1e6)
QWEN3_VL_4B: dict[str, Any] = _qwen(2560, 9728, 36, 32, 5e6) | {
    "max_position_embeddings": 262144,
    "rope_parameters": {"rope_type": "default", "rope_theta": 5e6, "mrope_section": [24, 20, 20], "mrope_interleaved": True},
}
"""The text side of Qwen3-VL 4B."""
QWEN2_5_VL_7B: dict[str, Any] = {
    "vocab_size": 152064, "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
    "num_key_value_heads": 4, "max_position_embeddings": 128000, "rms_norm_eps": 1e-6,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
}  # fmt: skip
"""The text side of Qwen2.5-VL 7B."""
