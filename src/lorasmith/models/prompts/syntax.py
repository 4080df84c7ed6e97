"""What of A1111's prompt syntax a base does not read, to be said before a picture is generated."""

from __future__ import annotations

from collections.abc import Iterable

from lorasmith.findings import Finding, Fix
from lorasmith.models.architectures.emphasis import has_emphasis, unread_syntax
from lorasmith.models.families import FAMILIES


def prompt_findings(prompts: Iterable[str], family: str) -> list[Finding]:
    """What of A1111's syntax in these prompts does nothing on a base of this family."""
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
        elif (found := unread_syntax(prompt)) is not None:
            findings.append(
                Finding(
                    "prompt.syntax_without_effect", "warning", f"{found!r} in {prompt!r} is not read here as A1111 reads it.", "option",
                    why="Prompts that change from step to step, and several joined by AND, are not offered.",
                    fix=Fix("Write the prompt without it, or put a backslash before brackets that are meant as text."),
                )
            )  # fmt: skip
    return findings
