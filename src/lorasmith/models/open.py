"""Open any base model: a single file, a diffusers folder, a hub id, or the files of its parts.

describe("models/animagine.safetensors")                                   # what it is; no weight is read
describe("black-forest-labs/FLUX.1-dev")                                   # from the hub, once
describe("flux1-dev.safetensors", text_encoder="clip_l.safetensors", text_encoder_2="t5xxl_fp16.safetensors", vae="ae.safetensors")
open_base("models/animagine.safetensors", torch.bfloat16, "cuda")          # the opened base of its family
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Unpack

from typing_extensions import TypedDict

from lorasmith.errors import BaseModelError
from lorasmith.models import detection
from lorasmith.models.description import Description, Layout, Names, PartPlace
from lorasmith.models.files.hub import is_hub_id, source_of
from lorasmith.models.files.tensor_file import PICKLES, Entry, Header, PickleFile, open_tensors, read_header
from lorasmith.models.parts import Part

if TYPE_CHECKING:
    import torch

    from lorasmith.models.family import Base
    from lorasmith.models.settings import Quantize

# Family name -> module:class. A family's module is imported when it is chosen.
FAMILIES = {
    "sd1": "lorasmith.models.sd1.base:StableDiffusion1",
    "sd2": "lorasmith.models.sd2.base:StableDiffusion2",
    "sdxl": "lorasmith.models.sdxl.base:StableDiffusionXL",
    "flux": "lorasmith.models.flux.base:Flux",
}


class OpenOptions(TypedDict, total=False):
    """What a user may say beside the path; each is a setting of the base."""

    vae: Path | str | None  # the file or folder of another autoencoder
    text_encoder: Path | str | None  # the file of the (first) text encoder, where the model's file has none
    text_encoder_2: Path | str | None
    config: Path | None  # a diffusers folder whose settings and tokenizers are used instead of the family's standard ones
    prediction_type: str | None  # "epsilon" or "v_prediction", against what the files say
    zero_terminal_snr: bool | None
    allow_pickle: bool  # whether .ckpt and .pt files are read, as weights alone
    quantize: Quantize  # whether and how the weights of the denoiser and of T5 are packed


def describe(source: Path | str, **open_options: Unpack[OpenOptions]) -> Description:
    """What the base at `source` is: a file, a folder, or a hub id (owner/name, also owner/name/file.safetensors).

    Raises BaseModelError with what it is instead, where it cannot be used.
    """
    place = source_of(source)
    if not place.exists():
        raise BaseModelError(f"the base {place} does not exist; give a file, a folder or a hub id (owner/name)")
    description = _describe_folder(place, open_options) if place.is_dir() else _describe_file(place, open_options)
    description = _with_separate_parts(description, open_options)
    return replace(description, hub_id=str(source), source=place) if is_hub_id(source) else description


def open_base(source: Path | str, dtype: torch.dtype, device: str = "cpu", **open_options: Unpack[OpenOptions]) -> Base:
    """The base at `source`, frozen, on `device`; its denoiser and text encoders compute in `dtype`."""
    description = describe(source, **open_options)
    absent = missing_parts(description)
    if absent:
        raise BaseModelError(
            f"the base {description.source} has no {' and no '.join(absent)}; give {' and '.join(f'base.{part}' for part in absent)}"
        )
    module, name = FAMILIES[description.family].split(":")
    family = getattr(importlib.import_module(module), name)
    return family.open(description, dtype, device, open_options.get("quantize", "none"))


def detect_family(source: Path | str) -> str:
    """The family of the base at `source`."""
    return describe(source).family


def missing_parts(description: Description) -> list[str]:
    """The parts that a base of its family needs and this one has not."""
    return [name for name in standard_parts(description.family, description.variant) if name not in description.parts]


def standard_parts(family: str, variant: str = "") -> Mapping[str, Part]:
    """The parts of a family at full size, as data."""
    config = _config(family)
    return config.PARTS_SCHNELL if variant == "schnell" else config.PARTS


def _config(family: str) -> ModuleType:
    return importlib.import_module(f"lorasmith.models.{family}.config")


# -- single files ---------------------------------------------------------------------------------------------------------------


def _header(path: Path, open_options: OpenOptions) -> Header:
    """The tensors and metadata of a file, without their numbers."""
    if path.suffix.lower() in PICKLES:
        file = open_tensors(path, bool(open_options.get("allow_pickle")))
        if isinstance(file, PickleFile):
            return Header(file.entries, {})
    return read_header(path)


def _describe_file(path: Path, open_options: OpenOptions) -> Description:
    header = _header(path, open_options)
    entries = header.entries
    detection.refuse_foreign(path, entries)
    found = detection.parts_in(entries)
    denoisers = [part for part in found if part.kind in ("unet", "transformer")]
    if not denoisers:
        raise BaseModelError(_what_instead(path, found, entries))
    denoiser = next((part for part in denoisers if "diffusion_model" in part.prefix), denoisers[0])
    kindred = detection.family_of(path, entries, denoiser, found)
    config = _ConfigFolder(open_options.get("config"), kindred.family, kindred.variant)
    prediction = detection.prediction_of(
        path,
        kindred.family,
        _marks(entries),
        header.metadata,
        config.scheduler,
        open_options.get("prediction_type"),
        open_options.get("zero_terminal_snr"),
    )
    parts = {
        name: _place(path, entries, part.prefix, part.names, config.part(name), config.words)
        for name, part in _named(kindred.family, denoiser, found).items()
    }
    for name, place in parts.items():
        detection.refuse_packed(path, name, entries, place.prefix)
    reasons = [f"the file's names show {_names_in_words(denoiser)}", kindred.reason, *prediction.reasons]
    return Description(
        source=path, layout="single file", family=kindred.family, variant=kindred.variant, prediction_type=prediction.type,
        zero_terminal_snr=prediction.zero_terminal_snr, parts=parts, scheduler=_scheduler(kindred, prediction, config.scheduler),
        tokenizers=config.tokenizers, reasons=tuple(reasons), notes=(*prediction.notes, *_notes(kindred)), metadata=header.metadata,
    )  # fmt: skip


def _what_instead(path: Path, found: list[detection.Found], entries: Mapping[str, Entry]) -> str:
    """The sentence for a file without a denoiser."""
    kinds = {part.kind for part in found}
    if kinds == {"vae"}:
        return f"{path} is an autoencoder (VAE) alone; give it as base.vae beside a base model"
    if kinds and kinds <= {"clip", "t5"}:
        return f"{path} is a text encoder alone; give it as base.text_encoder beside a base model"
    if kinds:
        return f"{path} holds {' and '.join(sorted(kinds))} but no U-Net or transformer; download it again or give a complete model"
    return f"{path} is no base model that is known here (its first tensor is {next(iter(entries))}); {detection.KNOWN_FAMILIES}"


def _marks(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """The tensors at a file's top, where marks stand, with the prefix of the denoiser taken off."""
    short = {key.removeprefix("model.diffusion_model."): entry for key, entry in entries.items()}
    return {key: entry for key, entry in short.items() if "." not in key or key.startswith("edm_vpred.")}


