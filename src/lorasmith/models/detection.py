"""What kind of model some files are, from their headers and small configs alone.

A part is recognised by one tensor that nothing else has (`models.parts.Architecture.anchors`): the U-Net by its time embedding, and so
on. What comes before that tensor's name is the part's prefix, so any way of packing several parts into one file is understood. Then each
family with a denoiser of that architecture looks at how it is built (`models.family.Detection`), the newest family first, since a newer
one may have all the marks of an older one and some of its own.

What a model predicts is not in its weights: see `prediction_of`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lorasmith.errors import BaseModelError
from lorasmith.models import families
from lorasmith.models.architectures.parts import LOOKALIKES
from lorasmith.models.families import FAMILIES
from lorasmith.models.family import DenoiserFile, Family, Match, PredictionType
from lorasmith.models.files.eight_bits import unread_scales
from lorasmith.models.named import is_called
from lorasmith.models.parts import Architecture, in_words
from lorasmith.safetensors_header import Entry

Entries = Mapping[str, Entry]


@dataclass(frozen=True)
class Found:
    """A part in a file."""

    architecture: Architecture
    """The first that has this anchor; others of its kind may share it."""
    names: str
    prefix: str
    anchor: str = ""

    @property
    def kind(self) -> str:
        return self.architecture.kind

    def sizes(self, entries: Entries) -> dict[str, int]:
        """Setting -> its number in the file, of what tells the sizes of the architecture apart."""
        starts = (self.prefix, self.prefix + self.architecture.inner_prefix)
        found = {}
        for size in self.architecture.sizes:
            keys = (start + key for start in starts for key in size.keys)
            entry = next((entries[key] for key in keys if key in entries), None)
            if entry is not None and len(entry.shape) > size.axis:
                found[size.setting] = entry.shape[size.axis]
        return found

    def in_words(self, entries: Entries) -> str:
        """For people: "a Qwen3 language model, Qwen3 4B (2,560 wide)"."""
        return in_words(self.architecture, self.sizes(entries))

    def is_of(self, architecture: Architecture) -> bool:
        """Whether it is of this architecture and not of one that merely has its anchor."""
        return (self.architecture.kind, self.architecture.sign, self.architecture.title) == (
            architecture.kind,
            architecture.sign,
            architecture.title,
        )

    def may_be(self, architecture: Architecture) -> bool:
        """Whether the tensor that it was found by is one of this architecture as well."""
        return architecture.kind == self.kind and self.anchor in architecture.anchors


# What a file can be other than a base: a pattern of its keys -> what it is, what to do. They are asked in this order.
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
    (r"(\.qweight$|\.qzeros$|svdq|\.smooth_factor|\.wscales$)", "quantised for inference", "give the fp16, bf16 or fp8 file of that model"),
)  # fmt: skip
# Other families: a pattern of their keys -> their name. One that fits an anchor or the title of a family in the registry is passed over.
_OTHER_FAMILIES: tuple[tuple[str, str], ...] = (
    (r"(^|\.)early_stream_modulations\.", "Flux.3"),
    (r"(^|\.)head\.modulation$", "Wan"),
    (r"(^|\.)double_stream_blocks\.", "HiDream"),
    (r"(^|\.)txt_in\.individual_token_refiner\.", "HunyuanVideo"),
    (r"(^|\.)(double_layers|joint_transformer_blocks)\.0\.", "AuraFlow"),
    (r"(^|\.)(patchify_proj|scale_shift_table)(\.|$)", "PixArt or LTX-Video"),
    (r"(^|\.)(clip_txt_mapper|down_blocks\.0\.0\.channelwise)\.", "Stable Cascade"),
    (r"(^|\.)txt_in\.text_norm\.", "Qwen-Image 2.1"),
)


def parts_in(entries: Entries, source: Path | None = None) -> list[Found]:
    """The parts of models in a file, the plain weights only (no EMA copies); `source` is its name, which says what its tensors do not."""
    anchors: dict[str, list[tuple[Architecture, str]]] = {}
    for architecture in (*families.architectures(), *LOOKALIKES):
        for anchor, names in architecture.anchors.items():
            anchors.setdefault(anchor, []).append((architecture, names))
    longest_first = sorted(anchors, key=len, reverse=True)
    found: list[Found] = []
    for key in entries:
        anchor = next((one for one in longest_first if key == one or key.endswith("." + one)), "")
        if not anchor:
            continue
        architecture, names = min(anchors[anchor], key=lambda one: _unlike(one[0], entries, source))
        prefix = key.removesuffix(anchor).removesuffix(architecture.inner_prefix)
        whole = not architecture.beside or prefix + architecture.beside in entries
        whole = whole and not (architecture.not_beside and prefix + architecture.not_beside in entries)
        if whole and not re.search(r"(^|[._])ema\.", prefix):
            found.append(Found(architecture, names, prefix, anchor))
    return found


def _unlike(architecture: Architecture, entries: Entries, source: Path | None) -> int:
    """How little shows that a part with an anchor is of this architecture: its sign, what the file is called, nothing, or a lack of its sign."""
    if not architecture.sign:
        return 2
    if any(re.search(architecture.sign, key) for key in entries):
        return 0
    return 1 if architecture.called and source is not None and is_called(source, architecture.called) else 3


def denoisers_in(found: Iterable[Found]) -> list[Found]:
    """The denoisers among the parts of a file; where there are copies, the one that is used comes first."""
    denoisers = [part for part in found if any(part.may_be(denoiser_of(family)) for family in FAMILIES.values())]
    return sorted(denoisers, key=lambda part: "diffusion_model" not in part.prefix)


def denoiser_of(family: Family) -> Architecture:
    """The architecture of a family's denoiser."""
    return family.usual.parts[family.denoiser].architecture


