"""Anima at its full sizes, as data: what a single file does not say about itself.

`in_channels` of the transformer are those of the latents and one more, which says where a picture was filled up: diffusers adds that one
by itself (`concat_padding_mask`) and needs torchvision for it. Here the base adds it; the weights are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lorasmith.models.anima.names import from_cosmos
from lorasmith.models.architectures import full_size
from lorasmith.models.architectures.parts import QWEN3, VIDEO_AUTOENCODER
from lorasmith.models.parts import Architecture, Part, SchedulerConfig


def without_padding_mask(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """The transformer's settings with the channel that says where a picture was filled up as one of the latents'."""
    if not settings.get("concat_padding_mask", True):
        return settings
    return {**settings, "in_channels": settings.get("in_channels", 16) + 1, "concat_padding_mask": False}


ANIMA_TRANSFORMER = Architecture(
    "CosmosTransformer3DModel", "diffusers", kind="transformer", title="a Cosmos transformer",
    anchors={"blocks.0.adaln_modulation_self_attn.1.weight": "cosmos", "transformer_blocks.0.norm1.linear_1.weight": "diffusers"},
    tables={"cosmos": from_cosmos}, layouts={"cosmos": "the original (Cosmos-Predict2)"}, quantizable=True,
    width=("num_attention_heads", "attention_head_dim"),
    settings_here=without_padding_mask,
)  # fmt: skip
ANIMA_CONDITIONER = Architecture(
    "AnimaTextConditioner", "diffusers", kind="anima_conditioner", title="Anima's text conditioner",
    anchors={"blocks.0.cross_attn.o_proj.weight": "diffusers"},
)  # fmt: skip
TRANSFORMER: dict[str, Any] = {
    "in_channels": 17, "out_channels": 16, "num_attention_heads": 16, "attention_head_dim": 128, "num_layers": 28, "mlp_ratio": 4.0,
    "text_embed_dim": 1024, "adaln_lora_dim": 256, "max_size": [128, 240, 240], "patch_size": [1, 2, 2], "rope_scale": [1.0, 4.0, 4.0],
    "concat_padding_mask": False, "extra_pos_embed_type": None,
}  # fmt: skip
CONDITIONER: dict[str, Any] = {
    "source_dim": 1024, "target_dim": 1024, "model_dim": 1024, "num_layers": 6, "num_attention_heads": 16, "mlp_ratio": 4.0,
    "target_vocab_size": 32128, "use_self_attention": True, "use_layer_norm": False, "min_sequence_length": 512,
}  # fmt: skip
PARTS: dict[str, Part] = {
    "transformer": Part(ANIMA_TRANSFORMER, TRANSFORMER),
    "text_conditioner": Part(ANIMA_CONDITIONER, CONDITIONER),
    "text_encoder": Part(QWEN3, full_size.QWEN3_06B),
    "vae": Part(VIDEO_AUTOENCODER, full_size.VIDEO_VAE),
}
PARTS_LARGE = PARTS | {"transformer": Part(ANIMA_TRANSFORMER, TRANSFORMER | {"num_layers": 40})}
SCHEDULER: SchedulerConfig = ("FlowMatchEulerDiscreteScheduler", {
    "num_train_timesteps": 1000, "shift": 3.0, "use_dynamic_shifting": False,
})  # fmt: skip
