"""What there is to choose from: recipes with their reasons, and bases by what their files say."""

from __future__ import annotations

from typing import Annotated, get_args

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, JsonValue

from lorasmith.models.families import FAMILIES
from lorasmith.models.open import describe, missing_parts
from lorasmith.studio.studio import OpenStudio
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
    source: str


class BaseView(BaseModel):
    """A base model, by what its files say; no weight is read."""

    source: str
    family: str
    title: str
    side: int = Field(description="Of the square that it was made for, in pixels.")
    prediction_type: str
    reasons: list[str] = Field(description="How we know.")
    notes: list[str] = Field(description="What a LoRA on it will need.")
    missing: list[str] = Field(description="Parts that are not there.")


@router.get("/recipes")
def list_recipes() -> Recipes:
    """Kinds, families and levels."""
    return Recipes(kinds=list(get_args(Kind)), families=list(FAMILIES), levels=list(get_args(Level)))


@router.get("/recipes/{kind}/{family}/{level}")
def get_recipe(kind: str, family: str, level: str, images: Annotated[int, Query(ge=1, le=1_000_000)] = 30) -> list[ChoiceView]:
    """Every setting of a recipe with its reason and its source."""
    return [ChoiceView(**vars(choice)) for choice in recipe(kind, family, level, images)]


@router.get("/bases")
def list_bases(studio: OpenStudio) -> list[str]:
    """The bases that projects of the workspace use, the most used first."""
    return studio.projects.bases()


@router.get("/bases:describe")
def describe_base(source: str) -> BaseView:
    """What a base model is: a file, a folder, or the id of one of the hub that is on this machine."""
    found = describe(source)
    return BaseView(
        source=source, family=found.family, title=found.record.title, side=found.native.side, prediction_type=found.prediction_type,
        reasons=list(found.reasons), notes=list(found.notes), missing=list(missing_parts(found)),
    )  # fmt: skip
