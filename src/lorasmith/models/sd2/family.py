"""The record of Stable Diffusion 2.x."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lorasmith.models.architectures.clip_tokenizer import OPEN_CLIP_TOKENIZER
from lorasmith.models.architectures.full_size import TEXT_LENGTHS
from lorasmith.models.architectures.text_encoder_layers import CLIP_NAMES
from lorasmith.models.architectures.unet_family import FOUR_LEVEL_ROW, FOUR_LEVELS, SENTENCES
from lorasmith.models.architectures.unet_layers import DIFFUSERS_NAMES, ORIGINAL_PATH
from lorasmith.models.architectures.unet_traits import UnetTraits, traits_in_config, traits_in_file, unet_sizes
from lorasmith.models.family import ClipSkip, DenoiserFile, Detection, Family, FamilyDefaults, Match, Prediction, Rate, SdScripts, Variant
from lorasmith.models.lora_naming import LoraMarks, LoraNaming, PartNaming
from lorasmith.models.sd2 import config

DEFAULTS = FamilyDefaults(
    resolution=768, bucket_step=64, max_token_lengths=TEXT_LENGTHS,
    rate=Rate(1e-4, "as SD 1.5"),
    rates_for={
        "character": Rate(1.5e-4, "between 1e-4 and 2e-4 for a character"),
        "style": Rate(8e-5, "safe for a style; 4e-4 is the aggressive end"),
    },
    text_encoder_lr=5e-5, steps=20, cfg_scale=7.0,
)  # fmt: skip


def _match(traits: UnetTraits) -> Match | None:
    if traits.second_embedding or not traits.linear:
        return None
    return Match("linear layers lead into the U-Net's attentions, as in Stable Diffusion 2")


def from_file(file: DenoiserFile) -> Match | None:
    return _match(traits_in_file(file))


def from_config(folder: Path, pipeline: str, settings: Mapping[str, Any]) -> Match | None:
    return _match(traits_in_config(folder, settings))


SD2 = Family(
    name="sd2",
    title="Stable Diffusion 2.x",
    package=__package__,
    base_class="StableDiffusion2",
    denoiser="unet",
    variants={"": Variant(config.PARTS, config.SCHEDULER, DEFAULTS, licence="CreativeML Open RAIL++-M")},
    tokenizers={"tokenizer": OPEN_CLIP_TOKENIZER},
    prediction=Prediction(
        ("v_prediction", "epsilon"),
        usual_reason="taken as most Stable Diffusion 2 models have it; the weights do not say",
        unmarked_note="Stable Diffusion 2 comes as 768 (v-prediction) and as 512-base (epsilon), with weights of the same shape: if this is "
        "a 512-base, set base.prediction_type to epsilon",
    ),
    sizes=unet_sizes,
    detection=Detection(("StableDiffusionPipeline",), from_file, from_config),
    lora=LoraNaming(
        {
            "unet": PartNaming("lora_unet", DIFFUSERS_NAMES),
            "text_encoder": PartNaming("lora_te", CLIP_NAMES, "TE", whole_attention=True),
        },
        in_words="lora_unet_ with diffusers' block names, lora_te_ for the text encoder",
        consumers=FOUR_LEVELS,
        marks=LoraMarks(versions=("sd_v2", "diffusion-v2"), cross_attention=1024, text_encoder=1024),
        original_path=ORIGINAL_PATH,
    ),
    captions=SENTENCES,
    clip_skip=ClipSkip("clip skip 1: its text encoder has lost its last layer already"),
    called_elsewhere={
        "SD-Trainer": ("sd-lora",),
        "ai-toolkit": (
            "is_v2",
            "sd2",
        ),
        "OneTrainer": (
            "STABLE_DIFFUSION_20",
            "STABLE_DIFFUSION_20_BASE",
            "STABLE_DIFFUSION_21",
            "STABLE_DIFFUSION_21_BASE",
        ),
        "SimpleTuner": ("sd2x",),
    },
    sd_scripts=SdScripts(
        script="train_network.py",
        base_model_version={"epsilon": "sd_v2", "v_prediction": "sd_v2_v"},
        architecture={"sd_v2": ("stable-diffusion-v2-512", "diffusers"), "sd_v2_v": ("stable-diffusion-v2-768-v", "diffusers")},
        v2=True,
        block_row=FOUR_LEVEL_ROW,
    ),
    reads_emphasis=True,
    ui_type="SD2",
)
