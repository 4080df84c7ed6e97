"""`/api/projects/{project}/trigger`: how the captions use it, and what speaks against a word as the trigger.

What a word is to the base is asked in a process of its own: its tokenizers take 26 MB, which the server would never give back.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from lorasmith.captions.collection import CaptionCollection
from lorasmith.captions.triggers import LeakKind, find_leaks, likely_triggers, naming, triggers_from
from lorasmith.errors import InputError
from lorasmith.studio.studio import OpenStudio

router = APIRouter(prefix="/projects/{project}", tags=["captions"])

PATIENCE = 120
"""Seconds after which a check is given up."""

MOST_SUGGESTED = 10

_one_at_a_time = threading.Lock()


class LeakView(BaseModel):
    """One thing that is wrong with a trigger in one caption."""

    key: str = Field(description="The caption.")
    kind: LeakKind
    trigger: str
    where: str = Field(description="The place, quoted; empty where the trigger is missing.")


class DoubtView(BaseModel):
    """Something that speaks against a word."""

    kind: str
    sentence: str
    warning: bool = Field(description="Whether another word is better; otherwise it is worth knowing.")


class CheckView(BaseModel):
    """A word as the base reads it."""

    trigger: str
    splits: dict[str, list[str]] = Field(description="Its pieces, for each tokenizer of the base.")
    doubts: list[DoubtView]


class TriggerView(BaseModel):
    """A project's trigger."""

    triggers: list[str] = Field(description="The project's, or else the first tags that most captions share.")
    captions: int = Field(description="Those that are to have it: all but those of regularisation.")
    leaks: list[LeakView]
    in_regularisation: dict[str, list[str]] = Field(description="Captions of regularisation pictures, with the triggers that they name.")
    checks: list[CheckView] = Field(description="The words that were to be checked.")
    suggestions: list[CheckView] = Field(
        description="Words that mean nothing to the base; those that come from the project's name are first."
    )


@router.get("/trigger")
def get_trigger(
    project: str, studio: OpenStudio,
    check: Annotated[str, Query(max_length=200, description="Words to look at, with commas between.")] = "",
    suggest: Annotated[int, Query(ge=0, le=MOST_SUGGESTED, description="How many words to suggest.")] = 0,
    base: Annotated[str, Query(max_length=4000, description="The base to ask, for a project that has none yet.")] = "",
) -> TriggerView:  # fmt: skip
    """How the captions use the trigger; with `check`, also how the base's tokenizers split a word, and what speaks against it; with `suggest`,
    words that could be the trigger."""
    folder = studio.projects[project]
    read = folder.read()
    words = triggers_from(check) if check else ()
    with studio.datasets.open(folder.dataset) as dataset:
        found = _used(dataset.captions, read.trigger) if dataset.pictures else TriggerView(
            triggers=[], captions=0, leaks=[], in_regularisation={}, checks=[], suggestions=[]
        )  # fmt: skip
    asked = read.base or base
    if (words or suggest) and not asked:
        raise InputError(
            f"{read.name} has no base yet, and it is the base that may know a word. Choose one.", code="trigger.no_base", project=project
        )
    if words:
        found.checks = _looked_at(studio.workspace, folder.dataset, asked, [f"--check={word}" for word in words])
    if suggest and dataset.pictures:
        found.suggestions = _looked_at(studio.workspace, folder.dataset, asked, [f"--suggest={suggest}", f"--name={read.name}"])
    return found


def _used(captions: CaptionCollection, given: str | None) -> TriggerView:
    regularisation = {entry.key: entry.caption for entry in captions if captions.is_regularisation(entry.key)}
    subject = {entry.key: entry.caption for entry in captions if entry.key not in regularisation}
    triggers = triggers_from(given) if given else likely_triggers(subject.values())
    return TriggerView(
        triggers=list(triggers), captions=len(subject), leaks=[LeakView(**vars(leak)) for leak in find_leaks(subject, triggers)],
        in_regularisation=naming(regularisation, triggers), checks=[], suggestions=[],
    )  # fmt: skip


def _looked_at(workspace: Path, dataset: Path, base: str, asked: list[str]) -> list[CheckView]:
    """What `lorasmith captions triggers` says of the words that these options name. Raises InputError with its sentence where it cannot."""
    command = [sys.executable, "-P", "-m", "lorasmith", "captions", "triggers", str(dataset), *asked, f"--base={base}", "--json"]
    try:
        with _one_at_a_time:
            done = subprocess.run(command, cwd=workspace, capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired as error:
        raise InputError(
            f"The base's tokenizers did not answer in {PATIENCE} seconds. Try again.", code="trigger.not_checked", base=base
        ) from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().removeprefix("error: ")
        raise InputError(said or "The word could not be checked.", code="trigger.not_checked", base=base)
    return [CheckView(**check) for check in json.loads(done.stdout)["checks"]]
