"""What of A1111's prompt syntax a base does not read, to be said before a picture is generated."""

from __future__ import annotations

from collections.abc import Iterable

from lorasmith.findings import Evidence, Finding, Fix
from lorasmith.models.architectures.emphasis import has_emphasis, parse_emphasis, unread_syntax
from lorasmith.models.families import FAMILIES

MOST_WEIGHT = 5.0
"""Of a word, with emphasis inside emphasis; the guides use 0.5 to 1.5, and no picture is made of a word that counts more than this."""


def prompt_findings(prompts: Iterable[str], family: str) -> list[Finding]:
    """What of A1111's syntax in these prompts does nothing on a base of this family, and what spoils a picture.

    Raises SettingsError where an emphasis is too large for a number.
    """
    findings = []
    record = FAMILIES[family]
    for prompt in dict.fromkeys(prompts):
        if not record.reads_emphasis and has_emphasis(prompt):
            findings.append(
                Finding(
                    "prompt.emphasis_without_effect", "warning", f"The emphasis in {prompt!r} has no effect on {record.title}.", "option",
                    why="Its text encoder reads brackets and numbers as text.", fix=Fix("Say it in words."),
                )
            )  # fmt: skip
            continue
        run, weight = max(
            parse_emphasis(prompt) if record.reads_emphasis else [("", 1.0)], key=lambda each: abs(each[1]), default=("", 1.0)
        )
        if abs(weight) > MOST_WEIGHT:
            findings.append(
                Finding(
                    "prompt.extreme_emphasis", "warning", f"In {prompt!r} {run.strip()!r} counts {weight:g} times.", "option",
                    evidence=Evidence(weight, "weight"), why="The text is scaled by it, and the picture falls apart.",
                    fix=Fix("Give a weight between 0.5 and 1.5."),
                )
            )  # fmt: skip
        if (found := unread_syntax(prompt)) is not None:
            findings.append(
                Finding(
                    "prompt.syntax_without_effect", "warning", f"{found!r} in {prompt!r} is not read here as A1111 reads it.", "option",
                    why="Prompts that change from step to step, and several joined by AND, are not offered.",
                    fix=Fix("Write the prompt without it, or put a backslash before brackets that are meant as text."),
                )
            )  # fmt: skip
    return findings
