"""What kind of model some files are, from their headers and small configs alone.

A part is known by one tensor that nothing else has: the U-Net by its time embedding, Flux by its double blocks, and so on. What
stands before that tensor's name is the part's prefix, so any way of packing several parts into one file is understood. The family is
then told by how the denoiser is built, and only where that says nothing by a width:

    sd1    a U-Net whose attentions are led in by 1x1 convolutions
    sd2    by linear layers
    sdxl   by linear layers, with three levels and a second embedding (sizes and the pooled text)
    flux   double and single blocks; dev has `guidance_in`, schnell has not

What a model predicts is not in its weights. Marks in the file tell (`v_pred`, `ztsnr`, modelspec's metadata), or the scheduler's
config of a folder, or the user; else it is what the family usually predicts, and the description says that it was taken so.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lorasmith.errors import BaseModelError
from lorasmith.models.description import Names
from lorasmith.models.files.tensor_file import Entry

Entries = Mapping[str, Entry]
Kind = Literal["unet", "transformer", "vae", "clip", "t5"]


@dataclass(frozen=True)
class Found:
    """A part that lies in a file."""

    kind: Kind
    names: Names
    prefix: str


_ANCHORS: tuple[tuple[str, Kind, Names], ...] = (
    ("time_embed.0.weight", "unet", "ldm"),
    ("time_embedding.linear_1.weight", "unet", "diffusers"),
    ("double_blocks.0.img_attn.qkv.weight", "transformer", "bfl"),
    ("single_transformer_blocks.0.attn.to_q.weight", "transformer", "diffusers"),
    ("encoder.down.0.block.0.norm1.weight", "vae", "ldm"),
    ("encoder.down_blocks.0.resnets.0.norm1.weight", "vae", "diffusers"),
    ("embeddings.token_embedding.weight", "clip", "transformers"),
    ("token_embedding.weight", "clip", "open_clip"),
    ("encoder.block.0.layer.0.SelfAttention.q.weight", "t5", "transformers"),
)

# What a file can be that is no base of ours: a pattern of its keys -> what it is, what to do. Asked in this order.
_FOREIGN: tuple[tuple[str, str, str], ...] = (
    (
        r"(lora_(down|up)\.weight|\.lora_[AB]\.(.*\.)?weight|\.lora\.(down|up)\.weight|hada_w1_a|lokr_w[12](_a)?|oft_blocks|oft_diag|\.dora_scale|\.on_input)$|^lora_unet_.*\.diff$",
        "a LoRA file",
        "give the base model that it is for; `lorasmith check` reads LoRA files",
    ),
    (r"^(control_model\.|input_hint_block\.|controlnet_cond_embedding\.|controlnet_)", "a ControlNet", "give a base model"),
    (r"^(ip_adapter|image_proj)\.", "an IP-Adapter", "give a base model"),
    (r"motion_modules\.", "an AnimateDiff motion module", "give a base model"),
    (r"^(string_to_param|emb_params$|clip_[lg]$)", "a textual inversion embedding", "give a base model"),
    (r"(quant_state\.bitsandbytes|\.absmax$|\.quant_map$)", "quantised to four bits (bitsandbytes)", "give the fp16, bf16 or fp8 file of that model"),
    (r"(\.qweight$|\.qzeros$|svdq|\.smooth_factor|\.wscales$)", "quantised for drawing", "give the fp16, bf16 or fp8 file of that model"),
    (r"(^|\.)joint_blocks\.0\.", "Stable Diffusion 3", ""),
    (r"(^|\.)distilled_guidance_layer\.", "Chroma", ""),
    (r"(^|\.)(single_stream_modulation|double_stream_modulation_img)\.", "Flux.2", ""),
    (r"(^|\.)early_stream_modulations\.", "Flux.3", ""),
    (r"(^|\.)cap_embedder\.", "Lumina or Z-Image", ""),
    (r"(^|\.)head\.modulation$", "Wan", ""),
    (r"(^|\.)double_stream_blocks\.", "HiDream", ""),
    (r"(^|\.)txt_in\.individual_token_refiner\.", "HunyuanVideo", ""),
    (r"(^|\.)double_layers\.0\.", "AuraFlow", ""),
    (r"(^|\.)(patchify_proj|scale_shift_table)(\.|$)", "PixArt or LTX-Video", ""),
    (r"(^|\.)(clip_txt_mapper|down_blocks\.0\.0\.channelwise)\.", "Stable Cascade", ""),
    (r"(^|\.)transformer_blocks\.0\.img_mod\.", "Qwen-Image", ""),
    (r"(^|\.)pos_embed\.(proj|pos_embed)", "Stable Diffusion 3 or PixArt", ""),
)  # fmt: skip


def parts_in(entries: Entries) -> list[Found]:
    """The parts of models that lie in a file, the plain weights only (no EMA copies)."""
    found: list[Found] = []
    for key in entries:
        for anchor, kind, names in _ANCHORS:
            if not (key == anchor or key.endswith("." + anchor)):
                continue
            if anchor == "token_embedding.weight" and key.endswith("embeddings.token_embedding.weight"):
                continue
            prefix = key.removesuffix(anchor)
            if kind == "clip":
                prefix = prefix.removesuffix("text_model.")
            if not re.search(r"(^|[._])ema\.", prefix):
                found.append(Found(kind, names, prefix))
            break
    return found


def refuse_foreign(source: Path, entries: Entries) -> None:
    """Raises BaseModelError where a file is something other than a base of a family that we know."""
    for pattern, what, advice in _FOREIGN:
        search = re.compile(pattern).search
        if any(search(key) for key in entries):
            if not advice:
                what, advice = f"a {what} model" if what[0].isupper() else what, KNOWN_FAMILIES
            raise BaseModelError(f"{source} is {what}, which is no base that can be trained on here: {advice}")


KNOWN_FAMILIES = "give a Stable Diffusion 1.x, 2.x, XL or Flux.1 model"


def refuse_packed(source: Path, place: str, entries: Entries, prefix: str) -> None:
    """Raises BaseModelError where the weights of a part are integers: several packed into one, by a method we do not know."""
    packed = [
        k for k, e in entries.items() if k.startswith(prefix) and k.endswith(".weight") and e.dtype in ("U8", "I8") and len(e.shape) > 1
    ]
    if packed:
        raise BaseModelError(
            f"{source} is quantised ({packed[0]} of its {place} holds packed integers); give the fp16, bf16 or fp8 file of that model"
        )


@dataclass(frozen=True)
class Kindred:
    """A denoiser's family, and how we know."""

    family: str
    variant: str
    reason: str


