"""The record of Lumina 2: Lumina-Image 2.0, and what was trained on from it (Neta Lumina, NetaYume)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lorasmith.captions.style import CaptionStyle
from lorasmith.errors import BaseModelError
from lorasmith.models.architectures.transformer_consumers import NATIVE, UNKNOWN, of_transformer
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
from lorasmith.models.lora_naming import LOADS, LoraMarks, LoraNaming, PartNaming, readings
from lorasmith.models.lumina2 import config
from lorasmith.models.lumina2.layers import TRANSFORMER_NAMES, not_read_by_diffusers
from lorasmith.models.lumina2.tokenizer import GEMMA_TOKENIZER
from lorasmith.models.shift import FixedShift
from lorasmith.models.template import Template

DEFAULTS = FamilyDefaults(
    resolution=1024, bucket_step=16, max_token_lengths=(256,),
    rate=Rate(1e-4, "what Lumina 2 LoRAs are mostly trained with, at rank 8 to 32", "sd-scripts' guide"),
    text_encoder_lr=0.0, trained_text_encoders=(), text_encoders_left_alone="its language model is large and understands sentences",
    finds_its_own_rate=False, shift=FixedShift(6.0), steps=30, cfg_scale=4.0, save_precision="bf16", memory_per_image="26 GB",
)  # fmt: skip


def sizes(settings: Mapping[str, Mapping[str, Any]]) -> Sizes:
    """By the autoencoder's size; a token is 2 x 2 latents."""
    vae = settings["vae"]
    return Sizes(vae["sample_size"], 2 * 2 ** (len(vae["block_out_channels"]) - 1))


def from_file(file: DenoiserFile) -> Match | None:
    if any(name.startswith("clip_text_pooled_proj.") for name in file.shapes):
        raise BaseModelError(
            f"{file.source} is NewBie, which was made from Lumina 2 and reads Gemma 3 and Jina CLIP; it is not trained here: give Lumina-Image "
            "2.0 or one of its fine-tuned bases.",
            code="base.special_model",
            path=str(file.source),
        )
    modulated = {"original": "layers.0.adaLN_modulation.1.weight", "diffusers": "layers.0.norm1.linear.weight"}
    if modulated[file.names] not in file.shapes:
        return None  # Z-Image, whose modulation begins otherwise
    return Match("its blocks have the picture's and the caption's tokens in one row and more queries than keys, as Lumina 2")


def from_config(folder: Path, pipeline: str, settings: Mapping[str, Any]) -> Match | None:
    return Match("")


CONSUMERS = of_transformer(
    {
        "kohya, original path": readings(forge=LOADS, comfyui=LOADS, diffusers=UNKNOWN),
        "diffusers": readings(forge=UNKNOWN, comfyui=UNKNOWN, diffusers=LOADS),
    },
    alphas_refused_by_diffusers=frozenset({NATIVE}),
    refused_files={("diffusers", NATIVE): not_read_by_diffusers},
)

_IN_BLOCK = r"(layers|noise_refiner|context_refiner)_\d+_"
_OUTSIDE = (
    r"final_layer_(linear|adaLN_modulation_1)|norm_out_linear_[12]|x_embedder|cap_embedder_1|t_embedder_mlp_[02]|time_caption_embed_\w+"
)
_SHARED = r"attention_(qkv|out)|feed_forward_w[123]"
"""Layers of a block that Z-Image has under the same names."""
_OWN = r"adaLN_modulation_1|attn_to_(q|k|v|out_0)|feed_forward_linear_[123]|norm1_linear"

LUMINA2 = Family(
    name="lumina2",
    title="Lumina 2",
    package=__package__,
    base_class="Lumina2",
    denoiser="transformer",
    variants={"": Variant(config.PARTS, config.SCHEDULER, DEFAULTS, licence="Apache-2.0")},
    tokenizers={"tokenizer": GEMMA_TOKENIZER},
    prediction=Prediction(("flow",), usual_reason="Lumina 2 models predict the flow"),
    sizes=sizes,
    detection=Detection(("Lumina2Pipeline", "Lumina2Text2ImgPipeline"), from_file, from_config),
    lora=LoraNaming(
        {"transformer": PartNaming("diffusion_model", TRANSFORMER_NAMES)},
        in_words="diffusion_model. and the original names (layers.0.attention.qkv), query, key and value in one, without alphas",
        consumers=CONSUMERS,
        marks=LoraMarks(
            shaped={
                rf"{_IN_BLOCK}(attention_(qkv|out)|attn_to_(q|k|v|out_0)|feed_forward_(w|linear_)[13])$": lambda shape: shape[1] == 2304
            },
            named_layers=rf"main_({_IN_BLOCK}({_SHARED}|{_OWN})|{_OUTSIDE})",
            certain=rf"{_IN_BLOCK}({_OWN})$",
            versions=("lumina-2", "lumina2", "lumina-image-2"),
            # NewBie has the same blocks, and ten more.
            beyond=r"main_layers_(2[6-9]|[3-9]\d)_|clip_text_pooled_proj",
            shared_paths={"NewBie": rf"{_IN_BLOCK}({_SHARED}|adaLN_modulation_1)"},
            blocks={"layers": 26},
        ),
        style="dotted",
        alpha_keys=False,
        original_path=r"(layers|(noise|context)_refiner)[._]\d+[._](attention[._]|feed_forward[._]w|adaLN)|final_layer|x_embedder|cap_embedder|t_embedder",
    ),
    captions=CaptionStyle(
        "sentences",
        "Lumina 2 reads whole sentences with a language model; its anime tunes read Danbooru's tags as well.",
        "Let a captioner describe the pictures: lorasmith captions describe.",
        strict=False,
    ),
    template=Template(
        "You are an assistant designed to generate superior images with the superior degree of image-text alignment based on textual prompts or "
        "user prompts. <Prompt Start> ",
        start="<bos>",
        before_ends="<Prompt Start>",
    ),
    caption_step=1,
    clip_skip=ClipSkip("clip skip is not used: Lumina 2 reads the last but one layer of a language model"),
    states_read=lambda layers, denoiser: (layers - 1,),
    called_elsewhere={"ai-toolkit": ("lumina2", "is_lumina2"), "SimpleTuner": ("lumina2",)},
    sd_scripts=SdScripts(
        script="lumina_train_network.py",
        base_model_version={"flow": "lumina2"},
        architecture={"lumina2": ("lumina-2", "https://github.com/Alpha-VLLM/Lumina-Image-2.0")},
        network_module="networks.lora_lumina",
        gui_flag="lumina_checkbox",
        gui_prefix="lumina_",
        options={"gemma2": "base.text_encoder", "ae": "base.vae", "gemma2_max_token_length": "base.max_token_length"},
        defaults={
            "timestep_sampling": "shift",
            "discrete_flow_shift": 6.0,
            "model_prediction_type": "raw",
            "guidance_scale": None,
        },
        reads_clip_skip=False,
        token_length_option="gemma2_max_token_length",
        second_text_encoder_lr=False,
    ),
)
