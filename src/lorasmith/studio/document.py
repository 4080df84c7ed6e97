"""The OpenAPI document: what the routes say of themselves, and that everything that goes wrong is answered as a `Problem`."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from lorasmith.studio.problems import MEDIA_TYPE, Problem

_OF_THE_FRAMEWORK = ("HTTPValidationError", "ValidationError")
"""Schemas of answers that we never give."""

_PROBLEM = {
    "description": "Why the call could not be answered.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}},
}


def describe(api: FastAPI) -> dict[str, Any]:
    """The document; it is made once, when it is first asked for."""
    if api.openapi_schema is None:
        document = get_openapi(title=api.title, version=api.version, description=api.description, routes=api.routes)
        for path in document["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
                operation["responses"]["default"] = _PROBLEM
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for name in _OF_THE_FRAMEWORK:
            schemas.pop(name, None)
        own = Problem.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
        schemas |= {**own.pop("$defs"), Problem.__name__: own}
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
        api.openapi_schema = document
    return api.openapi_schema
