"""The parts that several families are made of: U-Net, autoencoder, and text encoders. See `models.parts.Architecture`.

A part that one family alone has is in that family's folder.
"""

from __future__ import annotations

from dataclasses import replace

from lorasmith.models.architectures import autoencoder_names, text_encoder_names, unet_names, video_autoencoder_names
from lorasmith.models.parts import Architecture, Width

UNET = Architecture(
    "UNet2DConditionModel", "diffusers", kind="unet", title="a U-Net",
    anchors={"time_embed.0.weight": "ldm", "time_embedding.linear_1.weight": "diffusers"},
    tables={"ldm": unet_names.from_ldm}, layouts={"ldm": "the original (LDM)"}, quantizable=True,
)  # fmt: skip
AUTOENCODER_KL = Architecture(
    "AutoencoderKL", "diffusers", kind="vae", title="an autoencoder (VAE)",
    anchors={"encoder.down.0.block.0.norm1.weight": "ldm", "encoder.down_blocks.0.resnets.0.norm1.weight": "diffusers"},
    tables={"ldm": autoencoder_names.from_ldm, "diffusers": autoencoder_names.from_diffusers},
)  # fmt: skip
VIDEO_AUTOENCODER = Architecture(
    "AutoencoderKLQwenImage", "diffusers", kind="video_vae", title="an autoencoder (VAE) for videos",
    anchors={"decoder.middle.0.residual.0.gamma": "wan", "decoder.mid_block.resnets.0.norm1.gamma": "diffusers"},
    tables={"wan": video_autoencoder_names.from_wan}, layouts={"wan": "the original (Wan)"},
)  # fmt: skip
"""AutoencoderKLWan is the same model under another name."""
CLIP_TEXT = Architecture(
    "CLIPTextModel", "transformers", kind="clip", title="a CLIP text encoder", config_class="CLIPTextConfig",
    anchors={"embeddings.token_embedding.weight": "transformers", "token_embedding.weight": "open_clip"}, inner_prefix="text_model.",
    tables={"open_clip": text_encoder_names.from_open_clip, "transformers": text_encoder_names.from_transformers},
    folder_names="transformers",
)  # fmt: skip
CLIP_TEXT_WITH_PROJECTION = replace(CLIP_TEXT, class_name="CLIPTextModelWithProjection")
T5 = Architecture(
    "T5EncoderModel", "transformers", kind="t5", title="a T5 text encoder", config_class="T5Config",
    anchors={"encoder.block.0.layer.0.SelfAttention.q.weight": "transformers"},
    tables={"transformers": text_encoder_names.from_transformers}, folder_names="transformers", quantizable=True,
)  # fmt: skip
QWEN3 = Architecture(
    "Qwen3Model", "transformers", kind="qwen3", title="a Qwen3 language model", config_class="Qwen3Config",
    anchors={"layers.0.self_attn.q_norm.weight": "transformers"}, folder_names="transformers", quantizable=True,
    width=Width("embed_tokens.weight", "hidden_size", {1024: "Qwen3 0.6B", 2560: "Qwen3 4B", 4096: "Qwen3 8B"}),
)  # fmt: skip
QWEN3_VL = replace(
    QWEN3, class_name="Qwen3VLTextModel", config_class="Qwen3VLTextConfig", title="a Qwen3-VL language model", settings_within="text_config",
    width=Width("embed_tokens.weight", "hidden_size", {2560: "Qwen3-VL 4B", 4096: "Qwen3-VL 8B"}),
)  # fmt: skip
"""The text side of Qwen3-VL; nothing but its settings tells it from Qwen3. What it sees with is left out."""
QWEN2_5_VL = Architecture(
    "Qwen2_5_VLTextModel", "transformers", kind="qwen2.5", title="a Qwen2.5-VL language model", config_class="Qwen2_5_VLTextConfig",
    anchors={"layers.0.self_attn.q_proj.bias": "transformers"}, beside="layers.0.mlp.gate_proj.weight", folder_names="transformers",
    quantizable=True, settings_within="text_config",
    width=Width("embed_tokens.weight", "hidden_size", {3584: "Qwen2.5-VL 7B"}),
)  # fmt: skip
"""The text side of Qwen2.5-VL."""
