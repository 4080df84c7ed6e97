"""The record of Chroma: Flux.1 schnell made smaller and trained on, without CLIP, guidance and modulation layers, Apache-2.0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lorasmith.captions.style import CaptionStyle
from lorasmith.errors import BaseModelError
from lorasmith.models.architectures.t5_tokenizer import T5_TOKENIZER
from lorasmith.models.architectures.transformer_consumers import (
    DIFFUSERS_FINDS_NO_LOKR,
    EVERYBODY,
    NATIVE,
    NOBODY_AND_FORGE_REFUSES,
    NORMS_WITHOUT_DOTS,
    UNKNOWN,
    of_transformer,
)
from lorasmith.models.architectures.unet_consumers import DIFFUSERS_NAMES
from lorasmith.models.chroma import config
from lorasmith.models.chroma.layers import TRANSFORMER_NAMES
from lorasmith.models.chroma.names import APPROXIMATOR
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
    SdScripts,
    Sizes,
    Variant,
)
from lorasmith.models.lora_naming import LOADS, LoraMarks, LoraNaming, PartNaming, drops, readings
from lorasmith.models.named import is_called
from lorasmith.models.shift import LineShift

DEFAULTS = FamilyDefaults(
    resolution=1024, bucket_step=64, max_token_lengths=(512, 256),
    rate=Rate(1e-4, "the careful end of the 1e-4 to 3e-4 that Chroma LoRAs are trained with", "the examples of ai-toolkit and OneTrainer"),
    network=NetworkSize(32, "ai-toolkit's default; 16 to 32 are usual", "the examples of ai-toolkit and OneTrainer"),
    text_encoder_lr=0.0, trained_text_encoders=(), text_encoders_left_alone="Chroma reads T5, which is large and understands sentences",
    finds_its_own_rate=False, timestep_sampling="sigmoid", shift=LineShift((256, 0.5), (4096, 1.15)), steps=30, cfg_scale=4.0,
    save_precision="bf16", memory_per_image="32 GB",
)  # fmt: skip


def sizes(settings: Mapping[str, Mapping[str, Any]]) -> Sizes:
    """By the autoencoder's size; a token is 2 x 2 latents."""
    vae = settings["vae"]
    return Sizes(vae["sample_size"], 2 * 2 ** (len(vae["block_out_channels"]) - 1))


_REASON = "the transformer has Flux.1's blocks and an approximator of their modulation, as Chroma"


def from_file(file: DenoiserFile) -> Match | None:
    if not any(name.startswith(f"{APPROXIMATOR}.") for name in file.shapes):
        return None
    if any(name.startswith("nerf_blocks.") for name in file.shapes):
        raise BaseModelError(
            f"{file.source} is Chroma Radiance, which works on pixels without an autoencoder and is not trained here; give Chroma1-HD or "
            "Chroma1-Base.",
            code="base.special_model",
            path=str(file.source),
        )
    return _by_name(file.source, _REASON)


def from_config(folder: Path, pipeline: str, settings: Mapping[str, Any]) -> Match | None:
    return _by_name(folder, "")


def _by_name(source: Path, reason: str) -> Match:
    """Flash has the layers of the others; only what it is called tells it apart."""
    if is_called(source, "flash"):
        return Match(f"{reason}{', and ' if reason else ''}its name says Flash", "flash")
    return Match(reason)


CONSUMERS = of_transformer(
    {
        "kohya, original path": EVERYBODY,
        "kohya, diffusers path": NOBODY_AND_FORGE_REFUSES,
        "diffusers": readings(drops(DIFFUSERS_NAMES), LOADS, LOADS, LOADS),
        NATIVE: readings(UNKNOWN, LOADS, LOADS, drops("it finds no layer under these names and says nothing")),
    },
    nobody=NOBODY_AND_FORGE_REFUSES,
    unknown_names={"diffusers": r"lora_unet_(img_in|txt_in|final_layer_linear|distilled_guidance_layer_\w+)", **NORMS_WITHOUT_DOTS},
    kinds=DIFFUSERS_FINDS_NO_LOKR,
    reads_beside_embeddings=True,
)

_OF_FLUX = (
    r"mod_lin|modulation_lin|norm1(_context)?_linear|single_transformer_blocks_\d+_norm_linear|time_|guidance_in|vector_in|norm_out|adaLN"
)
"""Layers that Flux.1 has beside those of Chroma."""
_SHARED = (
    r"lora_unet_(double_blocks_\d+_(img|txt)_(attn_(qkv|proj|norm_\w+)|mlp_[02])|single_blocks_\d+_(linear[12]|norm_\w+)|(img|txt)_in"
    r"|final_layer_linear)"
)

CHROMA = Family(
    name="chroma",
    title="Chroma",
    package=__package__,
    base_class="Chroma",
    denoiser="transformer",
    variants={
        "": Variant(
            config.PARTS,
            config.SCHEDULER,
            DEFAULTS,
            distilled=None,
            licence="Apache-2.0",
            note="Chroma1-HD and Chroma1-Base are not distilled, Chroma1-Flash is: their files look alike",
        ),
        "flash": Variant(
            config.PARTS,
            config.SCHEDULER,
            replace(DEFAULTS, cfg_scale=1.0),
            distilled=True,
            licence="Apache-2.0",
            note="Flash was tuned to draw in few steps without guidance: train on Chroma1-HD or Chroma1-Base and use the file with both",
        ),
    },
    tokenizers={"tokenizer": T5_TOKENIZER},
    prediction=Prediction(("flow",), usual_reason="Chroma predicts the flow"),
    sizes=sizes,
    detection=Detection(("ChromaPipeline",), from_file, from_config),
    lora=LoraNaming(
        {"transformer": PartNaming("lora_unet", TRANSFORMER_NAMES)},
        in_words="lora_unet_ with the original (double_blocks) names and query, key and value in one",
        consumers=CONSUMERS,
        marks=LoraMarks(
            certain=APPROXIMATOR,
            versions=("chroma",),
            named_layers=rf"main_(?!.*({_OF_FLUX})).*",
            shared_layers={"Flux.1": _SHARED},
        ),
        original_path=r"double_|single_blocks|img_|txt_|final_layer|distilled_guidance_layer",
    ),
    captions=CaptionStyle(
        "sentences",
        "Chroma reads whole sentences with a language model and was trained on them.",
        "Let a captioner describe the pictures: lorasmith captions describe.",
    ),
    caption_step=1,
    clip_skip=ClipSkip("clip skip is not used: Chroma reads T5's last layer"),
    called_elsewhere={"SD-Trainer": ("chroma-lora",), "ai-toolkit": ("chroma",), "OneTrainer": ("CHROMA_1",), "SimpleTuner": ("chroma",)},
    sd_scripts=SdScripts(
        script="flux_train_network.py",
        base_model_version={"flow": "chroma"},
        architecture={"chroma": ("chroma", "https://huggingface.co/lodestones/Chroma")},
        network_module="networks.lora_flux",
        model_type="chroma",
        options={"t5xxl": "base.text_encoder", "ae": "base.vae", "t5xxl_max_token_length": "base.max_token_length"},
        reads_clip_skip=False,
        token_length_option="t5xxl_max_token_length",
        second_text_encoder_lr=False,
    ),
)