def _named(family: str, denoiser: detection.Found, found: list[detection.Found]) -> dict[str, detection.Found]:
    """The parts under the names that diffusers has for them."""
    parts = {"transformer" if family == "flux" else "unet": denoiser}
    for part in found:
        if part.kind == "vae":
            parts.setdefault("vae", part)
        elif part.kind == "t5" and family == "flux":
            parts.setdefault("text_encoder_2", part)
        elif part.kind == "clip":
            second = any(sign in part.prefix for sign in ("embedders.1.", "clip_g.", "text_encoder_2."))
            name = "text_encoder_2" if second else "text_encoder"
            if name in standard_parts(family) and not (second and family == "flux"):
                parts.setdefault(name, part)
    return parts


def _place(path: Path, entries: Mapping[str, Entry], prefix: str, names: Names, config: Part, config_from: str) -> PartPlace:
    scaled = any(key.startswith(prefix) and key.endswith((".scale_weight", ".weight_scale")) for key in entries)
    return PartPlace((path,), prefix, names, config, config_from, detection.dtypes_of(entries, prefix), scaled)


def _names_in_words(part: detection.Found) -> str:
    what = "a Flux transformer" if part.kind == "transformer" else "a U-Net"
    whose = {"ldm": "the original (LDM)", "bfl": "the original (Black Forest Labs)", "diffusers": "the diffusers"}[part.names]
    return f"{what} in {whose} layout" + (f", under {part.prefix.rstrip('.')}" if part.prefix else "")


