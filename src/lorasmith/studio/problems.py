"""What the API answers when it cannot do what was asked: `application/problem+json` (RFC 9457) in our own sentences.

    {"type": "/problems/project", "title": "Not there", "status": 404, "code": "project.not_found",
     "detail": "There is no project 'mimi'. Choose one of the list.", "values": {"project": "mimi"}, "place": null, "actions": []}

The rooms raise what they always raise (`errors`); the status follows from the error's class and from the case in its code.
"""

from __future__ import annotations

import errno
import logging
import math
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, JsonValue
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from lorasmith.errors import InputError, LorasmithError, RunError, SettingsError
from lorasmith.secrets import without_secrets
from lorasmith.studio.actions import Action, actions_for

MEDIA_TYPE = "application/problem+json"

log = logging.getLogger(__name__)


class Problem(BaseModel):
    """Why a call could not be answered."""

    type: str = Field(description="`/problems/` and the room of the code.")
    title: str = Field(description="What the status means, in two or three words.")
    status: int
    detail: str = Field(description="Which thing, what is wrong, what to do.")
    code: str = Field(description="`room.case`; the same in all versions.")
    values: dict[str, JsonValue] = Field(default={}, description="What the sentence refers to, as data.")
    place: str | None = Field(default=None, description="The setting or the part of the call that is wrong, by its dotted name.")
    actions: list[Action] = Field(default=[], description="What can be done about it.")


STATUS_OF_CODE: Mapping[str, int] = {
    "jobs.unknown": 404,
    "jobs.grid_not_found": 404,
    "jobs.picture_not_found": 404,
    "jobs.state": 409,
    "jobs.arguments": 422,
    "jobs.unknown_kind": 422,
    "captions.changed_outside": 412,
    "captions.nothing_to_undo": 409,
    "dataset.nothing_to_undo": 409,
}
"""The status of single codes."""

STATUS_OF_CASE: Mapping[str, int] = {
    "not_found": 404, "no_run_folder": 404,
    "exists": 409, "stale": 409, "not_running": 409,
    "changed": 412,
    "too_large": 413,
    "locked": 423, "in_use": 423,
    "disk_full": 507,
}  # fmt: skip
"""The case in an error's code -> the status, where the case says more than the class."""

STATUS_OF_CLASS: tuple[tuple[type[LorasmithError], int], ...] = ((SettingsError, 422), (InputError, 400), (RunError, 500))


def problem(status: int, code: str, detail: str, *, place: str | None = None, **values: Any) -> Problem:
    """A problem in our own words."""
    return Problem(
        type=f"/problems/{code.partition('.')[0]}", title=title_of(status), status=status, code=code, place=place,
        detail=str(_plain(without_secrets(detail))), values={name: _plain(value) for name, value in without_secrets(values).items()},
    )  # fmt: skip


def _plain(value: Any) -> JsonValue:
    """A value as JSON has it; what JSON has no form for, and letters that are none (of file names), as text."""
    if isinstance(value, Mapping):
        return {str(_plain(str(key))): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value).encode(errors="backslashreplace").decode()


def problem_of(error: LorasmithError) -> Problem:
    """The problem that an error of any room is."""
    by_class = next((status for cls, status in STATUS_OF_CLASS if isinstance(error, cls)), 500)
    setting = error.values.get("setting")
    status = STATUS_OF_CODE.get(error.code) or STATUS_OF_CASE.get(error.code.rpartition(".")[2], by_class)
    if isinstance(error, InputError) and setting is not None:  # what was sent is understood, and names what cannot be used
        status = 422
    return problem(status, error.code, str(error), place=setting if isinstance(setting, str) else None, **error.values)


def title_of(status: int) -> str:
    """`Not found` for 404."""
    return HTTPStatus(status).phrase.capitalize()


def answer(found: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A problem as an answer."""
    return JSONResponse(found.model_dump(mode="json"), found.status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def _path_of(request: Request) -> str:
    """What was called, as it was encoded, with its query."""
    path, query = (str(request.scope[part], "latin-1") for part in ("raw_path", "query_string"))
    found: str = without_secrets(f"{path}?{query}" if query else path)
    return found


def add_handlers(app: FastAPI) -> None:
    """Answer everything that goes wrong in a call as a problem."""

    @app.exception_handler(LorasmithError)
    def ours(request: Request, error: LorasmithError) -> JSONResponse:
        found = problem_of(error)
        found.actions = actions_for(found.status, found.code, found.values, request.method, _path_of(request))
        if found.status == 500:
            log.error("%s %s: %s", request.method, request.url.path, found.detail)
        return answer(found)

    @app.exception_handler(RequestValidationError)
    def wrong_call(request: Request, error: RequestValidationError) -> JSONResponse:
        fault = error.errors()[0]
        part, *names = (str(each) for each in fault["loc"])
        place = ".".join(names)
        what = f"{place} of the {part}" if place else f"The {part}"
        reason = fault["msg"].removeprefix("Value error, ")
        return answer(problem(422, "call.value", f"{what}: {reason[0].lower()}{reason[1:].rstrip('.')}.", place=place or part))

    @app.exception_handler(HTTPException)
    def of_the_framework(request: Request, error: HTTPException) -> JSONResponse:
        path = request.url.path
        sentence = {
            404: f"There is nothing at {path}. /api/openapi.json lists what there is.",
            405: f"{path} does not take {request.method}. /api/openapi.json lists what it takes.",
        }.get(error.status_code, f"{error.detail}.")
        return answer(problem(error.status_code, f"call.{error.status_code}", sentence, path=path), error.headers)

    @app.exception_handler(OSError)
    def of_the_disk(request: Request, error: OSError) -> JSONResponse:
        named = error.filename or "A file"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return answer(
                problem(507, "disk.full", f"{named} could not be written: the disk is full. Make room and try again.", path=named)
            )
        return answer(problem(500, "disk.error", f"{named} could not be used ({error.strerror or error}).", path=named))

    @app.exception_handler(Exception)
    def of_ours(request: Request, error: Exception) -> JSONResponse:
        number = secrets.token_hex(4)
        log.error("fault %s in %s %s", number, request.method, request.url.path, exc_info=error)
        sentence = f"Something went wrong that is the studio's own fault. Its log says more under the number {number}."
        return answer(problem(500, "studio.fault", sentence, number=number))
