"""The record of Stable Diffusion 1.x."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lorasmith.models.architectures.clip_tokenizer import CLIP_TOKENIZER
from lorasmith.models.architectures.full_size import TEXT_LENGTHS
from lorasmith.models.architectures.text_encoder_layers import CLIP_NAMES
from lorasmith.models.architectures.unet_family import FOUR_LEVEL_ROW, FOUR_LEVELS, SENTENCES
from lorasmith.models.architectures.unet_layers import DIFFUSERS_NAMES, ORIGINAL_PATH
from lorasmith.models.architectures.unet_traits import UnetTraits, traits_in_config, traits_in_file, unet_sizes
from lorasmith.models.family import ClipSkip, DenoiserFile, Detection, Family, FamilyDefaults, Match, Prediction, Rate, SdScripts, Variant
from lorasmith.models.lora_naming import LoraMarks, LoraNaming, PartNaming
from lorasmith.models.sd1 import config

DEFAULTS = FamilyDefaults(
    resolution=512, bucket_step=64, max_token_lengths=TEXT_LENGTHS,
    rate=Rate(1e-4, "SD 1.5's usual rate"),
    rates_for={
        "character": Rate(1.5e-4, "between 1e-4 and 2e-4 for a character"),
        "style": Rate(8e-5, "safe for a style; 4e-4 is the aggressive end"),
    },
    text_encoder_lr=5e-5, steps=20, cfg_scale=7.0,
    largest_resolution=768, larger_resolution="more detail than the base's own 512, which SD 1.5 still generates without doubling",
)  # fmt: skip


def _match(traits: UnetTraits) -> Match | None:
    if traits.second_embedding or traits.linear:
        return None
    return Match("1x1 convolutions lead into the U-Net's attentions, as in Stable Diffusion 1")


def from_file(file: DenoiserFile) -> Match | None:
    return _match(traits_in_file(file))


def from_config(folder: Path, pipeline: str, settings: Mapping[str, Any]) -> Match | None:
    return _match(traits_in_config(folder, settings))


SD1 = Family(
    name="sd1",
    title="Stable Diffusion 1.x",
    package=__package__,
    base_class="StableDiffusion1",
    denoiser="unet",
    variants={"": Variant(config.PARTS, config.SCHEDULER, DEFAULTS, licence="CreativeML Open RAIL-M")},
    tokenizers={"tokenizer": CLIP_TOKENIZER},
    prediction=Prediction(("epsilon", "v_prediction")),
    sizes=unet_sizes,
    detection=Detection(("StableDiffusionPipeline",), from_file, from_config),
    lora=LoraNaming(
        {"unet": PartNaming("lora_unet", DIFFUSERS_NAMES), "text_encoder": PartNaming("lora_te", CLIP_NAMES, "TE")},
        in_words="lora_unet_ with diffusers' block names, lora_te_ for the text encoder",
        consumers=FOUR_LEVELS,
        marks=LoraMarks(versions=("sd_v1", "diffusion-v1"), cross_attention=768, text_encoder=768, likely=r"(down|up)_blocks_\d|mid_block"),
        original_path=ORIGINAL_PATH,
    ),
    captions=SENTENCES,
    clip_skip=ClipSkip("clip skip 1 for photographs and the plain base, 2 for anime models made from the leaked one", most=2, for_tags=2),
    called_elsewhere={
        "SD-Trainer": ("sd-lora",),
        "ai-toolkit": (
            "sd",
            "sd1",
            "sd15",
        ),
        "OneTrainer": ("STABLE_DIFFUSION_15",),
        "SimpleTuner": ("sd1x",),
    },
    sd_scripts=SdScripts(
        script="train_network.py",
        base_model_version={"epsilon": "sd_v1", "v_prediction": "sd_v1_v"},
        architecture=dict.fromkeys(("sd_v1", "sd_v1_v"), ("stable-diffusion-v1", "diffusers")),
        block_row=FOUR_LEVEL_ROW,
    ),
    reads_emphasis=True,
    ui_type="SD1",
)