def family_of(source: Path, entries: Entries, denoiser: Found, others: list[Found]) -> Kindred:
    """The family of a denoiser; raises BaseModelError where it is a special model (inpainting, refiner, ...)."""
    at = denoiser.prefix
    if denoiser.kind == "transformer":
        first = "img_in.weight" if denoiser.names == "bfl" else "x_embedder.weight"
        guidance = "guidance_in.in_layer.weight" if denoiser.names == "bfl" else "time_text_embed.guidance_embedder.linear_1.weight"
        return _flux(source, _width(source, entries, at + first), at + guidance in entries, at + first)
    first, last, second = (
        ("input_blocks.0.0.weight", "out.2.weight", "label_emb.0.0.weight")
        if denoiser.names == "ldm"
        else ("conv_in.weight", "conv_out.weight", "add_embedding.linear_1.weight")
    )
    if at + last not in entries:
        raise BaseModelError(f"{source} has half a U-Net (no {at + last}), as a ControlNet has; give a base model")
    channels = _width(source, entries, at + first)
    leading = next((e for k, e in entries.items() if k.startswith(at) and k.endswith("proj_in.weight")), None)
    deepest = "input_blocks.9." if denoiser.names == "ldm" else "down_blocks.3."
    return _unet(
        source,
        channels,
        second=at + second in entries or at + "label_emb.weight" in entries or at + "class_embedding.linear_1.weight" in entries,
        four_levels=any(k.startswith(at + deepest) for k in entries),
        linear=leading is not None and len(leading.shape) == 2,
        refining=any(part.kind == "clip" and "embedders.0.model." in part.prefix for part in others),
    )