# -- folders --------------------------------------------------------------------------------------------------------------------


class _ConfigFolder:
    """Where the settings of a single file's parts come from: the family's standard ones, or a diffusers folder."""

    def __init__(self, folder: Path | None, family: str, variant: str):
        self.folder, self.standard = folder, standard_parts(family, variant)
        self.words = f"the settings in {folder}" if folder else f"the standard settings of {family}{' ' + variant if variant else ''}"
        self.scheduler: dict[str, Any] | None = None
        self.tokenizers: dict[str, Path] = {}
        if folder is not None:
            if not folder.is_dir():
                raise BaseModelError(f"base.config is {folder}, which is no folder; give a diffusers folder")
            if (folder / "scheduler").is_dir():
                self.scheduler = detection.read_json(folder / "scheduler" / "scheduler_config.json")
            self.tokenizers = {name: folder / name for name in _config(family).TOKENIZERS if (folder / name).is_dir()}

    def part(self, name: str) -> Part:
        kind, settings = self.standard[name]
        if self.folder is None or not (self.folder / name).is_dir():
            return kind, settings
        return kind, detection.read_json(self.folder / name / "config.json")


def _describe_folder(folder: Path, open_options: OpenOptions) -> Description:
    if not (folder / "model_index.json").is_file():
        raise BaseModelError(_no_index(folder))
    index = detection.read_json(folder / "model_index.json")
    denoiser = "transformer" if "transformer" in index else "unet"
    settings = detection.read_json(folder / denoiser / "config.json") if (folder / denoiser).is_dir() else {}
    kindred = detection.family_of_folder(folder, index, settings)
    scheduler = detection.read_json(folder / "scheduler" / "scheduler_config.json") if (folder / "scheduler").is_dir() else None
    prediction = detection.prediction_of(
        folder, kindred.family, {}, {}, scheduler, open_options.get("prediction_type"), open_options.get("zero_terminal_snr")
    )
    config = _ConfigFolder(open_options.get("config") or folder, kindred.family, kindred.variant)
    present = [name for name in config.standard if (folder / name).is_dir()]
    if not present:
        raise BaseModelError(
            f"the base {folder} is a {index['_class_name']} by its model_index.json, but no folder of a part is there; download it again"
        )
    given = {
        "vae": open_options.get("vae"),
        "text_encoder": open_options.get("text_encoder"),
        "text_encoder_2": open_options.get("text_encoder_2"),
    }
    absent = [name for name in config.standard if name not in present and given.get(name) is None]
    if absent:
        raise BaseModelError(f"the base {folder} has no folder {absent[0]!r}; give a complete diffusers folder")
    parts = {
        name: _folder_part(folder / name, config.part(name) if (folder / name / "config.json").is_file() else None, kind, open_options)
        for name, (kind, _) in config.standard.items()
        if name in present
    }
    return Description(
        source=folder, layout="folder", family=kindred.family, variant=kindred.variant, prediction_type=prediction.type,
        zero_terminal_snr=prediction.zero_terminal_snr, parts=parts, scheduler=_scheduler(kindred, prediction, scheduler),
        tokenizers=config.tokenizers, reasons=(kindred.reason, *prediction.reasons), notes=(*prediction.notes, *_notes(kindred)),
    )  # fmt: skip


