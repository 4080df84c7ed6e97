"""The reference of findings and verdicts, made from the registries, and where the handbook explains each.

A finding of a registry has an entry of its own. The others are explained by the guide for their room, which `GUIDES` names.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lorasmith.captions.advice.advise import RULES as CAPTION_RULES
from lorasmith.curation.audit.finding_kind import Kind
from lorasmith.curation.audit.kinds import KINDS
from lorasmith.evaluation.signs.picture_signs import PICTURE_SIGNS
from lorasmith.evaluation.signs.run_signs import RUN_SIGNS
from lorasmith.evaluation.verdict.labels import meanings
from lorasmith.handbook.said_in_code import sentences_of
from lorasmith.handbook.tables import linked, table
from lorasmith.training.planning.lints.lints import LINTS

PAGE = "reference/findings.md"


@dataclass(frozen=True)
class Room:
    """The findings of a room that are in a registry."""

    title: str
    room: str
    """What stands before the point in their codes."""
    rules: Mapping[str, Any]
    said_of: Callable[[Any], str]


def _of_kind(kind: Kind) -> str:
    return f"{kind.message} {kind.why} {kind.fix}"


def _of_rule(rule: Callable[..., Any]) -> str:
    return (inspect.getdoc(rule) or "").partition("\n\n")[0]


def _of_lint(rule: Callable[..., Any]) -> str:
    return sentences_of(rule, "warning")


ROOMS = (
    Room("Pictures", "audit", KINDS, _of_kind),
    Room("Captions", "captions", CAPTION_RULES, _of_rule),
    Room("Settings", "lint", LINTS, _of_lint),
    Room("Signs in the course of a run", "signs", RUN_SIGNS, _of_rule),
    Room("Signs in the pictures of a run", "signs", PICTURE_SIGNS, _of_rule),
)

GUIDES: Mapping[str, str] = {
    "audit": "guide/images-audit.md#what-is-looked-for",
    "captions": "guide/captions-checking.md#check",
    "check": "guide/lora-files.md#will-it-load",
    "continuation": "guide/resume.md#go-on-with-other-settings",
    "folder": "guide/training-data.md",
    "import": "guide/settings.md#from-another-trainer",
    "imports": "guide/images.md#import",
    "install": "guide/library.md#put-it-where-your-ui-looks",
    "layout": "guide/images.md#lay-out",
    "lint": "guide/settings.md#what-the-guides-would-say",
    "plan": "guide/memory.md#let-the-plan-choose",
    "prompt": "guide/sampling.md#prompts",
    "proof": "guide/proof.md#labels-and-their-limits",
    "publish": "guide/library.md#what-is-checked",
    "run": "guide/watching-a-run.md",
    "sample": "guide/sampling.md#what-a-png-says",
    "samples": "guide/sampling.md#flags-and-files-of-prompts",
    "settings": "guide/settings.md#what-the-guides-would-say",
    "signs": "guide/proof.md#what-the-numbers-mean",
    "validation": "guide/watching-a-run.md#validation-does-it-learn-or-memorise",
    "verdict": "guide/proof.md#labels-and-their-limits",
}
"""What stands before the point in a finding's code -> what to read about it."""


def address(code: str) -> str:
    """Where the handbook explains a finding, by its code; the page of all findings where the code is unknown."""
    room, _, rule = code.partition(".")
    if any(each.room == room and rule in each.rules for each in ROOMS):
        return f"{PAGE}#{code}"
    return GUIDES.get(room, PAGE)


def verdict_address(verdict: str) -> str:
    """Where the handbook explains what is said of a checkpoint: `good`, `over-cooked`, `cannot tell`."""
    return f"{PAGE}#{_anchor_of(verdict)}" if verdict in meanings() else GUIDES["verdict"]


def page() -> str:
    """The whole reference, in Markdown."""
    parts = [
        "# Findings and verdicts",
        "What is looked for, by the code that scripts and pages can rely on, and what is said of a checkpoint.",
    ]
    for room in ROOMS:
        rows = (
            (linked(f"{room.room}.{rule}", f"`{room.room}.{rule}`"), room.said_of(entry) or _aloud(rule))
            for rule, entry in room.rules.items()
        )
        parts += [f"## {room.title}", _read_more(room.room), table(("code", "what it is"), rows)]
    verdicts = ((linked(_anchor_of(name), name), meaning) for name, meaning in meanings().items())
    return "\n\n".join([*parts, "## What is said of a checkpoint", _read_more("verdict"), table(("verdict", "what it means"), verdicts)])


def codes() -> Iterable[str]:
    """The codes that have an entry of their own."""
    return (f"{room.room}.{rule}" for room in ROOMS for rule in room.rules)


def _read_more(room: str) -> str:
    return f"The guide says more: [{GUIDES[room].partition('#')[0].removeprefix('guide/').removesuffix('.md')}](../{GUIDES[room]})."


def _anchor_of(verdict: str) -> str:
    return f"verdict.{verdict.replace(' ', '-')}"


def _aloud(rule: str) -> str:
    words = rule.replace("_", " ")
    return f"{words[0].upper()}{words[1:]}."