def _unet(source: Path, channels: int, *, second: bool, four_levels: bool, linear: bool, refining: bool) -> Kindred:
    special = {
        9: "an inpainting model (9 input channels)", 8: "an instruct-pix2pix model (8 input channels)", 7: "an upscaler (7 input channels)",
        5: "a depth model (5 input channels)",
    }  # fmt: skip
    if channels != 4:
        raise BaseModelError(
            f"{source} is {special.get(channels, f'a model of {channels} input channels')}, which wants more than a noisy picture to train on; give the plain model that it was made from"
        )
    if second and (four_levels or refining):
        what = (
            "the SDXL refiner, which no one trains LoRAs for"
            if refining or not linear
            else "a refiner or an unclip model, whose second embedding is another"
        )
        raise BaseModelError(f"{source} is {what}; give the SDXL base or a model made from it")
    if second:
        return Kindred("sdxl", "", "the U-Net has a second embedding, of sizes and the pooled text, as Stable Diffusion XL")
    if linear:
        return Kindred("sd2", "", "linear layers lead into the U-Net's attentions, as in Stable Diffusion 2")
    return Kindred("sd1", "", "1x1 convolutions lead into the U-Net's attentions, as in Stable Diffusion 1")


def _flux(source: Path, channels: int, guided: bool, first: str) -> Kindred:
    if channels != 64:
        what = {384: "Flux Fill, an inpainting model", 128: "Flux Canny or Depth, a model led by a picture"}.get(
            channels, "a special model of Flux"
        )
        raise BaseModelError(f"{source} is {what} ({first} takes {channels} channels, a plain one 64); give the plain dev or schnell model")
    if guided:
        return Kindred("flux", "dev", "the transformer has double and single blocks and is told the guidance, as Flux.1 dev")
    return Kindred("flux", "schnell", "the transformer has double and single blocks and is told no guidance, as Flux.1 schnell")


def _width(source: Path, entries: Entries, key: str) -> int:
    """How many channels a first layer takes."""
    entry = entries.get(key)
    if entry is None or len(entry.shape) < 2:
        raise BaseModelError(f"{source} has no {key}, so it is only a piece of a model; download it again or give a complete one")
    return entry.shape[1]


# -- what it predicts -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prediction:
    """What a model predicts, whether its noise ends in pure noise, and how we know both."""

    type: Literal["epsilon", "v_prediction", "flow"]
    zero_terminal_snr: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()


PREDICTIONS = {"epsilon": "epsilon", "eps": "epsilon", "v": "v_prediction", "v_prediction": "v_prediction", "v-prediction": "v_prediction"}


def prediction_of(
    source: Path, family: str, keys: Entries, metadata: Mapping[str, str], scheduler: Mapping[str, Any] | None,
    wanted: str | None = None, wanted_zero_snr: bool | None = None,
) -> Prediction:  # fmt: skip
    """From the user's word, the file's marks, its metadata, the scheduler's config of a folder, or the family's habit, in this order."""
    if family == "flux":
        if wanted not in (None, "flow") or wanted_zero_snr:
            raise BaseModelError(
                f"{source} is a Flux model, which predicts the flow; leave out base.prediction_type and base.zero_terminal_snr"
            )
        return Prediction("flow", False, ("Flux models predict the flow",))
    if wanted == "flow":
        raise BaseModelError(f"{source} is no Flux model; base.prediction_type is epsilon or v_prediction")
    if any(key == "edm_mean" or key.startswith("edm_vpred.") for key in keys):
        raise BaseModelError(f"{source} was trained in the EDM way (Playground, CosXL), which is not known here; give another SDXL model")
    kind, reason = None, ""
    notes: list[str] = []
    spec = metadata.get("modelspec.prediction_type", "").lower()
    if wanted is not None:
        kind, reason = wanted, "base.prediction_type says so"
    elif "v_pred" in keys:
        kind, reason = "v_prediction", "the file carries the mark v_pred"
    elif spec in PREDICTIONS:
        kind, reason = PREDICTIONS[spec], f"its metadata say so (modelspec.prediction_type {spec})"
    elif scheduler is not None:
        said = str(scheduler.get("prediction_type", "epsilon"))
        if said not in ("epsilon", "v_prediction"):
            raise BaseModelError(f"the scheduler of {source} predicts {said!r}, which is not known here; give another base")
        kind, reason = said, "its scheduler's config says so"
    elif family == "sd2":
        kind, reason = "v_prediction", "taken as most Stable Diffusion 2 models have it; the weights do not tell"
        notes.append(
            "Stable Diffusion 2 comes as 768 (v-prediction) and as 512-base (epsilon), with weights of the same shape: if this is a 512-base, set base.prediction_type to epsilon"
        )
    else:
        kind, reason = "epsilon", "nothing in the file says otherwise, and its family usually does"
        if family == "sdxl":
            notes.append("some v-prediction models carry no mark: if its authors call it that, set base.prediction_type to v_prediction")
    reasons = [f"it predicts {'v' if kind == 'v_prediction' else 'epsilon'}: {reason}"]
    if wanted_zero_snr is not None:
        zero, why = wanted_zero_snr, "base.zero_terminal_snr says so"
    elif "ztsnr" in keys:
        zero, why = True, "the file carries the mark ztsnr"
    elif scheduler is not None:
        zero, why = bool(scheduler.get("rescale_betas_zero_snr")), "its scheduler's config says so"
    else:
        zero, why = False, "nothing in the file says so"
        if kind == "v_prediction" and family == "sdxl":
            notes.append(
                "v-prediction models of SDXL are mostly trained to zero terminal SNR: if its authors say so, set base.zero_terminal_snr"
            )
    if zero and kind == "epsilon":
        raise BaseModelError(
            f"{source} would predict epsilon with zero terminal SNR ({why}), which leaves nothing to predict from at the last timestep; set base.prediction_type or base.zero_terminal_snr"
        )
    reasons.append(f"{'zero' if zero else 'no zero'} terminal SNR: {why}")
    return Prediction("v_prediction" if kind == "v_prediction" else "epsilon", zero, tuple(reasons), tuple(notes))


