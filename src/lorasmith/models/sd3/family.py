"""The record of Stable Diffusion 3.5, medium and large, and of Stable Diffusion 3 medium, whose layers have the same names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lorasmith.captions.style import CaptionStyle
from lorasmith.errors import BaseModelError
from lorasmith.models.architectures.clip_tokenizer import CLIP_TOKENIZER, OPEN_CLIP_TOKENIZER
from lorasmith.models.architectures.t5_tokenizer import T5_TOKENIZER
from lorasmith.models.architectures.text_encoder_layers import CLIP_NAMES, PROJECTION
from lorasmith.models.architectures.unet_consumers import CLIP_NORMS
from lorasmith.models.architectures.unet_traits import input_width
from lorasmith.models.family import (
    ClipSkip,
    DenoiserFile,
    Detection,
    Family,
    FamilyDefaults,
    Match,
    OptionalPart,
    Prediction,
    Rate,
    Sizes,
    Variant,
)
from lorasmith.models.lora_naming import LOADS, Consumers, LoraMarks, LoraNaming, PartNaming, drops, readings
from lorasmith.models.named import is_called
from lorasmith.models.sd3 import config
from lorasmith.models.sd3.layers import TRANSFORMER_NAMES
from lorasmith.models.shift import FixedShift

LICENCE = "Stability AI Community License"
MEDIUM = FamilyDefaults(
    resolution=1024, bucket_step=64, max_token_lengths=(256, 154, 77),
    rate=Rate(1e-4, "what most train SD 3.5 with, at rank 16 to 64", "the examples of ai-toolkit and SimpleTuner"),
    text_encoder_lr=0.0, trained_text_encoders=("text_encoder", "text_encoder_2"),
    text_encoders_left_alone="T5, which is large and understands sentences, reads captions beside CLIP", finds_its_own_rate=False,
    shift=FixedShift(3.0), steps=40, cfg_scale=4.5, save_precision="bf16", memory_per_image="10 GB",
)  # fmt: skip
LARGE = replace(MEDIUM, steps=28, cfg_scale=3.5, memory_per_image="19 GB")
VARIANTS = {
    "medium": Variant(config.MEDIUM, config.SCHEDULER, MEDIUM, distilled=None, licence=LICENCE),
    "large": Variant(config.LARGE, config.SCHEDULER, LARGE, distilled=None, licence=LICENCE),
    "large turbo": Variant(
        config.LARGE,
        config.SCHEDULER,
        replace(LARGE, steps=4, cfg_scale=1.0),
        distilled=True,
        licence=LICENCE,
        note="Turbo was distilled to four steps: a LoRA trained on it unlearns that. Train on the plain model of its size and use the file with both",
    ),
    "medium of version 3": Variant(
        config.FIRST_MEDIUM, config.SCHEDULER, replace(MEDIUM, steps=28, cfg_scale=7.0, memory_per_image="6 GB"), licence=LICENCE
    ),
}


def sizes(settings: Mapping[str, Mapping[str, Any]]) -> Sizes:
    """By the autoencoder's size; a token is 2 x 2 latents."""
    vae = settings["vae"]
    return Sizes(vae["sample_size"], 2 * 2 ** (len(vae["block_out_channels"]) - 1))


def from_file(file: DenoiserFile) -> Match | None:
    original = file.names == "original"
    if not original and "transformer_blocks.0.attn.add_q_proj.weight" not in file.shapes:
        return None
    first = "x_embedder.proj.weight" if original else "pos_embed.proj.weight"
    _refuse_special(file.source, input_width(file, first), file.prefix + first)
    two, norm = (".x_block.attn2.", ".x_block.attn.ln_q.") if original else (".attn2.", ".attn.norm_q.")
    return _match(file.source, any(two in name for name in file.shapes), any(norm in name for name in file.shapes))


def from_config(folder: Path, pipeline: str, settings: Mapping[str, Any]) -> Match | None:
    _refuse_special(folder, settings.get("in_channels", 16), "in_channels")
    return _match(folder, bool(settings.get("dual_attention_layers")), settings.get("qk_norm") is not None)


def _match(source: Path, two_attentions: bool, normalised: bool) -> Match:
    """The size by how its blocks are built; only what it is called tells whether it is distilled."""
    if two_attentions:
        return Match("blocks of its transformer have a second attention, as Stable Diffusion 3.5 medium", "medium")
    if not normalised:
        return Match(
            "its transformer does not normalise query and key, as Stable Diffusion 3 medium, the first version", "medium of version 3"
        )
    reason = "its transformer normalises query and key and has one attention a block, as Stable Diffusion 3.5 large"
    return Match(f"{reason}, and its name says Turbo", "large turbo") if is_called(source, "turbo") else Match(reason, "large")


def _refuse_special(source: Path, channels: int, where: str) -> None:
    if channels != 16:
        raise BaseModelError(
            f"{source} is a special model of Stable Diffusion 3 ({where} takes {channels} channels, a plain one 16); give the plain medium or "
            "large model.",
            code="base.special_model",
            path=str(source),
        )


