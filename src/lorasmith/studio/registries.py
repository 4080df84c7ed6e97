"""What there is to choose from: recipes with their reasons, checks of the audit, bases by what their files say, taggers with their thresholds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, get_args

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, JsonValue

from lorasmith.captions.taggers.model_folder import HUB_ID
from lorasmith.captions.taggers.tagger_descriptor import descriptor_from_hub_name, descriptor_of
from lorasmith.curation.audit.checks import CheckName, checks
from lorasmith.curation.audit.words_kind import WORD_KINDS
from lorasmith.demo.weights import BASE
from lorasmith.errors import InputError
from lorasmith.findings import About, Severity
from lorasmith.models.families import FAMILIES
from lorasmith.models.files.hub import in_cache, is_hub_id
from lorasmith.models.named import name_of
from lorasmith.models.open import describe, missing_parts
from lorasmith.models.shelf import ModelKind
from lorasmith.models.widths import FULL_SIZE, widths_of
from lorasmith.studio.said import Said, said
from lorasmith.studio.studio import OpenStudio, Studio
from lorasmith.training.recipes.precision import fitted_to_machine
from lorasmith.training.recipes.recipes import Kind, Level, recipe

router = APIRouter(tags=["registries"])


class Recipes(BaseModel):
    """What recipes can be asked for."""

    kinds: list[str]
    families: list[str]
    levels: list[str]


class ChoiceView(BaseModel):
    """One setting of a recipe."""

    setting: str = Field(description="Its dotted name.")
    value: JsonValue
    reason: str
    said: Said = Field(description="The reason by its code and values.")
    source: str


class AuditCheck(BaseModel):
    """Something that an audit looks for, unless a project's `audit_without` names it."""

    check: CheckName
    code: str = Field(description="Of its findings.")
    title: str = Field(description="A phrase, such as `partly transparent`.")
    severity: Severity
    about: About
    message: str = Field(description="What a finding says.")
    why: str = Field(description="What it does to a LoRA.")
    reads_words: bool = Field(description="Whether only an audit with `words` looks for it.")


class BaseChoice(BaseModel):
    """A base to choose."""

    source: str = Field(description="As projects, settings and jobs take it.")
    name: str = Field(description="What people call it: the name of its file or folder, or its id at the hub.")


class BaseView(BaseModel):
    """A base model, by what its files say; no weight is read."""

    source: str
    name: str = Field(description="What people call it.")
    family: str
    title: str
    side: int = Field(description="Of the square that it was made for, in pixels.")
    prediction_type: str
    reasons: list[str] = Field(description="How we know.")
    notes: list[str] = Field(description="What a LoRA on it will need.")
    missing: list[str] = Field(description="Parts that are not there.")


class TaggerView(BaseModel):
    """A tagger, by its files or by the hub's name for it; it is neither opened nor downloaded."""

    source: str = Field(description="As jobs take it: a folder, or the id of a repository of the hub.")
    family: str = Field(description="Whose input and output it has: wd, cl, pixai, camie, or own by its tagger.toml.")
    local: bool = Field(description="Whether it is a folder on this machine.")
    general_threshold: float = Field(description="Of general tags, where a job gives none.")
    character_threshold: float = Field(description="Of characters.")


@router.get("/recipes")
def list_recipes() -> Recipes:
    """Kinds, families and levels."""
    return Recipes(kinds=list(get_args(Kind)), families=list(FAMILIES), levels=list(get_args(Level)))


@router.get("/recipes/{kind}/{family}/{level}")
def get_recipe(
    kind: str, family: str, level: str, studio: OpenStudio, images: Annotated[int, Query(ge=1, le=1_000_000)] = 30,
    base: Annotated[str | None, Query(max_length=1000, description="For whose width the rates are, and which this machine trains; without it for full size, on any.")] = None,
) -> list[ChoiceView]:  # fmt: skip
    """Every setting of a recipe with its reason and its source."""
    described = None if base is None else describe(_on_this_machine(base, studio))
    choices = recipe(kind, family, level, images, FULL_SIZE if described is None else widths_of(described))
    if described is not None:
        choices = fitted_to_machine(choices, described)
    return [ChoiceView(**choice.as_data, said=said(choice.why)) for choice in choices]


@router.get("/checks")
def list_checks() -> list[AuditCheck]:
    """The checks of an audit that can be switched off."""
    return [
        AuditCheck(
            check=name, code=f"audit.{name}", title=kind.title, severity=kind.severity, about=kind.about, message=kind.message, why=kind.why,
            reads_words=name in WORD_KINDS,
        )
        for name, kind in checks().items()
    ]  # fmt: skip


@router.get("/bases")
def list_bases(studio: OpenStudio) -> list[BaseChoice]:
    """The bases to choose from: those that projects use, the most used first, then those that are registered; the demo's comes last."""
    sources = dict.fromkeys([*_together(studio.projects.bases(), studio, "base"), str(BASE)])
    return [BaseChoice(source=source, name=name_of_source(source)) for source in sources]


@router.get("/bases:describe")
def describe_base(source: str, studio: OpenStudio) -> BaseView:
    """What a base model is: a file, a folder, or the id of one of the hub that is on this machine."""
    found = describe(_on_this_machine(source, studio))
    return BaseView(
        source=source, name=name_of_source(source), family=found.family, title=found.record.title, side=found.native.side, prediction_type=found.prediction_type,
        reasons=list(found.reasons), notes=list(found.notes), missing=list(missing_parts(found)),
    )  # fmt: skip


@router.get("/taggers")
def list_taggers(studio: OpenStudio) -> list[str]:
    """The taggers to choose from: those that jobs used, the most used first, then those that are registered."""
    used = Counter(str(job.arguments["tagger"]) for job in studio.queue.jobs() if "tagger" in job.arguments)
    return _together([tagger for tagger, _ in used.most_common()], studio, "tagger")


@router.get("/taggers:describe")
def describe_tagger(source: Annotated[str, Query(min_length=1, max_length=1000)], studio: OpenStudio) -> TaggerView:
    """What a tagger is: a folder, or the id of a repository of the hub, by whose name it is known."""
    folder = studio.workspace / source
    local = folder.is_dir()
    if not local and not HUB_ID.fullmatch(source):
        raise InputError(
            f"{source} is neither a folder nor the id of a hub repository (owner/name): check the spelling.", code="hub.not_found", source=source
        )  # fmt: skip
    found = descriptor_of(folder) if local else descriptor_from_hub_name(source)
    return TaggerView(
        source=source, family=found.name, local=local, general_threshold=found.general_threshold, character_threshold=found.character_threshold
    )  # fmt: skip


def name_of_source(source: str) -> str:
    """`sdxl-base` of `/models/sdxl-base.safetensors`; an id of the hub is its own name."""
    return "Demo base" if Path(source) == BASE else name_of(source).removesuffix(".safetensors")


def _together(used: list[str], studio: Studio, kind: ModelKind) -> list[str]:
    return list(dict.fromkeys([*used, *(one.source for one in studio.shelf if one.kind == kind)]))


def _on_this_machine(source: str, studio: Studio) -> Path:
    """Where a base is. Raises InputError where it would have to be downloaded first (`hub.not_found`)."""
    place = studio.workspace / source
    if place.exists() or not is_hub_id(source):
        return place
    cached = in_cache(source)
    if cached is None:
        raise InputError(
            f"{source} is not on this machine. Register it as a model, which downloads it.", code="hub.not_found", source=source
        )
    return cached