# -- diffusers folders ----------------------------------------------------------------------------------------------------------

PIPELINES = {"StableDiffusionPipeline": "", "StableDiffusionXLPipeline": "sdxl", "FluxPipeline": "flux"}
_FOREIGN_PIPELINES: tuple[tuple[Callable[[str], bool], str], ...] = (
    (lambda name: "Inpaint" in name or "Fill" in name, "an inpainting model"),
    (lambda name: "InstructPix2Pix" in name, "an instruct-pix2pix model"),
    (lambda name: "ControlNet" in name or "Control" in name, "a model led by pictures"),
    (lambda name: "Upscale" in name, "an upscaler"),
)


def read_json(path: Path) -> dict[str, Any]:
    """A small config file; raises BaseModelError where it is absent or damaged."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BaseModelError(f"{path} cannot be read ({error.strerror or error}); download the base again") from error
    except (ValueError, RecursionError) as error:
        raise BaseModelError(f"{path} is damaged (no JSON); download the base again") from error
    if not isinstance(tree, dict):
        raise BaseModelError(f"{path} is damaged (no table of settings); download the base again")
    return tree


def family_of_folder(folder: Path, index: Mapping[str, Any], denoiser: Mapping[str, Any]) -> Kindred:
    """The family of a diffusers folder, from its index and the denoiser's config."""
    pipeline = index.get("_class_name")
    if not isinstance(pipeline, str):
        raise BaseModelError(f"{folder / 'model_index.json'} cannot be read as a model's index (no _class_name); download the base again")
    if pipeline not in PIPELINES:
        what = next((w for test, w in _FOREIGN_PIPELINES if test(pipeline)), "another kind of model")
        raise BaseModelError(f"the base {folder} is a {pipeline}, {what}, which is not trained here; {KNOWN_FAMILIES}")
    by = f"model_index.json names a {pipeline}"
    channels = denoiser.get("in_channels", 64 if pipeline == "FluxPipeline" else 4)
    if pipeline == "FluxPipeline":
        found = _flux(folder, channels, bool(denoiser.get("guidance_embeds")), "in_channels")
        return Kindred("flux", found.variant, f"{by}, whose transformer is told {'the' if found.variant == 'dev' else 'no'} guidance")
    if pipeline == "StableDiffusionXLPipeline":
        blocks = denoiser.get("down_block_types", [])
        _unet(folder, channels, second=True, four_levels=isinstance(blocks, list) and len(blocks) > 3, linear=True, refining=False)
        return Kindred("sdxl", "", by)
    linear = bool(denoiser.get("use_linear_projection"))
    if denoiser.get("class_embed_type") or denoiser.get("addition_embed_type"):
        raise BaseModelError(f"the base {folder} has a second embedding in its U-Net, which no {pipeline} has; {KNOWN_FAMILIES}")
    found = _unet(folder, channels, second=False, four_levels=True, linear=linear, refining=False)
    return Kindred(found.family, "", f"{by}, and {found.reason}")


def dtypes_of(entries: Entries, prefix: str) -> Counter[str]:
    """How many tensors of each type a part has."""
    return Counter(entry.dtype for key, entry in entries.items() if key.startswith(prefix))
