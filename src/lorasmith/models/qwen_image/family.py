"""The record of Qwen-Image."""

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
from lorasmith.models.lora_naming import LoraMarks, LoraNaming, PartNaming, readings
from lorasmith.models.named import is_called
from lorasmith.models.qwen_image import config
from lorasmith.models.qwen_image.layers import TRANSFORMER_NAMES
from lorasmith.models.shift import LineShift
from lorasmith.models.template import DESCRIBE

DEFAULTS = FamilyDefaults(
    resolution=1024, bucket_step=16, max_token_lengths=(1024, 512),
    rate=Rate(1e-4, "what Qwen-Image LoRAs are mostly trained with; 5e-5 is calmer", "musubi-tuner's and ai-toolkit's examples"),
    network=NetworkSize(32, "ai-toolkit's default; 16 to 32 are usual", "the examples of ai-toolkit and musubi-tuner"), timesteps_by="musubi-tuner's qwen_shift",
    text_encoder_lr=0.0, trained_text_encoders=(), text_encoders_left_alone="it is a language model of 7 billion parameters, which nobody trains",
    finds_its_own_rate=False, shift=LineShift((256, 0.5), (8192, 0.9)), steps=50, cfg_scale=4.0, save_precision="bf16", memory_per_image="51 GB", largest_resolution=1328,
    larger_resolution="the largest square that it was made for; a step takes 1.7 times as long as at 1024",
)  # fmt: skip
NOTE = "Qwen-Image-Edit has the same tensors, so a file does not show which it is: what is trained here is Qwen-Image, without pictures to edit"


def sizes(settings: Mapping[str, Mapping[str, Any]]) -> Sizes:
    """A token is 2 x 2 latents; no part says which square it was made for."""
    return Sizes(DEFAULTS.resolution, 2 * 2 ** len(settings["vae"]["temperal_downsample"]))


def from_file(file: DenoiserFile) -> Match | None:
    if "__index_timestep_zero__" in file.shapes:
        _refuse(file.source, "Qwen-Image-Edit 2511, which edits pictures")
    if "time_text_embed.addition_t_embedding.weight" in file.shapes:
        _refuse(file.source, "Qwen-Image-Layered, which takes pictures apart into layers")
    if file.shapes.get("txt_norm.weight") == (2560,):
        _refuse(file.source, "Mage-Flow")
    if is_called(file.source, r"edit"):
        _refuse(file.source, "Qwen-Image-Edit by its name, which edits pictures")
    return _by_name(
        file.source, "its blocks have a stream for the picture and one for the text, each with its own modulation, as Qwen-Image"
    )


def from_config(folder: Path, pipeline: str, settings: Mapping[str, Any]) -> Match | None:
    if settings.get("zero_cond_t"):
        _refuse(folder, "Qwen-Image-Edit 2511, which edits pictures")
    if settings.get("use_additional_t_cond") or settings.get("use_layer3d_rope"):
        _refuse(folder, "Qwen-Image-Layered, which takes pictures apart into layers")
    return _by_name(folder, "")


def _by_name(source: Path, reason: str) -> Match:
    """With a Lightning LoRA merged into it the tensors are the same; only what it is called tells it apart."""
    if is_called(source, "lightning"):
        return Match(f"{reason}{', and ' if reason else ''}its name says Lightning", "lightning")
    return Match(reason)


def _refuse(source: Path, what: str) -> None:
    raise BaseModelError(
        f"{source} is {what}, and cannot be trained on here; give Qwen-Image itself.", code="base.special_model", path=str(source)
    )


CONSUMERS = of_transformer({"kohya, diffusers path": EVERYBODY, "diffusers": EVERYBODY, "another": readings()})

QWEN_IMAGE = Family(
    name="qwen_image",
    title="Qwen-Image",
    package=__package__,
    base_class="QwenImage",
    denoiser="transformer",
    variants={
        "": Variant(config.PARTS, config.SCHEDULER, DEFAULTS, licence="Apache-2.0", note=NOTE),
        "lightning": Variant(
            config.PARTS,
            config.SCHEDULER,
            replace(DEFAULTS, steps=8, cfg_scale=1.0),
            distilled=True,
            licence="Apache-2.0",
            note="a Lightning LoRA was merged into it, which draws in four or eight steps: train on Qwen-Image itself and use both LoRAs",
        ),
    },
    tokenizers={"tokenizer": QWEN_TOKENIZER},
    prediction=Prediction(("flow",), usual_reason="Qwen-Image models predict the flow"),
    sizes=sizes,
    detection=Detection(("QwenImagePipeline",), from_file, from_config),
    lora=LoraNaming(
        {"transformer": PartNaming("diffusion_model", TRANSFORMER_NAMES)},
        in_words="diffusion_model. and the transformer's own names (transformer_blocks), lora_A and lora_B without alphas",
        consumers=CONSUMERS,
        marks=LoraMarks(
            certain=r"main_transformer_blocks_(\d+_(img|txt)_(mod_1|mlp_net_)|[2-9]\d_attn_(to|add)_)",
            versions=("qwen_image", "qwen-image", "Qwen-Image"),
        ),
        unread_in_last_block=r"diffusion_model_transformer_blocks_(\d+)_(attn_(add_q_proj|to_add_out)|txt_mlp_net_(0_proj|2))",
        style="dotted",
        alpha_keys=False,
    ),
    captions=CaptionStyle(
        "sentences",
        "Qwen-Image reads whole sentences with a language model and was trained on them.",
        "Let a captioner describe the pictures: lorasmith captions describe.",
    ),
    template=DESCRIBE,
    caption_step=1,
    clip_skip=ClipSkip("clip skip is not used: Qwen-Image reads the last layer of a language model"),
    states_read=lambda layers, denoiser: (layers,),
    called_elsewhere={"ai-toolkit": ("qwen_image",), "OneTrainer": ("QWEN",), "SimpleTuner": ("qwen_image",)},
)
