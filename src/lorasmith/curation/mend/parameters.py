"""The parameters of the ways to mend, from their keyword arguments: checked before any picture is looked at, and described for whoever asks.

parameters_of("crop")(box=[0, 0, 512, 512]).box
parameters_of("crop").model_json_schema()
"""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Callable
from functools import cache
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from lorasmith.curation.mend.ways import WAYS
from lorasmith.errors import InputError
from lorasmith.findings import MendChange


def parameters_of(way: str) -> type[BaseModel]:
    """What a way of `WAYS` takes beside the picture, as a model with a field for each."""
    return _model(WAYS[way])


def checked(change: MendChange) -> dict[str, Any]:
    """The parameters of a change, each of the type that its way takes.

    Raises:
        InputError: one is missing, unknown or wrong (`mend.wrong_parameters`).
    """
    try:
        inspect.signature(WAYS[change.way]).bind(None, **change.parameters)
        values = parameters_of(change.way).model_validate(dict(change.parameters))
    except TypeError as error:
        raise _wrong(change, str(error)) from error
    except ValidationError as error:
        fault = error.errors()[0]
        place, why = ".".join(map(str, fault["loc"])), fault["msg"]
        raise _wrong(change, f"{place}: {why[0].lower()}{why[1:]}") from error
    return {name: getattr(values, name) for name in change.parameters}


@cache
def _model(way: Callable[..., object]) -> type[BaseModel]:
    hints = get_type_hints(way, include_extras=True)
    taken = [parameter for parameter in inspect.signature(way).parameters.values() if parameter.kind is parameter.KEYWORD_ONLY]
    fields: dict[str, Any] = {
        one.name: (hints.get(one.name, Any), ... if one.default is inspect.Parameter.empty else one.default) for one in taken
    }
    return create_model("Parameters", __config__=ConfigDict(extra="forbid"), **fields)


def _wrong(change: MendChange, why: str) -> InputError:
    return InputError(
        f"{change.way!r} cannot be done with {reprlib.repr(dict(change.parameters))}: {why}.", code="mend.wrong_parameters", way=change.way
    )
