"""The record of Flux.1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lorasmith.captions.style import CaptionStyle
from lorasmith.errors import BaseModelError
from lorasmith.models.architectures.clip_tokenizer import CLIP_TOKENIZER
from lorasmith.models.architectures.double_stream_layers import TRANSFORMER_NAMES
from lorasmith.models.architectures.t5_tokenizer import T5_TOKENIZER
from lorasmith.models.architectures.text_encoder_layers import CLIP_NAMES, T5_NAMES
from lorasmith.models.architectures.transformer_consumers import (
    DIFFUSERS_FINDS_NO_LOKR,
    EVERYBODY,
    NATIVE,
    NOBODY_AND_FORGE_REFUSES,
    NORMS_WITHOUT_DOTS,
    UNKNOWN,
    of_transformer,
)
from lorasmith.models.architectures.unet_consumers import CLIP_NAMINGS, CLIP_NORMS, DIFFUSERS_NAMES
from lorasmith.models.architectures.unet_traits import input_width
from lorasmith.models.family import (
    ClipSkip,
    DenoiserFile,
    Detection,
    Family,
    FamilyDefaults,
    Match,
    Prediction,
    Rate,
    SdScripts,
    Sizes,
    Variant,
)
from lorasmith.models.flux import config
from lorasmith.models.lora_naming import LOADS, LoraMarks, LoraNaming, PartNaming, Reading, drops, readings
from lorasmith.models.shift import LineShift

DEFAULTS = FamilyDefaults(
    resolution=1024, bucket_step=64, max_token_lengths=(512, 256),
    rate=Rate(1e-4, "what Flux LoRAs are mostly trained with; lower it if colours burn"),
    text_encoder_lr=0.0, text_encoders_left_alone="Flux's encoders are large and understand sentences", finds_its_own_rate=False,
    shift=LineShift((256, 0.5), (4096, 1.15)), steps=25, cfg_scale=1.0, guidance=3.5, save_precision="bf16", memory_per_image="36 GB",
)  # fmt: skip
VARIANTS = {
    "dev": Variant(config.PARTS, config.SCHEDULER, DEFAULTS, licence="FLUX.1 [dev] Non-Commercial License"),
    "schnell": Variant(
        config.PARTS_SCHNELL,
        config.SCHEDULER_SCHNELL,
        replace(DEFAULTS, max_token_lengths=(256,), steps=4, guidance=None, memory_per_image="34 GB"),
        distilled=True,
        licence="Apache-2.0",
        note="schnell was distilled to four steps: a LoRA trained on it unlearns that; most train on dev and use the file with both",
    ),
}


def sizes(settings: Mapping[str, Mapping[str, Any]]) -> Sizes:
    """By the autoencoder's size; a token is 2 x 2 latents."""
    vae = settings["vae"]
    return Sizes(vae["sample_size"], 2 * 2 ** (len(vae["block_out_channels"]) - 1))


def from_file(file: DenoiserFile) -> Match | None:
    first, guidance = (
        ("img_in.weight", "guidance_in.in_layer.weight")
        if file.names == "bfl"
        else ("x_embedder.weight", "time_text_embed.guidance_embedder.linear_1.weight")
    )
    _refuse_special(file.source, input_width(file, first), file.prefix + first)
    if guidance in file.shapes:
        return Match("the transformer has double and single blocks and an input for the guidance, as Flux.1 dev", "dev")
    return Match("the transformer has double and single blocks and no input for the guidance, as Flux.1 schnell", "schnell")


def from_config(folder: Path, pipeline: str, settings: Mapping[str, Any]) -> Match | None:
    _refuse_special(folder, settings.get("in_channels", 64), "in_channels")
    guided = bool(settings.get("guidance_embeds"))
    return Match(f"its transformer has {'an' if guided else 'no'} input for the guidance", "dev" if guided else "schnell")


def _refuse_special(source: Path, channels: int, where: str) -> None:
    if channels != 64:
        what = {384: "Flux Fill, an inpainting model", 128: "Flux Canny or Depth, a model led by a picture"}
        raise BaseModelError(
            f"{source} is {what.get(channels, 'a special model of Flux')} ({where} takes {channels} channels, a plain one 64); give the plain "
            "dev or schnell model.",
            code="base.special_model",
            path=str(source),
        )


CONSUMERS = of_transformer(
    {
        **CLIP_NAMINGS,
        "kohya, original path": EVERYBODY,
        "kohya, diffusers path": NOBODY_AND_FORGE_REFUSES,
        "kohya, T5": readings(LOADS, LOADS, LOADS, drops("it loads no LoRA into T5")),
        "diffusers": readings(drops(DIFFUSERS_NAMES), LOADS, LOADS, LOADS),
        "lora_transformer_": readings(
            forge=LOADS, comfyui=LOADS, diffusers=Reading("refused", "it does not know these names (ValueError)")
        ),
        NATIVE: readings(UNKNOWN, LOADS, LOADS, UNKNOWN),
        "XLabs": readings(UNKNOWN, Reading("refused", "it does not know XLabs' names"), LOADS, LOADS),
    },
    nobody=NOBODY_AND_FORGE_REFUSES,
    unknown_names={
        "diffusers": r"lora_unet_(img_in|txt_in|(time|guidance|vector)_in_(in|out)_layer|final_layer_linear)",
        **{program: f"{pattern}|{CLIP_NORMS}" for program, pattern in NORMS_WITHOUT_DOTS.items()},
    },
    needed_names={("ComfyUI", "XLabs"): frozenset({"single_blocks.37.processor.qkv_lora", "double_blocks.18.processor.qkv_lora2"})},
    kinds=DIFFUSERS_FINDS_NO_LOKR,
    reads_beside_embeddings=True,
)

