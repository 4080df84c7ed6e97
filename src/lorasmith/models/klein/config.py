"""FLUX.2 klein at its full sizes, as data: what a single file does not say about itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lorasmith.models.architectures import autoencoder_names, full_size
from lorasmith.models.architectures.parts import AUTOENCODER_KL, QWEN3
from lorasmith.models.klein.names import TRANSFORMER, autoencoder_from_original
from lorasmith.models.parts import Architecture, Part, SchedulerConfig

FLUX2_TRANSFORMER = Architecture(
    "Flux2Transformer2DModel", "diffusers", kind="transformer", title="a FLUX.2 transformer",
    anchors={"double_stream_modulation_img.lin.weight": "bfl", "double_stream_modulation_img.linear.weight": "diffusers"},
    tables={"bfl": TRANSFORMER.takes}, layouts={"bfl": "the original (Black Forest Labs)"}, quantizable=True,
    width=("num_attention_heads", "attention_head_dim"),
)  # fmt: skip
FLUX2_AUTOENCODER = replace(
    AUTOENCODER_KL, class_name="AutoencoderKLFlux2", title="an autoencoder (VAE) of FLUX.2", sign=r"(^|\.)bn\.running_mean$",
    tables={"ldm": autoencoder_from_original, "diffusers": autoencoder_names.from_diffusers},
)  # fmt: skip


def transformer(blocks: int, single_blocks: int, heads: int, text_width: int) -> dict[str, Any]:
    """The settings of one size."""
    return {
        "patch_size": 1, "in_channels": 128, "num_layers": blocks, "num_single_layers": single_blocks, "attention_head_dim": 128,
        "num_attention_heads": heads, "joint_attention_dim": text_width, "timestep_guidance_channels": 256, "mlp_ratio": 3.0,
        "axes_dims_rope": [32, 32, 32, 32], "rope_theta": 2000, "eps": 1e-6, "guidance_embeds": False,
    }  # fmt: skip


VAE: dict[str, Any] = {
    "latent_channels": 32, "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2, "sample_size": 1024,
    "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4, "patch_size": [2, 2], "batch_norm_eps": 1e-4,
    "use_quant_conv": True, "use_post_quant_conv": True,
}  # fmt: skip
PARTS_4B: dict[str, Part] = {
    "transformer": Part(FLUX2_TRANSFORMER, transformer(5, 20, 24, 3 * 2560)),
    "text_encoder": Part(QWEN3, full_size.QWEN3_4B),
    "vae": Part(FLUX2_AUTOENCODER, VAE),
}
PARTS_9B: dict[str, Part] = PARTS_4B | {
    "transformer": Part(FLUX2_TRANSFORMER, transformer(8, 24, 32, 3 * 4096)),
    "text_encoder": Part(QWEN3, full_size.QWEN3_8B),
}
SCHEDULER: SchedulerConfig = (
    "FlowMatchEulerDiscreteScheduler",
    {"num_train_timesteps": 1000, "shift": 1.0, "use_dynamic_shifting": True, "time_shift_type": "exponential"},
)
