"""The record of Krea 2, Raw and Turbo."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lorasmith.captions.style import CaptionStyle
from lorasmith.errors import BaseModelError
from lorasmith.models.architectures.qwen_tokenizer import QWEN_TOKENIZER
from lorasmith.models.architectures.transformer_consumers import EVERYBODY, NATIVE, UNKNOWN, of_transformer
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
from lorasmith.models.files.part_files import read_json
from lorasmith.models.krea2 import config
from lorasmith.models.krea2.layers import TRANSFORMER_NAMES
from lorasmith.models.lora_naming import LOADS, LoraMarks, LoraNaming, PartNaming, readings
from lorasmith.models.named import TURBO, is_called
from lorasmith.models.shift import FixedShift, LineShift
from lorasmith.models.template import DESCRIBE

LICENCE = "Krea's own, free of charge below a revenue of $1M"
DEFAULTS = FamilyDefaults(
    resolution=1024, bucket_step=16, max_token_lengths=(512,),
    rate=Rate(1e-4, "what most train Krea 2 with, at rank 32", "Krea's advice, ai-toolkit, musubi-tuner"),
    network=NetworkSize(32, "the authors' advice", "Krea's advice, ai-toolkit, musubi-tuner"), timesteps_by="musubi-tuner's krea2_shift",
    text_encoder_lr=0.0, trained_text_encoders=(), text_encoders_left_alone="its language model is large and understands sentences",
    finds_its_own_rate=False, shift=LineShift((256, 0.5), (6400, 1.15)), steps=28, cfg_scale=5.5, save_precision="bf16", memory_per_image="50 GB",
)  # fmt: skip
VARIANTS = {
    "raw": Variant(config.PARTS, config.SCHEDULER, DEFAULTS, distilled=None, licence=LICENCE),
    "turbo": Variant(
        config.PARTS,
        config.SCHEDULER,
        replace(DEFAULTS, steps=8, cfg_scale=1.0, shift=FixedShift(math.exp(1.15))),
        distilled=True,
        licence=LICENCE,
        note="Turbo was distilled to eight steps: a LoRA trained on it unlearns that. Train on Raw and use the file with both, or merge a "
        "training adapter into Turbo while it trains (base.merge)",
    ),
}


def layers_read(layers: int, count: int) -> tuple[int, ...]:
    """Which hidden states are read of a language model with this number of layers: with 36, every third from the second on."""
    step = layers // count
    return tuple(range(step - 1, layers, step))


def sizes(settings: Mapping[str, Mapping[str, Any]]) -> Sizes:
    """A token is 2 x 2 latents; no part says which square it was made for."""
    return Sizes(DEFAULTS.resolution, 2 * 2 ** len(settings["vae"]["temperal_downsample"]))


def from_file(file: DenoiserFile) -> Match | None:
    reason = "its transformer fuses the states of several layers of a language model, as Krea 2"
    return Match(f"{reason}, and its name says Turbo", "turbo") if is_called(file.source, TURBO) else Match(reason, "raw")


def from_config(folder: Path, pipeline: str, settings: Mapping[str, Any]) -> Match | None:
    index, text = read_json(folder / "model_index.json"), folder / "text_encoder" / "config.json"
    selected = index.get("text_encoder_select_layers")
    if selected is not None and text.is_file():
        found = read_json(text)
        layers = found.get("text_config", found)["num_hidden_layers"]
        if tuple(selected) != layers_read(layers, settings["num_text_layers"]):
            raise BaseModelError(
                f"{folder} reads the layers {selected} of its language model, which no Krea 2 does; give Raw or Turbo.",
                code="base.special_model",
                path=str(folder),
            )
    distilled = index.get("is_distilled", is_called(folder, TURBO))
    return Match("its model_index.json says that it is distilled", "turbo") if distilled else Match("", "raw")


CONSUMERS = of_transformer(
    {
        "kohya, original path": readings(forge=LOADS, comfyui=LOADS, diffusers=UNKNOWN),
        "diffusers": EVERYBODY,
        "peft": readings(forge=UNKNOWN, comfyui=UNKNOWN, diffusers=LOADS),
        "another": readings(),
    },
    alphas_refused_by_diffusers=frozenset({NATIVE}),
)

KREA2 = Family(
    name="krea2",
    title="Krea 2",
    package=__package__,
    base_class="Krea2",
    denoiser="transformer",
    variants=VARIANTS,
    tokenizers={"tokenizer": QWEN_TOKENIZER},
    prediction=Prediction(("flow",), usual_reason="Krea 2 models predict the flow"),
    sizes=sizes,
    detection=Detection(("Krea2Pipeline",), from_file, from_config),
    lora=LoraNaming(
        {"transformer": PartNaming("diffusion_model", TRANSFORMER_NAMES)},
        in_words="diffusion_model. and the original names (blocks.0.attn.wq), without alphas",
        consumers=CONSUMERS,
        marks=LoraMarks(
            certain=r"main_blocks_\d+_(attn_(w[qkvo]|gate)|mlp_(gate|up|down))$|txtfusion_|text_fusion_|attn_to_gate$|ff_(gate|up|down)$",
            versions=("krea2", "krea-2", "krea_2"),
        ),
        style="dotted",
        alpha_keys=False,
        original_path=r"blocks[._]|txtfusion[._]|first|last[._]|tmlp[._]|tproj[._]|txtmlp[._]",
    ),
    captions=CaptionStyle(
        "sentences",
        "Krea 2 reads whole sentences with a language model and was trained on them.",
        "Let a captioner describe the pictures: lorasmith captions describe.",
    ),
    template=replace(DESCRIBE, cut="caption"),
    caption_step=1,
    clip_skip=ClipSkip("clip skip is not used: Krea 2 reads many layers of a language model"),
    states_read=lambda layers, denoiser: layers_read(layers, denoiser["num_text_layers"]),
    called_elsewhere={"ai-toolkit": ("krea2",), "OneTrainer": ("KREA_2",), "SimpleTuner": ("krea2",)},
)
