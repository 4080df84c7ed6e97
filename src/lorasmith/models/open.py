"""Open any base model: a single file, a diffusers folder, a hub id, or the files of its parts.

describe("models/animagine.safetensors")                                   # what it is; no weight is read
describe("black-forest-labs/FLUX.1-dev")                                   # from the hub, once
describe("flux1-dev.safetensors", text_encoder="clip_l.safetensors", text_encoder_2="t5xxl_fp16.safetensors", vae="ae.safetensors")
open_base("models/animagine.safetensors", torch.bfloat16, "cuda")          # the opened base of its family
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from lorasmith.errors import BaseModelError
from lorasmith.models import detection
from lorasmith.models.description import Description, Layout, PartPlace, native_size
from lorasmith.models.families import FAMILIES, architectures
from lorasmith.models.family import Family
from lorasmith.models.files.eight_bits import is_scaled
from lorasmith.models.files.hub import is_hub_id, source_of
from lorasmith.models.files.part_files import header_of, index_of, read_json, weight_files
from lorasmith.models.files.tensor_file import PICKLES
from lorasmith.models.parts import Architecture, Part, SchedulerConfig, in_words, part_of_folder
from lorasmith.models.settings import OpenOptions, Quantize
from lorasmith.safetensors_header import Entry

if TYPE_CHECKING:
    import torch

    from lorasmith.models.base import Base

SEPARATE_PARTS = ("vae", "text_encoder", "text_encoder_2", "text_encoder_3")
"""The parts that a user can give as files of their own; each is a setting of the base."""


def describe(source: Path | str, **open_options: Unpack[OpenOptions]) -> Description:
    """What the base at `source` is, found out from names and headers: no weight is read.

    Parameters
    ----------
    source
        A file, a folder, or a hub id (owner/name, also owner/name/file.safetensors).
    open_options
        As for `open_base`.

    Raises
    ------
    BaseModelError
        It cannot be used; the message says what it is instead.

    Examples
    --------
    >>> described = ls.describe_base("base")
    >>> described.family, described.prediction_type
    ('sd1', 'epsilon')
    """
    place = source_of(source)
    if not place.exists():
        raise BaseModelError(
            f"The base {place} does not exist; give a file, a folder or a hub id (owner/name).", code="base.missing", path=str(place)
        )
    description = _describe_folder(place, open_options) if place.is_dir() else _describe_file(place, open_options)
    description = _without_unread_layers(_with_separate_parts(description, open_options))
    left_out = (part.note for name, part in description.record.optional_parts.items() if name not in description.parts)
    description = replace(description, notes=(*description.notes, *left_out))
    return replace(description, hub_id=str(source), source=place) if is_hub_id(source) else description


def open_base(source: Path | str, dtype: torch.dtype | None = None, device: str = "cpu", **open_options: Unpack[OpenOptions]) -> Base:
    """Open a base model, frozen, to generate pictures with or to attach LoRAs to.

    Parameters
    ----------
    source
        A `.safetensors` file, a diffusers folder, or a hub id (owner/name).
    dtype
        In which denoiser and text encoders compute. None: float32.
    device
        `cpu`, or `cuda` with a number if there are several.
    open_options
        Separate files of parts, such as `vae`, and what the file does not show, such as `prediction_type`.

    Raises
    ------
    BaseModelError
        It cannot be used; the message says what it is instead, or what it lacks.

    Examples
    --------
    >>> base = ls.open_base("base")
    >>> base.family, base.native_resolution
    ('sd1', 32)
    """
    return load_base(describe(source, **open_options), dtype, device, open_options.get("quantize", "none"))


def load_base(
    description: Description, dtype: torch.dtype | None = None, device: str = "cpu", quantize: Quantize = "none", blocks_to_swap: int = 0
) -> Base:
    """Load the base that `describe` has described, see `open_base`; `blocks_to_swap` of its denoiser stay in the host's memory."""
    if dtype is None:
        import torch

        dtype = torch.float32
    absent = missing_parts(description)
    if absent:
        raise BaseModelError(
            f"The base {description.source} has no {' and no '.join(absent)}; give {' and '.join(f'base.{part}' for part in absent)}.",
            code="base.part_missing",
            parts=absent,
        )
    opened: Base = base_class(description.record).open(description, dtype, device, quantize, blocks_to_swap)
    return opened


