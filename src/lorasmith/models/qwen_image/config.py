"""Qwen-Image at its full size, as data: what a single file does not say about itself."""

from __future__ import annotations

from typing import Any

from lorasmith.models.architectures import full_size
from lorasmith.models.architectures.parts import QWEN2_5_VL, VIDEO_AUTOENCODER
from lorasmith.models.parts import Architecture, Part, SchedulerConfig

QWEN_IMAGE_TRANSFORMER = Architecture(
    "QwenImageTransformer2DModel", "diffusers", kind="transformer", title="a Qwen-Image transformer",
    anchors={"transformer_blocks.0.img_mod.1.weight": "diffusers"}, layouts={"diffusers": "its authors'"}, quantizable=True,
    width=("num_attention_heads", "attention_head_dim"),
)  # fmt: skip
TRANSFORMER: dict[str, Any] = {
    "patch_size": 2, "in_channels": 64, "out_channels": 16, "num_layers": 60, "attention_head_dim": 128, "num_attention_heads": 24,
    "joint_attention_dim": 3584, "guidance_embeds": False, "axes_dims_rope": [16, 56, 56],
}  # fmt: skip
PARTS: dict[str, Part] = {
    "transformer": Part(QWEN_IMAGE_TRANSFORMER, TRANSFORMER),
    "text_encoder": Part(QWEN2_5_VL, full_size.QWEN2_5_VL_7B),
    "vae": Part(VIDEO_AUTOENCODER, full_size.VIDEO_VAE),
}
SCHEDULER: SchedulerConfig = ("FlowMatchEulerDiscreteScheduler", {
    "num_train_timesteps": 1000, "shift": 1.0, "use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 0.9, "base_image_seq_len": 256,
    "max_image_seq_len": 8192, "shift_terminal": 0.02,
})  # fmt: skip