def give_known() -> str:
    """What to do instead, for the end of a sentence."""
    return f"give a model of {families.in_words()}"


def refuse_foreign(source: Path, entries: Entries) -> None:
    """Raises BaseModelError where a file is something other than a base of a family in the registry."""
    for pattern, what, advice in _FOREIGN:
        if any(re.search(pattern, key) for key in entries):
            raise BaseModelError(
                f"{source} is {what}, which is not a base that can be trained on here: {advice}.", code="base.foreign", path=str(source)
            )
    anchors = [anchor for architecture in families.architectures() for anchor in architecture.anchors]
    titles = {family.title for family in FAMILIES.values()}
    for pattern, what in _OTHER_FAMILIES:
        if what in titles or any(re.search(pattern, anchor) for anchor in anchors):
            continue
        if any(re.search(pattern, key) for key in entries):
            raise BaseModelError(
                f"{source} is a {what} model, which is not a base that can be trained on here: {give_known()}.",
                code="base.foreign",
                path=str(source),
            )


def refuse_packed(source: Path, place: str, entries: Entries, prefix: str) -> None:
    """Raises BaseModelError where the weights of a part are integers, several packed into one, or fp8 with scales that are not read."""
    own = {key: entry for key, entry in entries.items() if key.startswith(prefix)}
    integers = [key for key, e in own.items() if key.endswith(".weight") and e.dtype in ("U8", "I8") and len(e.shape) > 1]
    if integers:
        what = f"{integers[0]} of its {place} holds packed integers"
    elif scale := unread_scales(own):
        what = f"{scale} of its {place} has scales for blocks of numbers"
    else:
        return
    raise BaseModelError(
        f"{source} is quantised ({what}); give the fp16, bf16 or fp8 file of that model.", code="base.quantised", path=str(source)
    )


def family_of(source: Path, entries: Entries, found: Iterable[Found]) -> tuple[Family, Match, Found]:
    """The family of a file with these parts, how it was recognised, and its denoiser.

    Raises BaseModelError for a special model (inpainting, refiner ...), and where no family recognises its denoiser.
    """
    found = list(found)
    denoisers = denoisers_in(found)
    for family in reversed(FAMILIES.values()):
        denoiser = next((part for part in denoisers if part.may_be(denoiser_of(family))), None)
        if denoiser is None:
            continue
        at = denoiser.prefix
        file = DenoiserFile(
            source=source,
            shapes={key.removeprefix(at): tuple(entry.shape) for key, entry in entries.items() if key.startswith(at)},
            prefix=at,
            names=denoiser.names,
            beside=tuple(part.prefix for part in found if part not in denoisers),
        )
        if match := family.detection.from_file(file):
            return family, match, replace(denoiser, architecture=denoiser_of(family))
    raise BaseModelError(
        f"{source} has {denoisers[0].architecture.title} of no family that is known here; {give_known()}.",
        code="base.foreign",
        path=str(source),
    )


# -- what it predicts -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FoundPrediction:
    """What a model predicts, whether its noise schedule ends in pure noise, and how we know both."""

    type: PredictionType
    zero_terminal_snr: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()


PREDICTIONS: dict[str, PredictionType] = {
    "epsilon": "epsilon", "eps": "epsilon", "v": "v_prediction", "v_prediction": "v_prediction", "v-prediction": "v_prediction",
}  # fmt: skip