def base_class(family: Family) -> Any:
    """The class of a family's opened bases."""
    return getattr(importlib.import_module(f"{family.package}.base"), family.base_class)


def detect_family(source: Path | str) -> str:
    """The family of the base at `source`."""
    return describe(source).family


def missing_parts(description: Description) -> list[str]:
    """The parts that a base of its family needs and this one lacks."""
    return [name for name in description.needed_parts if name not in description.parts]


# -- single files ---------------------------------------------------------------------------------------------------------------


def _describe_file(path: Path, open_options: OpenOptions) -> Description:
    header = header_of(path, bool(open_options.get("allow_pickle")))
    entries = header.entries
    detection.refuse_foreign(path, entries)
    found = detection.parts_in(entries, path)
    if not detection.denoisers_in(found):
        raise BaseModelError(_what_instead(path, found, entries), code="base.foreign", path=str(path))
    family, match, denoiser = detection.family_of(path, entries, found)
    config = _Settings(open_options.get("config"), family, match.variant)
    prediction = detection.prediction_of(
        path,
        family,
        _marks(entries),
        header.metadata,
        config.scheduler,
        open_options.get("prediction_type"),
        open_options.get("zero_terminal_snr"),
    )
    parts = {
        name: _place((path,), entries, part.prefix, part.names, config.part(name), config.words)
        for name, part in _named(family, denoiser, found).items()
    }
    for name, place in parts.items():
        detection.refuse_packed(path, name, entries, place.prefix)
    reasons = [f"the file's names show {_in_words(denoiser)}", match.reason, *prediction.reasons]
    return Description(
        source=path, layout="single file", record=family, variant=match.variant, prediction_type=prediction.type,
        zero_terminal_snr=prediction.zero_terminal_snr, parts=parts,
        scheduler=_scheduler(family, match.variant, prediction, config.scheduler), tokenizers=config.tokenizers, reasons=tuple(reasons),
        notes=(*prediction.notes, *_notes(family, match.variant, parts)), metadata=header.metadata,
    )  # fmt: skip


def _what_instead(path: Path, found: list[detection.Found], entries: Mapping[str, Entry]) -> str:
    """The sentence for a file without a denoiser."""
    parts = {part.kind: part.architecture for part in found}
    if len(parts) == 1:
        only = found[0]
        words = only.in_words(entries)
        if not any(only.is_of(architecture) for architecture in architectures()):
            return f"{path} is {words}, which no base model that is known here reads; {detection.give_known()}"
        return f"{path} is {words}{',' if ', ' in words else ''} alone; give it as base.{_name_of(only.architecture)} beside a base model"
    if parts:
        titles = " and ".join(sorted(part.title for part in parts.values()))
        return f"{path} holds {titles} but no denoiser; download it again or give a complete model"
    return f"{path} is not a base model that is known here (its first tensor is {next(iter(entries))}); {detection.give_known()}"


def _name_of(architecture: Architecture) -> str:
    """What the first family that has such a part calls it."""
    parts = [each for family in FAMILIES.values() for each in family.usual.parts.items()]
    return next(name for name, part in parts if part.architecture.kind == architecture.kind)


