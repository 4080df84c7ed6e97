"""Krea 2 at its full size, as data: what a single file does not say about itself. Turbo is Raw, distilled to few steps."""

from __future__ import annotations

from typing import Any

from lorasmith.models.architectures import full_size
from lorasmith.models.architectures.parts import QWEN3_VL, VIDEO_AUTOENCODER
from lorasmith.models.krea2.conversion import from_original
from lorasmith.models.parts import Architecture, Part, SchedulerConfig

KREA2_TRANSFORMER = Architecture(
    "Krea2Transformer2DModel", "diffusers", kind="transformer", title="a Krea 2 transformer",
    anchors={"txtfusion.projector.weight": "original", "text_fusion.projector.weight": "diffusers"},
    tables={"original": from_original}, quantizable=True,
    width=("num_attention_heads", "attention_head_dim"),
)  # fmt: skip
TRANSFORMER: dict[str, Any] = {
    "in_channels": 64, "num_layers": 28, "attention_head_dim": 128, "num_attention_heads": 48, "num_key_value_heads": 12,
    "intermediate_size": 16384, "timestep_embed_dim": 256, "text_hidden_dim": 2560, "num_text_layers": 12, "text_num_attention_heads": 20,
    "text_num_key_value_heads": 20, "text_intermediate_size": 6912, "num_layerwise_text_blocks": 2, "num_refiner_text_blocks": 2,
    "axes_dims_rope": [32, 48, 48], "rope_theta": 1000.0, "norm_eps": 1e-5,
}  # fmt: skip
PARTS: dict[str, Part] = {
    "transformer": Part(KREA2_TRANSFORMER, TRANSFORMER),
    "text_encoder": Part(QWEN3_VL, full_size.QWEN3_VL_4B),
    "vae": Part(VIDEO_AUTOENCODER, full_size.VIDEO_VAE),
}
SCHEDULER: SchedulerConfig = ("FlowMatchEulerDiscreteScheduler", {
    "num_train_timesteps": 1000, "shift": 1.0, "use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 1.15, "base_image_seq_len": 256,
    "max_image_seq_len": 6400, "time_shift_type": "exponential",
})  # fmt: skip
