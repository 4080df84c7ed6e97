"""The record of FLUX.2 klein, in two sizes; each was distilled to four steps from a base that is published too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lorasmith.captions.style import CaptionStyle
from lorasmith.errors import BaseModelError
from lorasmith.models.architectures.qwen_tokenizer import QWEN_TOKENIZER
from lorasmith.models.architectures.transformer_consumers import EVERYBODY, NATIVE, NOBODY_AND_FORGE_REFUSES, of_transformer
from lorasmith.models.architectures.unet_consumers import DIFFUSERS_NAMES
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
from lorasmith.models.klein import config
from lorasmith.models.klein.layers import TRANSFORMER_NAMES
from lorasmith.models.klein.shift import KleinShift
from lorasmith.models.lora_naming import LOADS, LoraMarks, LoraNaming, PartNaming, drops, readings
from lorasmith.models.named import is_called
from lorasmith.models.template import Template

DEFAULTS = FamilyDefaults(
    resolution=1024, bucket_step=64, max_token_lengths=(512,),
    rate=Rate(1e-4, "what klein LoRAs are mostly trained with; OneTrainer's 3e-5 is the careful end", "the examples of ai-toolkit and OneTrainer"),
    network=NetworkSize(32, "ai-toolkit's default; 16 to 32 are usual", "the examples of ai-toolkit and musubi-tuner"), timesteps_by="musubi-tuner's flux2_shift",
    text_encoder_lr=0.0, trained_text_encoders=(), text_encoders_left_alone="klein reads a language model, on which no program reads a LoRA",
    finds_its_own_rate=False, shift=KleinShift(), steps=50, cfg_scale=4.0, save_precision="bf16", memory_per_image="18 GB",
)  # fmt: skip
_SIZES = {
    "4B": (config.PARTS_4B, DEFAULTS, "Apache-2.0"),
    "9B": (config.PARTS_9B, replace(DEFAULTS, memory_per_image="30 GB"), "FLUX Non-Commercial License"),
}
_WIDTHS = {3072: "4B", 4096: "9B"}
_DEV = 6144


def _variants() -> dict[str, Variant]:
    """Each size as a single file has it, which does not say whether it was distilled, and as a diffusers folder says it."""
    found = {}
    for size, (parts, defaults, licence) in _SIZES.items():
        of_size = Variant(parts, config.SCHEDULER, defaults, distilled=None, licence=licence)
        base = f"FLUX.2 klein base {size}"
        found[size] = replace(
            of_size, note=f"train on {base}: klein {size} itself has the same shapes, and serves to generate with the LoRA"
        )
        found[f"base {size}"] = replace(of_size, distilled=False, note=f"a LoRA trained on it serves klein {size} too, in four steps")
        found[f"distilled {size}"] = replace(
            of_size, defaults=replace(defaults, steps=4, cfg_scale=1.0), distilled=True,
            note=f"it was distilled to four steps: a LoRA trained on it unlearns them; train on {base} and use the file with both",
        )  # fmt: skip
    return found


def sizes(settings: Mapping[str, Mapping[str, Any]]) -> Sizes:
    """By the autoencoder's size; a token is 2 x 2 of its latents."""
    vae = settings["vae"]
    return Sizes(vae["sample_size"], vae["patch_size"][0] * 2 ** (len(vae["block_out_channels"]) - 1))


def _match(source: Path, width: int, guidance: bool, distilled: bool | None) -> Match:
    if guidance or width == _DEV:
        raise BaseModelError(
            f"{source} is FLUX.2 dev, whose text encoder is a Mistral of 24 billion parameters and which is not trained here; give FLUX.2 klein.",
            code="base.special_model",
            path=str(source),
        )
    reason, size = f"the transformer shares its modulation and is {width:,} wide, as FLUX.2 klein", _WIDTHS.get(width, "4B")
    if distilled is None:
        return Match(reason, size)
    said = "was distilled to few steps" if distilled else "was not distilled"
    return Match(f"{reason} (one that {said}, it says)", f"{'distilled' if distilled else 'base'} {size}")