def prediction_of(
    source: Path, family: Family, keys: Entries, metadata: Mapping[str, str], scheduler: Mapping[str, Any] | None,
    given: str | None = None, given_zero_snr: bool | None = None,
) -> FoundPrediction:  # fmt: skip
    """From the user's settings, the file's marks, its metadata, the scheduler's config of a folder, or what is usual, in this order."""
    if family.is_flow:
        if given not in (None, "flow") or given_zero_snr:
            raise BaseModelError(
                f"{source} is a {family.title} model, which predicts the flow; leave out base.prediction_type and base.zero_terminal_snr."
            )
        return FoundPrediction("flow", False, (family.prediction.usual_reason,))
    if given == "flow":
        raise BaseModelError(f"{source} is not a flow model; set base.prediction_type to epsilon or v_prediction.")
    if any(key == "edm_mean" or key.startswith("edm_vpred.") for key in keys):
        raise BaseModelError(f"{source} was trained in the EDM way (Playground, CosXL), which is not known here; give another model.")
    kind, reason, notes = _prediction_type(source, family, keys, metadata, scheduler, given)
    zero, why, zero_notes = _zero_terminal_snr(family, keys, scheduler, kind, given_zero_snr)
    if zero and kind == "epsilon":
        raise BaseModelError(
            f"{source} would predict epsilon with zero terminal SNR ({why}), which leaves nothing to predict from at the last timestep; set "
            "base.prediction_type or base.zero_terminal_snr."
        )
    reasons = (
        f"it predicts {'v' if kind == 'v_prediction' else 'epsilon'}: {reason}",
        f"{'zero' if zero else 'no zero'} terminal SNR: {why}",
    )
    return FoundPrediction(kind, zero, reasons, (*notes, *zero_notes))


def _prediction_type(
    source: Path, family: Family, keys: Entries, metadata: Mapping[str, str], scheduler: Mapping[str, Any] | None, given: str | None
) -> tuple[PredictionType, str, tuple[str, ...]]:
    """Type, reason, and what to look at where nothing says it."""
    spec = metadata.get("modelspec.prediction_type", "").lower()
    if given is not None:
        return PREDICTIONS[given], "base.prediction_type says so", ()
    if "v_pred" in keys:
        return "v_prediction", "the file carries the mark v_pred", ()
    if spec in PREDICTIONS:
        return PREDICTIONS[spec], f"its metadata say so (modelspec.prediction_type {spec})", ()
    if scheduler is not None:
        named = str(scheduler.get("prediction_type", "epsilon"))
        if named not in ("epsilon", "v_prediction"):
            raise BaseModelError(f"The scheduler of {source} predicts {named!r}, which is not known here; give another base.")
        return PREDICTIONS[named], "its scheduler's config says so", ()
    note = family.prediction.unmarked_note
    return family.prediction.types[0], family.prediction.usual_reason, (note,) if note else ()


def _zero_terminal_snr(
    family: Family, keys: Entries, scheduler: Mapping[str, Any] | None, kind: PredictionType, given: bool | None
) -> tuple[bool, str, tuple[str, ...]]:
    """Whether, why, and what to look at where nothing says it."""
    if given is not None:
        return given, "base.zero_terminal_snr says so", ()
    if "ztsnr" in keys:
        return True, "the file carries the mark ztsnr", ()
    if scheduler is not None:
        return bool(scheduler.get("rescale_betas_zero_snr")), "its scheduler's config says so", ()
    note = family.prediction.zero_snr_note if kind == "v_prediction" else ""
    return False, "nothing in the file says so", (note,) if note else ()


# -- diffusers folders ----------------------------------------------------------------------------------------------------------

_FOREIGN_PIPELINES: tuple[tuple[Callable[[str], bool], str], ...] = (
    (lambda name: "Inpaint" in name or "Fill" in name, "an inpainting model"),
    (lambda name: "InstructPix2Pix" in name, "an instruct-pix2pix model"),
    (lambda name: "ControlNet" in name or "Control" in name, "a model led by pictures"),
    (lambda name: "Upscale" in name, "an upscaler"),
    (lambda name: "Edit" in name, "a model that edits pictures"),
    (lambda name: "Layered" in name, "a model that takes pictures apart into layers"),
)


def pipeline_families(file: Path, index: Mapping[str, Any]) -> tuple[str, list[Family]]:
    """The pipeline that a diffusers folder's index, read from `file`, names, and the families that it may be; all of them have the same denoiser."""
    pipeline = index.get("_class_name")
    if not isinstance(pipeline, str):
        raise BaseModelError(f"{file} cannot be read as a model's index (no _class_name); download the base again.")
    fitting = [family for family in FAMILIES.values() if pipeline in family.detection.pipelines]
    if not fitting:
        what = next((words for test, words in _FOREIGN_PIPELINES if test(pipeline)), "another kind of model")
        raise BaseModelError(
            f"The base {file.parent} is a {pipeline}, {what}, which is not trained here; {give_known()}.", code="base.foreign"
        )
    return pipeline, fitting


def family_of_folder(folder: Path, pipeline: str, fitting: Iterable[Family], denoiser: Mapping[str, Any]) -> tuple[Family, Match]:
    """Which of the fitting families a diffusers folder is, from its denoiser's settings."""
    for family in fitting:
        if match := family.detection.from_config(folder, pipeline, denoiser):
            by = f"the folder's index names a {pipeline}"
            return family, Match(f"{by}, and {match.reason}" if match.reason else by, match.variant)
    raise BaseModelError(
        f"The settings of the denoiser in {folder} fit no {pipeline}; {give_known()}.", code="base.special_model", path=str(folder)
    )


def dtypes_of(entries: Entries, prefix: str) -> Counter[str]:
    """How many tensors of each dtype a part has."""
    return Counter(entry.dtype for key, entry in entries.items() if key.startswith(prefix))