_NOTHING = drops("it finds no layer under these names: convert the file (lorasmith lora convert)")
_EVERYWHERE_BUT_DIFFUSERS = readings(forge=LOADS, comfyui=LOADS, diffusers=_NOTHING)
_ORIGINAL = r"transformer\.joint_blocks\..*"
"""Layers that hold several of diffusers' and are none of its names: kinds that cannot be divided."""
CONSUMERS = Consumers(
    by_naming={
        "diffusers": readings(forge=LOADS, comfyui=LOADS, diffusers=LOADS),
        "kohya, original path": _EVERYWHERE_BUT_DIFFUSERS,
        "diffusion_model., original path": _EVERYWHERE_BUT_DIFFUSERS,
        "lora_transformer_": readings(comfyui=LOADS, diffusers=_NOTHING),
        "lycoris_": readings(comfyui=LOADS, diffusers=_NOTHING),
        "peft": readings(comfyui=LOADS, diffusers=_NOTHING),
        "kohya, CLIP": readings(comfyui=LOADS, diffusers=_NOTHING),
    },
    unknown_names={
        "Forge": rf"transformer\.transformer_blocks\.\d+\.attn2\..*|{_ORIGINAL}|{CLIP_NORMS}", "ComfyUI": f"{_ORIGINAL}|{CLIP_NORMS}",
        "diffusers": _ORIGINAL,
    },
    alphas_refused_by_diffusers=frozenset({"diffusers", "diffusion_model., original path"}),
    without=("AUTOMATIC1111",),
)  # fmt: skip

_LAYERS = r"(attn2?_(to_([qkv]|out_0|add_out)|add_[qkv]_proj)|ff(_context)?_net_(0_proj|2)|norm1(_context)?_linear)$"
_BLOCK = r"main_transformer_blocks_\d+_"

SD3 = Family(
    name="sd3",
    title="Stable Diffusion 3.5",
    package=__package__,
    base_class="StableDiffusion3",
    denoiser="transformer",
    variants=VARIANTS,
    tokenizers={"tokenizer": CLIP_TOKENIZER, "tokenizer_2": OPEN_CLIP_TOKENIZER, "tokenizer_3": T5_TOKENIZER},
    prediction=Prediction(("flow",), usual_reason="Stable Diffusion 3 models predict the flow"),
    sizes=sizes,
    detection=Detection(
        ("StableDiffusion3Pipeline",),
        from_file,
        from_config,
        part_prefixes={"text_encoder_2": ("clip_g.", "text_encoder_2.")},
    ),
    lora=LoraNaming(
        {
            "transformer": PartNaming("transformer", TRANSFORMER_NAMES, kohya_prefix=None),
            "text_encoder": PartNaming("text_encoder", CLIP_NAMES, "TE1_", kohya_prefix="lora_te1"),
            "text_encoder_2": PartNaming("text_encoder_2", CLIP_NAMES, "TE2_", kohya_prefix="lora_te2"),
        },
        in_words="transformer. and diffusers' names (transformer_blocks.0.attn.to_q), without alphas",
        consumers=CONSUMERS,
        marks=LoraMarks(
            shaped={
                # The widths of medium and large, and four times those.
                _BLOCK + _LAYERS: lambda shape: shape[1] in (1536, 2432),
                _BLOCK + r"ff(_context)?_net_2$": lambda shape: shape[1] in (6144, 9728),
            },
            # In diffusers' names its blocks have those of Flux.1's double blocks.
            named_layers=rf"{_BLOCK}{_LAYERS}|main_(time_text_embed_|pos_embed_|context_embedder|proj_out).*|text_encoder_.*",
            certain=r"main_joint_blocks_\d+_(x|context)_block_",
            versions=("sd3", "stable-diffusion-3", "3-5-medium", "3-5-large", "3-medium"),
        ),
        left_out={r"text_encoder_2_encoder_block_\w+": "T5", **PROJECTION},
        unread_in_last_block=r"transformer_transformer_blocks_(\d+)_attn_add_q_proj",
        style="dotted",
        alpha_keys=False,
        original_path=r"joint_blocks[._]|[xyt]_embedder|context_embedder|final_layer",
    ),
    captions=CaptionStyle(
        "sentences",
        "Stable Diffusion 3.5 reads whole sentences with a language model and was trained on them.",
        "Let a captioner describe the pictures: lorasmith captions describe.",
    ),
    clip_skip=ClipSkip(
        "clip skip is not set by custom: Stable Diffusion 3.5 reads the last but one layer of both CLIP text encoders (UIs call that 2)",
        most=2,
    ),
    called_elsewhere={"ai-toolkit": ("is_v3", "sd3"), "OneTrainer": ("STABLE_DIFFUSION_3", "STABLE_DIFFUSION_35"), "SimpleTuner": ("sd3",)},
    caption_tokenizers=("tokenizer_3",),
    optional_parts={
        "text_encoder_3": OptionalPart(
            "tokenizer_3",
            "T5 is left out, and its states are zeros: captions are read by CLIP alone, 75 tokens of them. Give its file as base.text_encoder_3 "
            "where samples are drawn with it",
        )
    },
)