def _no_index(folder: Path) -> str:
    """The sentence for a folder that is no base."""
    files = sorted(f.name for f in folder.iterdir() if f.suffix.lower() in (".safetensors", *PICKLES))
    if files:
        return f"the folder {folder} holds no model_index.json, so it is no base model; give one of its files ({files[0]}) or a diffusers folder"
    return f"the folder {folder} holds no model_index.json, so it is no base model; give a diffusers folder or a single file"


def _folder_part(folder: Path, config: Part | None, kind: str, open_options: OpenOptions) -> PartPlace:
    """One part of a diffusers folder."""
    if config is None:
        raise BaseModelError(f"{folder} has no config.json; download the base again")
    files = weight_files(folder, bool(open_options.get("allow_pickle")))
    entries: dict[str, Entry] = {}
    for file in files:
        entries |= _header(file, open_options).entries
    names: Names = "transformers" if kind.startswith(("CLIP", "T5")) else "diffusers"
    detection.refuse_packed(folder, folder.name, entries, "")
    place = _place(files[0], entries, "", names, (kind, config[1]), f"the settings in {folder}")
    return replace(place, files=files)


def weight_files(folder: Path, allow_pickle: bool = False) -> tuple[Path, ...]:
    """The files with the weights of one part of a diffusers folder, one or its shards.

    Where a folder has the weights in half precision too (`.fp16.`), those are read: half the bytes, and what the single files in
    circulation hold.
    """
    for stem in ("diffusion_pytorch_model", "model", "pytorch_model"):
        for variant in (".fp16", ""):
            whole = folder / f"{stem}{variant}.safetensors"
            if whole.is_file():
                return (whole,)
            for index in (folder / f"{stem}.safetensors.index{variant}.json", folder / f"{stem}{variant}.safetensors.index.json"):
                if index.is_file():
                    return _shards(folder, index)
    pickles = [f for stem in ("diffusion_pytorch_model", "pytorch_model") if (f := folder / f"{stem}.bin").is_file()]
    if pickles:
        if allow_pickle:
            return (pickles[0],)
        raise BaseModelError(
            f"{folder} has its weights as a pickle alone ({pickles[0].name}), which can carry programs; give a base with safetensors files, or set base.allow_pickle"
        )
    raise BaseModelError(f"{folder} has no file of weights; download the base again")


def _shards(folder: Path, index: Path) -> tuple[Path, ...]:
    table = detection.read_json(index).get("weight_map")
    names = sorted({str(name) for name in table.values()}) if isinstance(table, dict) else []
    if not names or any(Path(name).name != name for name in names):
        raise BaseModelError(f"{index} does not name the files of the weights beside it; download the base again")
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:
        raise BaseModelError(f"{folder} lacks {absent[0]} ({len(absent)} of {len(names)} files are absent); download the base again")
    return tuple(folder / name for name in names)


# -- parts in files of their own ------------------------------------------------------------------------------------------------


def _with_separate_parts(description: Description, open_options: OpenOptions) -> Description:
    """The description with the parts that the user gave as files of their own."""
    parts, reasons = dict(description.parts), list(description.reasons)
    layout: Layout = description.layout
    config = _ConfigFolder(open_options.get("config"), description.family, description.variant)
    given = {
        "vae": open_options.get("vae"),
        "text_encoder": open_options.get("text_encoder"),
        "text_encoder_2": open_options.get("text_encoder_2"),
    }
    for name, source in given.items():
        if source is None:
            continue
        if name not in config.standard:
            raise BaseModelError(f"base.{name} is given, but a base of {description.family} has no such part; leave it out")
        at = source_of(source)
        if not at.exists():
            raise BaseModelError(f"base.{name} is {at}, which does not exist; give the file of that part")
        kind = config.standard[name][0]
        if at.is_dir():
            settings = detection.read_json(at / "config.json")
            parts[name] = _folder_part(at, (kind, settings), kind, open_options)
        else:
            before = parts.get(name)
            part = before.config if before and before.config[0] == kind else config.part(name)
            parts[name] = _separate_file(name, at, part, config.words if not before else before.config_from, open_options)
        layout = "separate files" if layout == "single file" else layout
        reasons.append(f"its {name} comes from {at.name}, as base.{name} says")
    return replace(description, parts=parts, layout=layout, reasons=tuple(reasons))


