"""What a page can offer as buttons when a call could not be answered: the call that gets further, where it is plain which one that is."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import BaseModel, Field, JsonValue

TRY_AGAIN = (423, 507)
"""Statuses of what passes, or what the user can do something about: the same call may succeed later."""

JOB_GOES_ON = {"paused": "resume", "stopped": "resume", "failed": "retry", "cancelled": "retry"}
"""State of a job -> the verb by which it goes on."""


class Action(BaseModel):
    """Something that the page can offer as a button."""

    label: str = Field(description="What the button says.")
    call: str = Field(description="The call that it makes: method and path, such as `POST /api/jobs/12:retry`.")
    again: bool = Field(False, description="Whether it is the call that failed, to be sent once more with what it sent.")


def actions_for(status: int, code: str, values: Mapping[str, JsonValue], method: str, path: str) -> list[Action]:
    """What can be done about a call of this method and path, query and all, that was answered so."""
    pictures = re.match(r"/api/projects/[^/?]+/pictures", path)
    if status in TRY_AGAIN:
        return [Action(label="Try again", call=f"{method} {path}", again=True)]
    if status == 412 and method in ("PUT", "PATCH", "DELETE"):
        return [Action(label="Look at it again", call=f"GET {path.partition('?')[0]}")]
    if code == "pictures.stale" and pictures:
        return [Action(label="Show the pictures again", call=f"GET {pictures[0]}")]
    if code == "jobs.state" and (verb := JOB_GOES_ON.get(str(values.get("state")))):
        return [Action(label=verb.capitalize(), call=f"POST /api/jobs/{values['id']}:{verb}")]
    return []
