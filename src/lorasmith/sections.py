"""Sections of the settings that are open: the entries of a registry declare settings of their own, beside themselves, which the section takes.

    class NetworkSettings(OpenSection):
        rank: int = 16

        @classmethod
        def declared(cls):
            return (kind.own_settings for kind in KINDS.values())

Whoever writes settings sees one flat section: NetworkSettings(kind="lokr", factor=8). The registry is asked when settings are made, so that
what was added to it later (by a plugin, by a test) is taken too. Like all settings they have a default, and unknown keys are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails


class OpenSection(BaseModel):
    """A section with settings of its own and those that `declared` gives now."""

    model_config = ConfigDict(extra="allow", frozen=True)

    @classmethod
    def declared(cls) -> Iterable[type[BaseModel]]:
        """Models of plain values with defaults; several entries may declare the same one."""
        return ()

    @model_validator(mode="before")
    @classmethod
    def _take_declared(cls, given: Any) -> Any:
        """Check what is declared by its own model, and complete it."""
        if not isinstance(given, Mapping):
            return given
        known = fields_of(cls)
        taken: dict[str, Any] = {}
        for model in _declared_models(cls):
            taken |= dict(model.model_validate({name: given[name] for name in model.model_fields if name in given}))
        if unknown := [name for name in given if name not in known]:
            faults = [InitErrorDetails(type="extra_forbidden", loc=(name,), input=given[name]) for name in unknown]
            raise ValidationError.from_exception_data(cls.__name__, faults)
        return {**given, **taken}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        found = handler(schema)
        section = handler.resolve_ref_schema(found)
        for model in _declared_models(cls):
            section["properties"] |= model.model_json_schema().get("properties", {})
        section["additionalProperties"] = False
        return found


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The settings of a section by name, with those that a registry's entries declare for it, where it is open.

    Raises:
        ValueError: two entries declare the same name.
    """
    fields = dict(model.model_fields)
    if issubclass(model, OpenSection):
        for declared in _declared_models(model):
            if taken := fields.keys() & declared.model_fields.keys():
                raise ValueError(
                    f"The setting {min(taken)!r} is declared by {declared.__name__} and was there before: give it another name."
                )
            fields |= declared.model_fields
    return fields


def _declared_models(section: type[OpenSection]) -> list[type[BaseModel]]:
    return list(dict.fromkeys(section.declared()))
