"""The parts that several families are made of: U-Net, autoencoder, and text encoders. See `models.parts.Architecture`.

A part that one family alone has is in that family's folder.
"""

from __future__ import annotations

from dataclasses import replace

from lorasmith.models.architectures import autoencoder_names, text_encoder_names, unet_names, video_autoencoder_names
from lorasmith.models.parts import Architecture

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
