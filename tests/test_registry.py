"""Settings whose values are a registry's keys."""

from typing import Annotated

import pytest
from pydantic import BaseModel, ValidationError

from lorasmith.registry import KeyOf, nearest

SHAPES: dict[str, object] = {"circle": 1, "square": 2}
ShapeName = Annotated[str, KeyOf(SHAPES, "a shape")]


class Drawing(BaseModel):
    shape: ShapeName = "circle"
    border: ShapeName | None = None


def test_a_key_of_the_registry_is_accepted_and_another_name_refused_with_the_nearest():
    assert Drawing(shape="square").shape == "square"
    with pytest.raises(ValidationError, match="is not a shape; did you mean 'square'"):
        Drawing(shape="sqare")
    with pytest.raises(ValidationError, match="choose one of circle, square"):
        Drawing(border="x")


def test_what_is_registered_later_is_accepted_too(monkeypatch):
    monkeypatch.setitem(SHAPES, "triangle", 3)
    assert Drawing(shape="triangle").shape == "triangle"


def test_the_schema_lists_the_names():
    properties = Drawing.model_json_schema()["properties"]
    assert properties["shape"]["enum"] == ["circle", "square"]
    assert properties["border"]["anyOf"][0]["enum"] == ["circle", "square"]


def test_the_nearest_name_is_offered_or_else_all():
    assert nearest("cosin", ["cosine", "linear"]) == "did you mean 'cosine'?"
    assert nearest("q", ["cosine", "linear"]) == "choose one of cosine, linear."


def test_the_nearest_name_is_found_in_any_case_and_by_what_others_call_it():
    assert nearest("CoSin", ["cosine", "linear"]) == "did you mean 'cosine'?"
    assert nearest("Lion8Bit", ["lion", "Lion8bit"]) == "did you mean 'Lion8bit'?"
    assert nearest("locn", ["lora", "loha"], {"locon": "lora"}) == "did you mean 'lora'?"
