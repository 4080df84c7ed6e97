"""The parts that several families are made of: U-Net, autoencoder, and text encoders. See `models.parts.Architecture`.

A part that one family alone has is in that family's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lorasmith.models.architectures import autoencoder_names, text_encoder_names, unet_names, video_autoencoder_names
from lorasmith.models.parts import Architecture, Size

UNET = Architecture(
    "UNet2DConditionModel", "diffusers", kind="unet", title="a U-Net",
    anchors={"time_embed.0.weight": "ldm", "time_embedding.linear_1.weight": "diffusers"},
    tables={"ldm": unet_names.from_ldm}, layouts={"ldm": "the original (LDM)"}, quantizable=True, width=("block_out_channels",),
)  # fmt: skip
AUTOENCODER_KL = Architecture(
    "AutoencoderKL", "diffusers", kind="vae", title="an autoencoder (VAE)",
    anchors={"encoder.down.0.block.0.norm1.weight": "ldm", "encoder.down_blocks.0.resnets.0.norm1.weight": "diffusers"},
    tables={"ldm": autoencoder_names.from_ldm, "diffusers": autoencoder_names.from_diffusers},
    sizes=(Size(("decoder.conv_in.weight",), 1, "latent_channels", "with {} channels of latents"),),
)  # fmt: skip
VIDEO_AUTOENCODER = Architecture(
    "AutoencoderKLQwenImage", "diffusers", kind="video_vae", title="an autoencoder (VAE) for videos",
    anchors={"decoder.middle.0.residual.0.gamma": "wan", "decoder.mid_block.resnets.0.norm1.gamma": "diffusers"},
    tables={"wan": video_autoencoder_names.from_wan}, layouts={"wan": "the original (Wan)"},
    sizes=(Size(("conv2.weight", "post_quant_conv.weight"), 1, "z_dim", "with {} channels of latents"),),
)  # fmt: skip
"""AutoencoderKLWan is the same model under another name."""
CLIP_TEXT = Architecture(
    "CLIPTextModel", "transformers", kind="clip", title="a CLIP text encoder", config_class="CLIPTextConfig",
    anchors={"embeddings.token_embedding.weight": "transformers", "token_embedding.weight": "open_clip"}, inner_prefix="text_model.",
    tables={"open_clip": text_encoder_names.from_open_clip, "transformers": text_encoder_names.from_transformers},
    folder_names="transformers", width=("hidden_size",),
    sizes=(
        Size(
            ("embeddings.token_embedding.weight", "token_embedding.weight"), 1, "hidden_size",
            models={768: "CLIP-L", 1024: "OpenCLIP's CLIP-H", 1280: "OpenCLIP's CLIP-G"},
        ),
    ),
)  # fmt: skip
CLIP_TEXT_WITH_PROJECTION = replace(CLIP_TEXT, class_name="CLIPTextModelWithProjection")
T5 = Architecture(
    "T5EncoderModel", "transformers", kind="t5", title="a T5 text encoder", config_class="T5Config",
    anchors={"encoder.block.0.layer.0.SelfAttention.q.weight": "transformers"},
    tables={"transformers": text_encoder_names.from_transformers}, folder_names="transformers", quantizable=True,
    sizes=(
        Size(("encoder.block.0.layer.0.SelfAttention.q.weight",), 1, "d_model", models={4096: "T5 XXL", 2048: "T5 XL"}),
        Size(("encoder.block.0.layer.1.DenseReluDense.wi_0.weight",), 0, "d_ff"),
    ),
)  # fmt: skip
_CALLED_SEEING = r"(?<![a-z])vl(?![a-z])|qwenvl"
_TOLD_BY_TOWER = "which has the tower that sees (visual.) beside it, or VL in its name"
"""How the language side of a model that sees is told from the model that it was made from: nothing but its settings differs."""


def _qwen_sizes(models: Mapping[int, str]) -> tuple[Size, ...]:
    return (
        Size(("embed_tokens.weight",), 1, "hidden_size", models=models),
        Size(("layers.0.mlp.gate_proj.weight",), 0, "intermediate_size", "with MLPs {:,} wide"),
        Size(("layers.0.self_attn.q_norm.weight",), 0, "head_dim", "with heads {:,} wide"),
    )


QWEN3 = Architecture(
    "Qwen3Model", "transformers", kind="qwen3", title="a Qwen3 language model", config_class="Qwen3Config",
    anchors={"layers.0.self_attn.q_norm.weight": "transformers"}, folder_names="transformers", quantizable=True,
    sizes=_qwen_sizes({1024: "Qwen3 0.6B", 2048: "Qwen3 1.7B", 2560: "Qwen3 4B", 4096: "Qwen3 8B"}),
)  # fmt: skip
QWEN3_VL = replace(
    QWEN3, class_name="Qwen3VLTextModel", config_class="Qwen3VLTextConfig", title="a Qwen3-VL language model", settings_within="text_config",
    sizes=_qwen_sizes({2560: "Qwen3-VL 4B", 4096: "Qwen3-VL 8B"}),
    sign=r"(^|\.)(visual|language_model)\.", called=_CALLED_SEEING, told_by=_TOLD_BY_TOWER,
)  # fmt: skip
"""The text side of Qwen3-VL. What it sees with is left out."""
QWEN2_5_VL = Architecture(
    "Qwen2_5_VLTextModel", "transformers", kind="qwen2.5", title="a Qwen2.5-VL language model", config_class="Qwen2_5_VLTextConfig",
    anchors={"layers.0.self_attn.q_proj.bias": "transformers"}, beside="layers.0.mlp.gate_proj.weight", folder_names="transformers",
    quantizable=True, settings_within="text_config", sizes=_qwen_sizes({2048: "Qwen2.5-VL 3B", 3584: "Qwen2.5-VL 7B"}),
    sign=r"(^|\.)visual\.blocks\.0\.mlp\.gate_proj\.|(^|\.)language_model\.", called=_CALLED_SEEING, told_by=_TOLD_BY_TOWER,
)  # fmt: skip
"""The text side of Qwen2.5-VL."""

LOOKALIKES = (
    replace(T5, title="a UMT5 text encoder", sign=r"(^|\.)encoder\.block\.1\.layer\.0\.SelfAttention\.relative_attention_bias\."),
    replace(T5, title="a T5 text encoder of the first version", sign=r"(^|\.)encoder\.block\.0\.layer\.1\.DenseReluDense\.wi\."),
    replace(
        QWEN2_5_VL, title="a Qwen2.5 language model", sign="", called="", told_by="",
        sizes=_qwen_sizes({1536: "Qwen2.5 1.5B", 2048: "Qwen2.5 3B", 3584: "Qwen2.5 7B"}),
    ),
    replace(
        QWEN3, title="a Gemma 3 language model", sign=r"(^|\.)layers\.0\.pre_feedforward_layernorm\.",
        sizes=(Size(("embed_tokens.weight",), 1, "hidden_size", models={1152: "Gemma 3 1B", 2560: "Gemma 3 4B", 3840: "Gemma 3 12B"}),),
    ),
    replace(QWEN2_5_VL, title="a Qwen2-VL language model", sign=r"(^|\.)visual\.blocks\.0\.mlp\.fc1\.", called="", told_by=""),
)  # fmt: skip
"""Text encoders that no family reads and that have the anchors of one that is read: known so that they are called by their names."""
