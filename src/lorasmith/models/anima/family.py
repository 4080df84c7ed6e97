"""The record of Anima."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lorasmith.captions.style import CaptionStyle
from lorasmith.errors import BaseModelError
from lorasmith.models.anima import config
from lorasmith.models.anima.layers import TRANSFORMER_NAMES
from lorasmith.models.architectures.qwen_tokenizer import QWEN_TOKENIZER
from lorasmith.models.architectures.t5_tokenizer import T5_TOKENIZER
from lorasmith.models.architectures.transformer_consumers import NATIVE, UNKNOWN, of_transformer
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
from lorasmith.models.shift import FixedShift
from lorasmith.models.template import Template

DEFAULTS = FamilyDefaults(
    resolution=1024, bucket_step=16, max_token_lengths=(1024, 512, 2048, 4096),
    rate=Rate(1e-4, "what Anima LoRAs are mostly trained with; 2e-5 to 3e-5 for large sets", "sd-scripts, diffusion-pipe, OneTrainer"),
    network=NetworkSize(16, "8 to 32 are usual", "the examples of ai-toolkit and sd-scripts"),
    text_encoder_lr=0.0, trained_text_encoders=(), text_encoders_left_alone="its conditioner suffers from small sets, and its language model is left alone by most",
    finds_its_own_rate=False, timestep_sampling="sigmoid", shift=FixedShift(3.0), steps=30, cfg_scale=4.5, save_precision="bf16", memory_per_image="15 GB",
    largest_resolution=1536, larger_resolution="it draws squares of up to 1536 pixels; a step takes more than twice as long as at 1024",
)  # fmt: skip
VARIANTS = {
    "2B": Variant(config.PARTS, config.SCHEDULER, DEFAULTS, licence="non-commercial"),
    "2.9B": Variant(config.PARTS_LARGE, config.SCHEDULER, replace(DEFAULTS, memory_per_image="22 GB"), licence="non-commercial"),
}
_BLOCKS = {28: "2B", 40: "2.9B"}


def sizes(settings: Mapping[str, Mapping[str, Any]]) -> Sizes:
    """A token is 2 x 2 latents; no part says which square it was made for."""
    return Sizes(DEFAULTS.resolution, 2 * 2 ** len(settings["vae"]["temperal_downsample"]))


def from_file(file: DenoiserFile) -> Match | None:
    if file.names == "cosmos" and not any(name.startswith("llm_adapter.") for name in file.shapes):
        raise BaseModelError(
            f"{file.source} is a Cosmos-Predict2 model without Anima's text conditioner (llm_adapter), and cannot be trained on here; give "
            "Anima itself.",
            code="base.special_model",
            path=str(file.source),
        )
    stack = "blocks" if file.names == "cosmos" else "transformer_blocks"
    blocks = len({name.split(".")[1] for name in file.shapes if name.startswith(f"{stack}.")})
    return Match(f"the transformer is that of Cosmos with {blocks} blocks, beside a text conditioner, as Anima", _BLOCKS.get(blocks, "2B"))


def from_config(folder: Path, pipeline: str, settings: Mapping[str, Any]) -> Match | None:
    return Match("", _BLOCKS.get(settings.get("num_layers", 28), "2B"))


_NO_KOHYA = drops("it reads no lora_unet_ names of Anima: convert the file (lorasmith lora convert)")
CONSUMERS = of_transformer(
    {
        "kohya, original path": readings(forge=LOADS, comfyui=LOADS, diffusers=_NO_KOHYA),
        "diffusers": readings(forge=UNKNOWN, comfyui=UNKNOWN, diffusers=LOADS),
    },
    alphas_refused_by_diffusers=frozenset({NATIVE}),
)

ANIMA = Family(
    name="anima",
    title="Anima",
    package=__package__,
    base_class="Anima",
    denoiser="transformer",
    variants=VARIANTS,
    tokenizers={"tokenizer": QWEN_TOKENIZER, "t5_tokenizer": T5_TOKENIZER},
    prediction=Prediction(("flow",), usual_reason="Anima models predict the flow"),
    sizes=sizes,
    detection=Detection(("AnimaModularPipeline",), from_file, from_config),
    lora=LoraNaming(
        {"transformer": PartNaming("diffusion_model", TRANSFORMER_NAMES)},
        in_words="diffusion_model. and the original (blocks.0.self_attn.q_proj) names, lora_A and lora_B without alphas",
        consumers=CONSUMERS,
        marks=LoraMarks(
            certain=r"main_blocks_\d+_((self|cross)_attn_([qkv]|output)_proj|mlp_layer[12]|adaln_modulation_)",
            shaped={
                r"main_transformer_blocks_\d+_attn2_to_[kv]$": lambda shape: shape == (2048, 1024),
                r"main_transformer_blocks_\d+_norm[123]_linear_[12]$": lambda shape: 256 in shape,
            },
            versions=("anima",),
            blocks={"blocks": 28},
        ),
        style="dotted",
        alpha_keys=False,
        left_out={r"main_(llm_adapter|text_conditioner)_.*": "text conditioner"},
        original_path=r"(blocks|llm_adapter|x_embedder|t_embedder|final_layer)[._]",
    ),
    captions=CaptionStyle(
        "tags",
        "Anima was trained on Danbooru's tags, and reads sentences too.",
        "Tag the pictures: lorasmith captions tag.",
        strict=False,
    ),
    template=Template(),
    clip_skip=ClipSkip("clip skip is not used: Anima reads the last layer of a language model"),
    states_read=lambda layers, denoiser: (layers,),
    called_elsewhere={"ai-toolkit": ("anima",), "OneTrainer": ("ANIMA",), "SimpleTuner": ("anima",)},
)