_ATTENTION = r"transformer_blocks_\d+_attn_(to_[qkv]|to_out_0|to_add_out|add_[qkv]_proj)"
_FRAME = r"time_text_embed_timestep_embedder_linear_[12]|norm_out_linear|proj_out"
"""Layers in diffusers' names that other models of the same width have as well."""

FLUX = Family(
    name="flux",
    title="Flux.1",
    package=__package__,
    base_class="Flux",
    denoiser="transformer",
    variants=VARIANTS,
    tokenizers={"tokenizer": CLIP_TOKENIZER, "tokenizer_2": T5_TOKENIZER},
    prediction=Prediction(("flow",), usual_reason="Flux models predict the flow"),
    sizes=sizes,
    detection=Detection(("FluxPipeline",), from_file, from_config),
    lora=LoraNaming(
        {
            "transformer": PartNaming("lora_unet", TRANSFORMER_NAMES),
            "text_encoder": PartNaming("lora_te1", CLIP_NAMES, "TE1_"),
            "text_encoder_2": PartNaming("lora_te3", T5_NAMES, "TE3_"),
        },
        in_words="lora_unet_ with the original (double_blocks) names and query, key and value in one, lora_te1_ for CLIP",
        consumers=CONSUMERS,
        marks=LoraMarks(
            certain=r"(double|single)_blocks_\d|single_transformer_blocks_\d|main_transformer_blocks_\d",
            versions=("flux",),
            shared_layers={
                # Chroma is Flux.1 without modulations, CLIP and guidance; FLUX.2 klein 4B has five double blocks as wide, with other MLPs.
                "Chroma": r"lora_unet_(double_blocks_\d+_(img|txt)_(attn_(qkv|proj|norm_\w+)|mlp_[02])|single_blocks_\d+_(linear[12]|norm_\w+)|(img|txt)_in|final_layer_linear)|lora_te3_.*",
                "FLUX.2 klein": r"lora_unet_(double_blocks_[0-4]_(img|txt)_attn_(qkv|proj|norm_\w+)|single_blocks_1?\d_norm_\w+|time_in_(in|out)_layer)",
            },
            shared_paths={
                "HunyuanVideo": rf"double_blocks_\d+_(img|txt)_attn_(qkv|proj)|single_blocks_\d+_linear[12]|{_ATTENTION}|{_FRAME}"
                r"|transformer_blocks_\d+_(ff(_context)?_net_(0_proj|2)|norm1(_context)?_linear)"
                r"|single_transformer_blocks_\d+_(attn_to_[qkv]|proj_mlp|proj_out|norm_linear)"
                r"|time_text_embed_(text|guidance)_embedder_linear_[12]|vector_in_(in|out)_layer|final_layer_linear",
                "Qwen-Image": f"{_ATTENTION}|{_FRAME}",
            },
            blocks={"double_blocks": 19, "transformer_blocks": 19, "single_blocks": 38, "single_transformer_blocks": 38},
        ),
        original_path=r"double_|single_blocks|img_|txt_|time_in|vector_in|guidance_in|final_layer",
    ),
    captions=CaptionStyle(
        "sentences",
        "Flux reads whole sentences with a language model and was trained on them.",
        "Let a captioner describe the pictures: lorasmith captions describe.",
    ),
    clip_skip=ClipSkip("clip skip is not used: Flux reads CLIP's pooled state and T5's last layer"),
    called_elsewhere={
        "SD-Trainer": ("flux-lora",),
        "ai-toolkit": (
            "is_flux",
            "flux",
        ),
        "OneTrainer": ("FLUX_DEV_1",),
        "SimpleTuner": ("flux",),
    },
    sd_scripts=SdScripts(
        script="flux_train_network.py",
        base_model_version={"flow": "flux1"},
        architecture={"flux1": ("flux-1-dev", "https://github.com/black-forest-labs/flux")},
        network_module="networks.lora_flux",
        model_type="flux",
        gui_flag="flux1_checkbox",
        options={
            "clip_l": "base.text_encoder",
            "t5xxl": "base.text_encoder_2",
            "ae": "base.vae",
            "t5xxl_max_token_length": "base.max_token_length",
            "flux1_cache_text_encoder_outputs": "",
            "flux1_cache_text_encoder_outputs_to_disk": "",
        },
        reads_clip_skip=False,
        token_length_option="t5xxl_max_token_length",
        block_row=None,
    ),
    caption_tokenizers=("tokenizer_2",),
)
