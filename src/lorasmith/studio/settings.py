"""`/api/settings`: what can be set, whether settings fit together, and as a file."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, JsonValue
from starlette.responses import PlainTextResponse

from lorasmith.errors import InputError, SettingsError
from lorasmith.models.open import describe
from lorasmith.projects.starting_settings import starting_settings
from lorasmith.studio.findings import FindingView, views
from lorasmith.studio.problems import Problem, problem_of
from lorasmith.studio.studio import CACHE, OpenStudio
from lorasmith.training.importers.sd_scripts_names import names_in_sd_scripts
from lorasmith.training.settings.checks import check_together
from lorasmith.training.settings.idle import idle_settings
from lorasmith.training.settings.toml import settings_toml
from lorasmith.training.settings.tree import Settings, settings_from

router = APIRouter(tags=["settings"])


Base = Annotated[str | None, Query(max_length=1000, description="Instead of the project's own.")]


class SettingsTree(BaseModel):
    """Settings of a training, as in a settings file; relative paths start from the workspace."""

    settings: dict[str, JsonValue]


class SettingsCheck(BaseModel):
    """What is wrong or odd about settings by themselves; a plan also looks at pictures and base."""

    errors: list[Problem] = Field(description="With their `place`, the dotted name of the setting. Empty where a training would take them.")
    findings: list[FindingView] = Field(description="Settings that do little together.")
    idle: dict[str, str] = Field(description="Settings that are as usual and would do nothing here if they were not: dotted name -> why.")


class StartingSettings(BaseModel):
    """Settings to start from."""

    settings: dict[str, JsonValue]
    notes: list[str] = Field(description="Why they are as they are, a sentence each.")


@router.get("/settings/schema")
def get_settings_schema() -> dict[str, Any]:
    """The JSON schema of all settings, with descriptions, ranges and defaults, and under `sd_scripts` what each is called there."""
    schema = Settings.model_json_schema()
    for name, theirs in names_in_sd_scripts().items():
        section, _, setting = name.rpartition(".")
        _section_of(schema, section)["properties"][setting]["sd_scripts"] = list(theirs)
    return schema


def _section_of(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """The schema of a section, or of one folder of a list; that of all settings for ""."""
    if not name:
        return schema
    field = schema["properties"][name]
    place = field.get("$ref") or field["items"]["$ref"]
    found: dict[str, Any] = schema["$defs"][place.rpartition("/")[2]]
    return found


@router.post("/settings:check")
def check_settings(sent: SettingsTree) -> SettingsCheck:
    """Whether settings are ones, fit together, and do something."""
    try:
        settings = settings_from(sent.settings)
        findings = check_together(settings)
    except SettingsError as error:
        return SettingsCheck(errors=[problem_of(error)], findings=[], idle={})
    return SettingsCheck(errors=[], findings=views(findings), idle=idle_settings(settings, _prediction_type(settings)))


def _prediction_type(settings: Settings) -> str | None:
    """What the base predicts; None where it cannot be looked at."""
    try:
        return describe(settings.base.path).prediction_type
    except InputError:
        return None


@router.post("/settings:toml", response_class=PlainTextResponse)
def get_settings_file(sent: SettingsTree) -> PlainTextResponse:
    """The complete settings as a TOML file, each with its description."""
    return PlainTextResponse(settings_toml(settings_from(sent.settings)))


@router.post("/projects/{project}/settings")
def suggest_settings(project: str, studio: OpenStudio, base: Base = None) -> StartingSettings:
    """Settings to start from: the recipe for the project's kind and level on its base or on another, fitted to its pictures."""
    folder = studio.projects[project]
    if base is None and folder.read().base is None:
        raise InputError(f"The project {project!r} has no base model yet. Choose one.", code="project.no_base", project=project)
    settings, notes = starting_settings(folder, studio.workspace / CACHE, base)
    return StartingSettings(settings=settings.model_dump(mode="json", exclude_none=True), notes=notes)