def _marks(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """The tensors at a file's top, where marks are, with the prefix of the denoiser taken off."""
    short = {key.removeprefix("model.diffusion_model."): entry for key, entry in entries.items()}
    return {key: entry for key, entry in short.items() if "." not in key or key.startswith("edm_vpred.")}


def _named(family: Family, denoiser: detection.Found, found: list[detection.Found]) -> dict[str, detection.Found]:
    """The parts of a file under the names that diffusers has for them."""
    parts = {family.denoiser: denoiser}
    marked = family.detection.part_prefixes
    for part in found:
        fitting = [name for name, one in family.usual.parts.items() if one.architecture.kind == part.kind and name != family.denoiser]
        by_prefix = [name for name in fitting if any(sign in part.prefix for sign in marked.get(name, ()))]
        for name in (by_prefix or [name for name in fitting if name not in marked])[:1]:
            parts.setdefault(name, part)
    return parts


def _place(files: tuple[Path, ...], entries: Mapping[str, Entry], prefix: str, names: str, config: Part, config_from: str) -> PartPlace:
    return PartPlace(files, prefix, names, config, config_from, detection.dtypes_of(entries, prefix), is_scaled(entries, prefix))


def _in_words(part: detection.Found) -> str:
    whose = part.architecture.layouts.get(part.names, f"the {part.names}")
    return f"{part.architecture.title} in {whose} layout" + (f", under {part.prefix.rstrip('.')}" if part.prefix else "")


# -- folders --------------------------------------------------------------------------------------------------------------------


class _Settings:
    """Where the settings of a base's parts come from: the family's standard ones, or a diffusers folder."""

    def __init__(self, folder: Path | None, family: Family, variant: str):
        self.folder, self.standard = folder, family.variant(variant).parts
        standard = f"the standard settings of {family.name}{' ' + variant if variant else ''}"
        self.words = f"the settings in {folder}" if folder else standard
        self.scheduler: dict[str, Any] | None = None
        self.tokenizers: dict[str, Path] = {}
        if folder is not None:
            if not folder.is_dir():
                raise BaseModelError(f"base.config is {folder}, which is not a folder; give a diffusers folder.", path=str(folder))
            if (folder / "scheduler").is_dir():
                self.scheduler = read_json(folder / "scheduler" / "scheduler_config.json")
            self.tokenizers = {name: folder / name for name in family.tokenizers if (folder / name).is_dir()}

    def part(self, name: str) -> Part:
        standard = self.standard[name]
        if self.folder is None or not (self.folder / name).is_dir():
            return standard
        return part_of_folder(standard.architecture, read_json(self.folder / name / "config.json"))


def _describe_folder(folder: Path, open_options: OpenOptions) -> Description:
    index = index_of(folder)
    if index is None:
        raise BaseModelError(_no_index(folder), code="base.foreign", path=str(folder))
    pipeline, fitting = detection.pipeline_families(index, read_json(index))
    denoiser = folder / fitting[0].denoiser
    settings = read_json(denoiser / "config.json") if denoiser.is_dir() else {}
    family, match = detection.family_of_folder(folder, pipeline, fitting, settings)
    scheduler = read_json(folder / "scheduler" / "scheduler_config.json") if (folder / "scheduler").is_dir() else None
    prediction = detection.prediction_of(
        folder, family, {}, {}, scheduler, open_options.get("prediction_type"), open_options.get("zero_terminal_snr")
    )
    config = _Settings(open_options.get("config") or folder, family, match.variant)
    present = [name for name in config.standard if (folder / name).is_dir()]
    if not present:
        raise BaseModelError(
            f"The base {folder} is a {pipeline} by its {index.name}, but has no folder of a part; download it again.",
            code="base.damaged",
            path=str(folder),
        )
    given = _separate_parts(open_options)
    absent = [name for name in config.standard if name not in present and name not in given and name not in family.optional_parts]
    if absent:
        raise BaseModelError(
            f"The base {folder} has no folder {absent[0]!r}; give a complete diffusers folder.", code="base.part_missing", parts=absent
        )
    parts = {
        name: _folder_part(folder / name, config.part(name) if (folder / name / "config.json").is_file() else None, open_options)
        for name in present
    }
    return Description(
        source=folder, layout="folder", record=family, variant=match.variant, prediction_type=prediction.type,
        zero_terminal_snr=prediction.zero_terminal_snr, parts=parts, scheduler=_scheduler(family, match.variant, prediction, scheduler),
        tokenizers=config.tokenizers, reasons=(match.reason, *prediction.reasons),
        notes=(*prediction.notes, *_notes(family, match.variant, parts)),
    )  # fmt: skip


def _no_index(folder: Path) -> str:
    """The sentence for a folder that is not a base."""
    files = sorted(f.name for f in folder.iterdir() if f.suffix.lower() in (".safetensors", *PICKLES))
    if files:
        return f"the folder {folder} has no model_index.json, so it is not a base model; give one of its files ({files[0]}) or a diffusers folder"
    return f"the folder {folder} has no model_index.json, so it is not a base model; give a diffusers folder or a single file"


def _folder_part(folder: Path, config: Part | None, open_options: OpenOptions, instead_of: tuple[str, Part] | None = None) -> PartPlace:
    """One part of a diffusers folder, or a folder that is given as that part of a base, which reads one like `instead_of`."""
    if config is None:
        raise BaseModelError(f"{folder} has no config.json; download the base again.", code="base.damaged", path=str(folder))
    config = config._replace(architecture=config.architecture.in_folder or config.architecture)
    allow_pickle = bool(open_options.get("allow_pickle"))
    files = weight_files(folder, allow_pickle)
    entries: dict[str, Entry] = {}
    for file in files:
        entries |= header_of(file, allow_pickle).entries
    found = next((part for part in detection.parts_in(entries, folder) if part.kind == config.architecture.kind), None)
    if instead_of is not None:
        _refuse_another(instead_of[0], folder, instead_of[1], [found] if found else [], entries)
    prefix = found.prefix if found else ""
    detection.refuse_packed(folder, folder.name, entries, prefix)
    return _place(files, entries, prefix, config.architecture.folder_names, config, f"the settings in {folder}")


# -- parts in files of their own ------------------------------------------------------------------------------------------------


def _separate_parts(open_options: OpenOptions) -> dict[str, Path | str]:
    """The parts that the user gave as files of their own."""
    return {name: source for name in SEPARATE_PARTS if (source := open_options.get(name)) is not None}  # type: ignore[misc]


def _with_separate_parts(description: Description, open_options: OpenOptions) -> Description:
    """The description with the parts that the user gave as files of their own."""
    parts, reasons = dict(description.parts), list(description.reasons)
    layout: Layout = description.layout
    config = _Settings(open_options.get("config"), description.record, description.variant)
    for name, source in _separate_parts(open_options).items():
        if name not in config.standard:
            raise BaseModelError(f"base.{name} is given, but a base of {description.family} has no such part; leave it out.")
        at = source_of(source)
        if not at.exists():
            raise BaseModelError(
                f"base.{name} is {at}, which does not exist; give the file of that part.", code="base.missing", path=str(at)
            )
        standard, before = config.standard[name], parts.get(name)
        keep = before is not None and before.config.architecture in (standard.architecture, standard.architecture.in_folder)
        wanted = before.config._replace(architecture=standard.architecture) if before and keep else config.part(name)
        if at.is_dir():
            own = part_of_folder(standard.architecture, read_json(at / "config.json"))
            parts[name] = _folder_part(at, own, open_options, instead_of=(name, wanted))
        else:
            parts[name] = _separate_file(name, at, wanted, before.config_from if before else config.words, open_options)
        layout = "separate files" if layout == "single file" else layout
        reasons.append(f"its {name} comes from {at.name}, as base.{name} says")
    return replace(description, parts=parts, layout=layout, reasons=tuple(reasons))


def _separate_file(name: str, path: Path, config: Part, words: str, open_options: OpenOptions) -> PartPlace:
    """The place of one part in a file of its own, or in a file that holds it among others."""
    entries = header_of(path, bool(open_options.get("allow_pickle"))).entries
    detection.refuse_foreign(path, entries)
    found = _refuse_another(name, path, config, detection.parts_in(entries, path), entries)
    detection.refuse_packed(path, name, entries, found.prefix)
    return _place((path,), entries, found.prefix, found.names, config, words)


def _refuse_another(name: str, path: Path, wanted: Part, parts: Iterable[detection.Found], entries: Mapping[str, Entry]) -> detection.Found:
    """The part of a file or folder that a base reads as `name`.

    Raises BaseModelError where it has none of that kind and size, with what it has and what is read.
    """
    likest = min(parts, key=lambda part: _differences(part, wanted, entries), default=None)
    if likest is not None and not any(_differences(likest, wanted, entries)):
        return likest
    if likest is None:
        what, reads, told_by = "no part of a base", wanted.architecture.title, ""
    elif likest.is_of(wanted.architecture):
        own = likest.sizes(entries)
        other = {setting: number for setting, number in wanted.sizes.items() if own.get(setting, number) != number}
        what, reads, told_by = in_words(likest.architecture, {each: own[each] for each in other}), in_words(wanted.architecture, other), ""
    else:
        what, reads = likest.in_words(entries), in_words(wanted.architecture, wanted.sizes)
        told_by = wanted.architecture.told_by if likest.kind == wanted.architecture.kind else ""
    raise BaseModelError(
        f"base.{name} is {path}, which is {what}; this base reads {reads}: give the file of that{', ' if told_by else ''}{told_by}.",
        code="base.foreign",
        path=str(path),
    )


def _differences(part: detection.Found, wanted: Part, entries: Mapping[str, Entry]) -> tuple[bool, bool, int]:
    """Whether a part is of another kind than the one wanted, or merely like it, and how many of its sizes are others."""
    own = part.sizes(entries)
    others = sum(own.get(setting, number) != number for setting, number in wanted.sizes.items())
    return part.kind != wanted.architecture.kind, not part.is_of(wanted.architecture), others


def _without_unread_layers(description: Description) -> Description:
    """The description with no more layers of its language model than those whose states are read."""
    reads, place, denoiser = description.record.states_read, description.parts.get("text_encoder"), description.parts[description.denoiser]
    if reads is None or place is None:
        return description
    layers: int = place.config.settings["num_hidden_layers"]
    last = max(reads(layers, denoiser.config.settings))
    if last >= layers:
        return description
    return replace(description, parts={**description.parts, "text_encoder": replace(place, config=place.config._replace(layers=last))})


# -- what follows from the family -----------------------------------------------------------------------------------------------


def _scheduler(family: Family, variant: str, prediction: detection.FoundPrediction, found: Mapping[str, Any] | None) -> SchedulerConfig:
    """The noise schedule: the folder's or the family's, with the prediction as it was understood."""
    kind, standard = family.variant(variant).scheduler
    settings = dict(found if found is not None else standard)
    if not family.is_flow:
        settings["prediction_type"] = prediction.type
        if prediction.zero_terminal_snr and not settings.get("rescale_betas_zero_snr"):
            settings |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
        elif not prediction.zero_terminal_snr and settings.get("rescale_betas_zero_snr"):
            settings["rescale_betas_zero_snr"] = False
    return str(settings.get("_class_name", kind)), settings


def _notes(family: Family, variant: str, parts: Mapping[str, PartPlace]) -> Iterable[str]:
    """What a LoRA on it will need, one sentence each."""
    form, native = family.variant(variant), native_size(family, variant, parts)
    yield f"native resolution {native.side} x {native.side} pixels, buckets in steps of {native.bucket_step}"
    yield family.clip_skip.in_words
    yield f"keys in the LoRA file: {family.lora.in_words}"
    if form.licence:
        yield f"licence of {family.title}{' ' + variant if variant else ''}: {form.licence}; a fine-tuned base may have another"
    if form.note:
        yield form.note
    if form.distilled is None:
        yield "the files do not say whether it was distilled to few steps: if its authors call it that, train on the base that it was made from"
