"""What a model on the shelf is, by what its files say: nothing is opened whole, and nothing is downloaded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lorasmith.captions.taggers.tagger_descriptor import descriptor_from_hub_name, descriptor_of, files_of
from lorasmith.captions.vocabulary import open_vocabulary
from lorasmith.errors import InputError
from lorasmith.images.upscale import why_no_networks
from lorasmith.models.files.hub import hub_parts, in_cache, is_hub_id
from lorasmith.models.open import describe, missing_parts
from lorasmith.models.shelf import Registered
from lorasmith.pages.numbers import count
from lorasmith.safetensors_header import read_header


@dataclass(frozen=True)
class KnownModel:
    """A model as it is on this machine."""

    title: str = ""
    """What it is, for people: `Stable Diffusion XL`, `12,000 tags`."""
    family: str = ""
    licence: str = ""
    bytes: int = 0
    missing: list[str] = field(default_factory=list)
    """Parts that a base needs and that are not there."""
    problem: str = ""
    """Why it cannot be used; "" where it can."""


def look_at(workspace: str | Path, model: Registered) -> KnownModel:
    """What a registered model is. What is wrong with it is its `problem`."""
    try:
        match model.kind:
            case "base":
                return _base(Path(workspace), model)
            case "tagger":
                return _tagger(Path(workspace), model)
            case "vocabulary":
                file = Path(workspace) / model.source
                return KnownModel(title=count(len(open_vocabulary(file)), "tag"), licence=model.licence, bytes=_size([file]))
            case "upscaler":
                file = Path(workspace) / model.source
                read_header(file)
                return KnownModel(title=file.stem, licence=model.licence, bytes=_size([file]), problem=why_no_networks())
    except InputError as error:
        return KnownModel(licence=model.licence, problem=str(error))


def _base(workspace: Path, model: Registered) -> KnownModel:
    place = workspace / model.source
    if not place.exists() and is_hub_id(model.source):
        cached = in_cache(model.source)
        if cached is None:
            return KnownModel(licence=model.licence, problem=_not_here(model.source))
        place = cached
    found = describe(place)
    files = {file for part in found.parts.values() for file in part.files}
    return KnownModel(
        found.record.title, found.family, model.licence or found.metadata.get("modelspec.license", ""), _size(files), missing_parts(found)
    )


def _tagger(workspace: Path, model: Registered) -> KnownModel:
    folder = workspace / model.source
    if folder.is_dir():
        descriptor = descriptor_of(folder)
    else:
        descriptor = descriptor_from_hub_name(model.source)
        repository, _, inside = hub_parts(model.source)
        found = [in_cache(f"{repository}/{f'{inside}/' if inside else ''}{name}") for name in descriptor.model_files]
        if not any(found):
            return KnownModel(family=descriptor.name, licence=model.licence, problem=_not_here(model.source))
        folder = next(file for file in found if file is not None).parent
    files = [file for pattern in files_of(descriptor) for file in folder.glob(pattern)]
    return KnownModel(f"Tagger of the {descriptor.name} family", descriptor.name, model.licence, _size(files))


def _size(files: Iterable[Path]) -> int:
    return sum(file.stat().st_size for file in files if file.exists())


def _not_here(source: str) -> str:
    return f"{source} is not on this machine. Download it."
