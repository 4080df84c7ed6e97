"""Lints about the LoRA's name, which its files have, too."""

from __future__ import annotations

import re

from lorasmith.curation.names import safe_folder
from lorasmith.training.planning.lints.registry import Findings, lint, set_to, warning
from lorasmith.training.planning.lints.run_facts import RunFacts

PROMPT_SYNTAX = re.compile(r"[\[\]{}]|__+")
"""What web UIs and their extensions read in a prompt as alternatives, weights or wildcards, also inside `<lora:name:1>`."""


@lint
def awkward_name(run: RunFacts) -> Findings:
    name = run.settings.name
    better = safe_folder(PROMPT_SYNTAX.sub("_", name))
    if better != name:
        yield warning(
            f"The name {name!r} is awkward for files or prompts.", subjects=("name",),
            why="Some systems refuse device names, blanks or full stops at the ends, hidden letters and very long names, and web UIs read "
            "brackets, braces and double underscores in a prompt.",
            fix=set_to("name", better), source="the file systems' rules",
        )  # fmt: skip