def from_file(file: DenoiserFile) -> Match | None:
    first = file.shapes.get("img_in.weight", file.shapes.get("x_embedder.weight", (0,)))
    guidance = any(name.startswith(("guidance_in.", "time_guidance_embed.guidance_embedder.")) for name in file.shapes)
    return _match(file.source, first[0], guidance, _distilled_by_name(file.source))


def from_config(folder: Path, pipeline: str, settings: Mapping[str, Any]) -> Match | None:
    width = settings.get("num_attention_heads", 48) * settings.get("attention_head_dim", 128)
    distilled = read_json(folder / "model_index.json").get("is_distilled", _distilled_by_name(folder))
    return _match(folder, width, settings.get("guidance_embeds", True), distilled)


def _distilled_by_name(source: Path) -> bool | None:
    """By its authors' names, of which the plain one is the distilled model's: flux-2-klein-4b, flux-2-klein-base-4b."""
    if is_called(source, r"klein[-_. ]?base"):
        return False
    return True if is_called(source, r"klein[-_. ]?[49]b") else None


CONSUMERS = of_transformer(
    {
        "kohya, original path": EVERYBODY,
        "kohya, diffusers path": NOBODY_AND_FORGE_REFUSES,
        "diffusers": readings(drops(DIFFUSERS_NAMES), LOADS, LOADS, LOADS),
    },
    nobody=NOBODY_AND_FORGE_REFUSES,
    alphas_refused_by_diffusers=frozenset({NATIVE, "diffusers"}),
)


def _rows(ratio: int, *, of_input: int = 1) -> Any:
    """A rule about a change's shape: its rows to its columns as `ratio` to `of_input`, as in klein of any width; dev is another family."""
    return lambda shape: of_input * shape[0] == ratio * shape[1] and _DEV not in shape


_OTHER_WIDTH = r"(double|single)_stream_modulation|attn_to_qkv_mlp_proj|_ff(_context)?_linear_(in|out)$"

KLEIN = Family(
    name="klein",
    title="FLUX.2 klein",
    package=__package__,
    base_class="Klein",
    denoiser="transformer",
    variants=_variants(),
    tokenizers={"tokenizer": QWEN_TOKENIZER},
    prediction=Prediction(("flow",), usual_reason="FLUX.2 models predict the flow"),
    sizes=sizes,
    detection=Detection(("Flux2KleinPipeline", "Flux2Pipeline"), from_file, from_config),
    lora=LoraNaming(
        {"transformer": PartNaming("diffusion_model", TRANSFORMER_NAMES)},
        in_words="diffusion_model. and the original (double_blocks) names, without alphas",
        consumers=CONSUMERS,
        marks=LoraMarks(
            certain=_OTHER_WIDTH,
            versions=("klein",),
            named_layers=r"main_(?!.*(_mod_lin|modulation_lin|norm1|proj_mlp|ff_net)).*",
            shaped={
                r"single_blocks_\d+_linear1$": _rows(9),
                r"double_blocks_\d+_(img|txt)_mlp_0$": _rows(6),
                r"single_blocks_\d+_linear2$": _rows(1, of_input=4),
                r"double_blocks_\d+_(img|txt)_mlp_2$": _rows(1, of_input=3),
                r"double_blocks_\d+_(img|txt)_attn_": lambda shape: shape[1] == 4096,
                _OTHER_WIDTH: lambda shape: _DEV not in shape,
            },
        ),
        style="dotted",
        alpha_keys=False,
        original_path=r"double_|single_|img_in|txt_in|time_in|final_layer",
    ),
    captions=CaptionStyle(
        "sentences",
        "FLUX.2 klein reads whole sentences with a language model and was trained on them.",
        "Let a captioner describe the pictures: lorasmith captions describe.",
    ),
    template=Template("<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"),
    clip_skip=ClipSkip("clip skip is not used: klein reads three layers of a language model"),
    states_read=lambda layers, denoiser: (9, 18, 27),
    called_elsewhere={"ai-toolkit": ("flux2_klein_4b", "flux2_klein_9b"), "OneTrainer": ("FLUX_2",), "SimpleTuner": ("flux2",)},
)
