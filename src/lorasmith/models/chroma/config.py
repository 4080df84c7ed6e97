"""Chroma at its full size, as data: what a single file does not say about itself."""

from __future__ import annotations

from typing import Any

from lorasmith.models.architectures import full_size
from lorasmith.models.architectures.parts import AUTOENCODER_KL, T5
from lorasmith.models.chroma.names import from_original
from lorasmith.models.parts import Architecture, Part, SchedulerConfig

CHROMA_TRANSFORMER = Architecture(
    "ChromaTransformer2DModel", "diffusers", kind="transformer", title="a Chroma transformer",
    # Those of Flux.1, whose blocks it has; what tells them apart is in `family`.
    anchors={"double_blocks.0.img_attn.qkv.weight": "bfl", "single_transformer_blocks.0.attn.to_q.weight": "diffusers"},
    tables={"bfl": from_original}, layouts={"bfl": "the original"}, quantizable=True,
    width=("num_attention_heads", "attention_head_dim"),
)  # fmt: skip
TRANSFORMER: dict[str, Any] = {
    "patch_size": 1, "in_channels": 64, "num_layers": 19, "num_single_layers": 38, "attention_head_dim": 128, "num_attention_heads": 24,
    "joint_attention_dim": 4096, "axes_dims_rope": [16, 56, 56], "approximator_num_channels": 64, "approximator_hidden_dim": 5120,
    "approximator_layers": 5,
}  # fmt: skip
PARTS: dict[str, Part] = {
    "transformer": Part(CHROMA_TRANSFORMER, TRANSFORMER),
    "text_encoder": Part(T5, full_size.T5_XXL),
    "vae": Part(AUTOENCODER_KL, full_size.FLUX_VAE),
}
SCHEDULER: SchedulerConfig = (
    "FlowMatchEulerDiscreteScheduler",
    {"num_train_timesteps": 1000, "shift": 1.0, "use_dynamic_shifting": False},
)
