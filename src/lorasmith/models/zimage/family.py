"""The record of Z-Image, the base and Turbo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lorasmith.captions.style import CaptionStyle
from lorasmith.errors import BaseModelError
from lorasmith.models.architectures.qwen_tokenizer import QWEN_TOKENIZER
from lorasmith.models.architectures.transformer_consumers import EVERYBODY, of_transformer
from lorasmith.models.family import (
    ClipSkip,
    DenoiserFile,
    Detection,
    Family,
    FamilyDefaults,
    Match,
    NetworkSize,
    Prediction,
    Rate,
    Sizes,
    Variant,
)
from lorasmith.models.lora_naming import LOADS, LoraMarks, LoraNaming, PartNaming, drops, readings
from lorasmith.models.named import TURBO, is_called
from lorasmith.models.shift import FixedShift
from lorasmith.models.template import Template
from lorasmith.models.zimage import config
from lorasmith.models.zimage.layers import TRANSFORMER_NAMES

DEFAULTS = FamilyDefaults(
    resolution=1024, bucket_step=32, max_token_lengths=(512,),
    rate=Rate(1e-4, "what most train Z-Image with", "ai-toolkit, SimpleTuner, musubi-tuner"),
    network=NetworkSize(32, "ai-toolkit's default; 16 to 32 are usual", "the examples of ai-toolkit, OneTrainer and musubi-tuner"), timesteps_by="musubi-tuner, with the base's own shift",
    text_encoder_lr=0.0, trained_text_encoders=(), text_encoders_left_alone="its language model is large and understands sentences",
    finds_its_own_rate=False, shift=FixedShift(3.0), steps=30, cfg_scale=4.0, save_precision="bf16", memory_per_image="38 GB",
)  # fmt: skip
VARIANTS = {
    "base": Variant(config.PARTS, config.SCHEDULER, DEFAULTS, distilled=None, licence="Apache-2.0"),
    "turbo": Variant(
        config.PARTS,
        config.SCHEDULER,
        replace(DEFAULTS, steps=8, cfg_scale=1.0),
        distilled=True,
        licence="Apache-2.0",
        note="Turbo was distilled to eight steps: a LoRA trained on it unlearns that. Train on the base and use the file with both, or "
        "merge a training adapter into Turbo while it trains (base.merge)",
    ),
}


def sizes(settings: Mapping[str, Mapping[str, Any]]) -> Sizes:
    """By the autoencoder's size; a token is 2 x 2 latents."""
    vae = settings["vae"]
    return Sizes(vae["sample_size"], 2 * 2 ** (len(vae["block_out_channels"]) - 1))


def from_file(file: DenoiserFile) -> Match | None:
    if "layers.0.adaLN_modulation.0.weight" not in file.shapes:
        raise BaseModelError(
            f"{file.source} has layers as Z-Image and Lumina 2 without the modulation of either, and is not trained here; give one of these.",
            code="base.foreign",
            path=str(file.source),
        )
    if any(name.startswith("siglip_embedder.") for name in file.shapes):
        raise _special(file.source, "edits pictures (siglip_embedder)")
    if any(name.startswith("dec_net.") for name in file.shapes):
        raise _special(file.source, "draws pixels without an autoencoder (dec_net)")
    return _by_name(file.source, "the transformer's layers are those of Z-Image")


def from_config(folder: Path, pipeline: str, settings: Mapping[str, Any]) -> Match | None:
    if settings.get("siglip_feat_dim") is not None:
        raise _special(folder, "edits pictures (siglip_feat_dim)")
    return _by_name(folder, "")


def _by_name(source: Path, reason: str) -> Match:
    """Base and Turbo have the same layers; only what they are called tells them apart."""
    if is_called(source, TURBO):
        return Match(f"{reason}{', and ' if reason else ''}its name says Turbo", "turbo")
    return Match(reason, "base")


def _special(source: Path, what: str) -> BaseModelError:
    return BaseModelError(
        f"{source} is a special model of Z-Image that {what}; give the plain Z-Image or Turbo.", code="base.special_model", path=str(source)
    )


CONSUMERS = of_transformer(
    {
        "kohya, original path": EVERYBODY,
        "diffusers": readings(forge=drops("Forge Neo does not know diffusers' names"), comfyui=LOADS, diffusers=LOADS),
    },
    unknown_names=dict.fromkeys(("ComfyUI", "Forge"), r"lora_unet_layers_\d+_attention_to_(q|k|v|out_0)"),
    refused_names={"diffusers": r"(diffusion_model\.|lora_unet_)layers[._]\d+[._]attention[._]qkv"},
)

ZIMAGE = Family(
    name="zimage",
    title="Z-Image",
    package=__package__,
    base_class="ZImage",
    denoiser="transformer",
    variants=VARIANTS,
    tokenizers={"tokenizer": QWEN_TOKENIZER},
    prediction=Prediction(("flow",), usual_reason="Z-Image models predict the flow"),
    sizes=sizes,
    detection=Detection(("ZImagePipeline",), from_file, from_config),
    lora=LoraNaming(
        {"transformer": PartNaming("diffusion_model", TRANSFORMER_NAMES)},
        in_words="diffusion_model. and diffusers' names (layers.0.attention.to_q), without alphas",
        consumers=CONSUMERS,
        marks=LoraMarks(
            certain=r"layers_\d+_(attention_(to_[qkv]|to_out_0|qkv|out)|feed_forward_w[123])$",
            versions=("zimage", "z_image", "z-image"),
            blocks={"layers": 30},
        ),
        style="dotted",
        alpha_keys=False,
        original_path=r"layers[._]|(noise|context)_refiner[._]|x_embedder|cap_embedder|t_embedder|final_layer",
    ),
    captions=CaptionStyle(
        "sentences",
        "Z-Image reads whole sentences with a language model and was trained on them.",
        "Let a captioner describe the pictures: lorasmith captions describe.",
    ),
    template=Template("<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"),
    caption_step=32,
    clip_skip=ClipSkip("clip skip is not used: Z-Image reads the last but one layer of a language model"),
    states_read=lambda layers, denoiser: (layers - 1,),
    called_elsewhere={"ai-toolkit": ("zimage",), "OneTrainer": ("Z_IMAGE",), "SimpleTuner": ("z_image", "z-image")},
)
