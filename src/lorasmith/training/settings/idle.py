"""Settings that would do nothing in this combination, found by asking the rules: each that has its default is given another value.

    idle_settings(settings, "epsilon")["network.factor"]    # "network.factor has no effect on network.kind 'lora'; ..."

So no list says twice what the rules across fields say, and a new rule is known here at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from lorasmith.errors import SettingsError
from lorasmith.sections import fields_of
from lorasmith.training.settings.checks import check_fits_base, check_together
from lorasmith.training.settings.tree import Settings, section_type

IDLE = ("no_effect", "not_for_base")
"""Cases in the codes of errors that say so."""


def idle_settings(settings: Settings, prediction_type: str | None = None, zero_terminal_snr: bool = False) -> dict[str, str]:
    """Settings that have their default and would do nothing if they had not: dotted name -> why.

    `prediction_type` and `zero_terminal_snr` are the base's; without them what depends on the base is left out.
    """
    idle = {}
    for name in Settings.model_fields:
        section = getattr(settings, name)
        if section_type(Settings, name) is None or not isinstance(section, BaseModel):
            continue
        for field, others in _others(type(section)).items():
            if getattr(section, field) != fields_of(type(section))[field].get_default(call_default_factory=True):
                continue
            why = _refusal(settings, name, field, others, prediction_type, zero_terminal_snr)
            if why is not None:
                idle[f"{name}.{field}"] = why
    return idle


def _refusal(
    settings: Settings, section: str, field: str, others: list[Any], prediction_type: str | None, zero_terminal_snr: bool
) -> str | None:
    """Why the field does nothing; None where it does something, or no other value could be tried."""
    before = getattr(settings, section)
    for value in others:
        try:
            changed = type(before).model_validate(before.model_dump(exclude_unset=True) | {field: value})
        except ValidationError:
            continue
        tried = settings.model_copy(update={section: changed})
        try:
            check_together(tried)
            if prediction_type is not None:
                check_fits_base(tried, prediction_type, zero_terminal_snr)
        except SettingsError as error:
            if error.values.get("setting") == f"{section}.{field}" and error.code.endswith(IDLE):
                return str(error)
        return None
    return None


def _others(section: type[BaseModel]) -> dict[str, list[Any]]:
    """Values to try for each field of a section, by its schema."""
    properties = section.model_json_schema()["properties"]
    return {field: list(_values(schema)) for field, schema in properties.items()}


def _values(schema: Mapping[str, Any]) -> Iterator[Any]:
    default = schema.get("default")
    for form in schema.get("anyOf", [schema]):
        match form.get("type"):
            case "boolean":
                yield default is not True
            case "string":
                yield from (each for each in form.get("enum", ["x"]) if each != default)
            case "integer" | "number":
                yield from (
                    each for each in (1, 2, 8, 0.5, 0, form.get("maximum"), form.get("minimum")) if each is not None and each != default
                )
