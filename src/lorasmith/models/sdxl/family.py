"""The record of Stable Diffusion XL; Pony, Illustrious and NoobAI are this family."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lorasmith.captions.style import CaptionStyle
from lorasmith.errors import BaseModelError
from lorasmith.models.architectures.clip_tokenizer import CLIP_TOKENIZER, OPEN_CLIP_TOKENIZER
from lorasmith.models.architectures.full_size import TEXT_LENGTHS
from lorasmith.models.architectures.text_encoder_layers import CLIP_NAMES, PROJECTION
from lorasmith.models.architectures.unet_family import SENTENCES, THREE_LEVEL_ROW, THREE_LEVELS
from lorasmith.models.architectures.unet_layers import LDM_NAMES, ORIGINAL_PATH
from lorasmith.models.architectures.unet_traits import UnetTraits, traits_in_config, traits_in_file, unet_sizes
from lorasmith.models.family import (
    ClipSkip,
    DenoiserFile,
    Detection,
    Family,
    FamilyDefaults,
    Match,
    Prediction,
    Rate,
    Relative,
    SdScripts,
    Variant,
)
from lorasmith.models.lora_naming import LoraMarks, LoraNaming, PartNaming
from lorasmith.models.sdxl import config

DEFAULTS = FamilyDefaults(
    resolution=1024, bucket_step=64, max_token_lengths=TEXT_LENGTHS,
    rate=Rate(5e-5, "half of SD 1.5's"), text_encoder_lr=5e-6, trained_text_encoders=("text_encoder", "text_encoder_2"),
    steps=25, cfg_scale=6.0, memory_per_image="7 GB",
    fine_tuned_resolution=(1536, "Illustrious 1.0 and later were made for 1536, where it is right"),
)  # fmt: skip


def _match(source: Path, traits: UnetTraits) -> Match | None:
    if not traits.second_embedding:
        return None
    if traits.four_levels or traits.refiner_text:
        refiner = traits.refiner_text or not traits.linear
        what = (
            "the SDXL refiner, which nobody trains LoRAs for"
            if refiner
            else "a refiner or an unCLIP model, whose second embedding is another"
        )
        raise BaseModelError(
            f"{source} is {what}; give the SDXL base or a model made from it.", code="base.special_model", path=str(source)
        )
    return Match("the U-Net has a second embedding, of sizes and the pooled text, as Stable Diffusion XL")


def from_file(file: DenoiserFile) -> Match | None:
    return _match(file.source, traits_in_file(file))


def from_config(folder: Path, pipeline: str, settings: Mapping[str, Any]) -> Match | None:
    traits = traits_in_config(folder, settings)
    return _match(folder, UnetTraits(second_embedding=True, four_levels=traits.four_levels, linear=True)) and Match("")


SDXL = Family(
    name="sdxl",
    title="Stable Diffusion XL",
    package=__package__,
    base_class="StableDiffusionXL",
    denoiser="unet",
    variants={"": Variant(config.PARTS, config.SCHEDULER, DEFAULTS, licence="CreativeML Open RAIL++-M")},
    tokenizers={"tokenizer": CLIP_TOKENIZER, "tokenizer_2": OPEN_CLIP_TOKENIZER},
    prediction=Prediction(
        ("epsilon", "v_prediction"),
        unmarked_note="some v-prediction models carry no mark: if its authors call it that, set base.prediction_type to v_prediction",
        zero_snr_note="v-prediction models of SDXL are mostly trained to zero terminal SNR: if its authors say so, set base.zero_terminal_snr",
    ),
    sizes=unet_sizes,
    detection=Detection(
        ("StableDiffusionXLPipeline",),
        from_file,
        from_config,
        part_prefixes={"text_encoder_2": ("embedders.1.", "clip_g.", "text_encoder_2.")},
    ),
    lora=LoraNaming(
        {
            "unet": PartNaming("lora_unet", LDM_NAMES),
            "text_encoder": PartNaming("lora_te1", CLIP_NAMES, "TE1_"),
            "text_encoder_2": PartNaming("lora_te2", CLIP_NAMES, "TE2_", whole_attention=True),
        },
        in_words="lora_unet_ with the original (input_blocks) names, lora_te1_ and lora_te2_ for the text encoders",
        consumers=THREE_LEVELS,
        left_out=PROJECTION,
        marks=LoraMarks(
            certain=r"text_encoder_2_|add_embedding|label_emb|(attentions_\d|blocks_\d+_1|middle_block_1)_transformer_blocks_[1-9]",
            versions=("sdxl", "stable-diffusion-xl"),
            cross_attention=2048,
            twins=("Kolors",),
            likely=r"transformer_blocks_[2-9]_|(input|output)_blocks_\d",
        ),
        original_path=ORIGINAL_PATH,
    ),
    captions=SENTENCES,
    clip_skip=ClipSkip("clip skip is not set by custom: SDXL reads the last but one layer of both text encoders (UIs call that 2)", most=2),
    called_elsewhere={
        "SD-Trainer": ("sdxl-lora",),
        "ai-toolkit": (
            "is_xl",
            "sdxl",
        ),
        "OneTrainer": ("STABLE_DIFFUSION_XL_10_BASE",),
        "SimpleTuner": ("sdxl",),
    },
    sd_scripts=SdScripts(
        script="sdxl_train_network.py",
        base_model_version={"epsilon": "sdxl_base_v1-0", "v_prediction": "sdxl_base_v1-0"},
        architecture={"sdxl_base_v1-0": ("stable-diffusion-xl-v1-base", "https://github.com/Stability-AI/generative-models")},
        gui_flag="sdxl",
        options={"sdxl_cache_text_encoder_outputs": "", "sdxl_no_half_vae": ""},
        reads_clip_skip=False,
        second_text_encoder_lr=False,
        block_row=THREE_LEVEL_ROW,
    ),
    reads_emphasis=True,
    ui_type="SDXL",
    relatives={
        "pony": Relative(
            "Pony, Illustrious or NoobAI",
            CaptionStyle(
                "tags",
                "Anime bases (Pony, Illustrious, NoobAI) were trained on booru tags and understand little of sentences.",
                "Let a tagger write tags; the sentence may stay on the second line.",
            ),
        )
    },
)