def _separate_file(name: str, path: Path, config: Part, words: str, open_options: OpenOptions) -> PartPlace:
    """The place of one part in a file of its own, or in a file that holds it among others."""
    entries = _header(path, open_options).entries
    detection.refuse_foreign(path, entries)
    kind = {"AutoencoderKL": "vae", "T5EncoderModel": "t5"}.get(config[0], "clip")
    fitting = [part for part in detection.parts_in(entries) if part.kind == kind]
    if not fitting:
        what = {"vae": "autoencoder", "t5": "T5 text encoder", "clip": "CLIP text encoder"}[kind]
        raise BaseModelError(f"base.{name} is {path}, which holds no {what}; give the file of that part")
    detection.refuse_packed(path, name, entries, fitting[0].prefix)
    return _place(path, entries, fitting[0].prefix, fitting[0].names, config, words)


# -- what follows from the family -----------------------------------------------------------------------------------------------


def _scheduler(kindred: detection.Kindred, prediction: detection.Prediction, found: Mapping[str, Any] | None) -> Part:
    """The noise schedule: the folder's or the family's, with the prediction as it was understood."""
    config = _config(kindred.family)
    kind, standard = config.SCHEDULER_SCHNELL if kindred.variant == "schnell" else config.SCHEDULER
    settings = dict(found if found is not None else standard)
    if kindred.family != "flux":
        settings["prediction_type"] = prediction.type
        if prediction.zero_terminal_snr and not settings.get("rescale_betas_zero_snr"):
            settings |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
        elif not prediction.zero_terminal_snr and settings.get("rescale_betas_zero_snr"):
            settings["rescale_betas_zero_snr"] = False
    return str(settings.get("_class_name", kind)), settings


_KEYS_IN_WORDS = {
    "sd1": "lora_unet_ with diffusers' block names, lora_te_ for the text encoder",
    "sd2": "lora_unet_ with diffusers' block names, lora_te_ for the text encoder",
    "sdxl": "lora_unet_ with the original (input_blocks) names, lora_te1_ and lora_te2_ for the text encoders",
    "flux": "lora_unet_ with the original (double_blocks) names and query, key and value in one, lora_te1_ for CLIP",
}
_CLIP_SKIP_IN_WORDS = {
    "sd1": "clip skip 1 for photographs and the plain base, 2 for anime models made from the leaked one",
    "sd2": "clip skip 1: its text encoder has lost its last layer already",
    "sdxl": "clip skip says nothing by habit: SDXL reads the last but one layer of both text encoders (UIs call that 2)",
    "flux": "clip skip is not used: Flux reads CLIP's pooled state and T5's last layer",
}


def _notes(kindred: detection.Kindred) -> tuple[str, ...]:
    defaults = _config(kindred.family).DEFAULTS
    notes = [
        f"native resolution {defaults.resolution} x {defaults.resolution} pixels, buckets in steps of {defaults.bucket_step}",
        _CLIP_SKIP_IN_WORDS[kindred.family],
        f"keys in the LoRA file: {_KEYS_IN_WORDS[kindred.family]}",
    ]
    if kindred.variant == "schnell":
        notes.append(
            "schnell was distilled to four steps: a LoRA trained on it unlearns that; most train on dev and use the file with both"
        )
    return tuple(notes)
