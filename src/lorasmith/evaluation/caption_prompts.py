"""A handful of prompts from the captions of a folder, to look at a LoRA with: what `evaluation.prompts` makes, as lines to generate."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from lorasmith.evaluation.prompts import Group
from lorasmith.evaluation.proof.plan_making import plan_for_pictures
from lorasmith.models.architectures.emphasis import escape
from lorasmith.models.prompts.lines import PromptLine
from lorasmith.models.settings import BaseModelSettings


def lines_from_captions(base: str | Path, folder: str | Path, trigger: str | None = None, each: int = 2) -> list[PromptLine]:
    """`each` prompts of every group: the trigger in new combinations, alone, captions of training images and of held-out ones, and prompts
    without the trigger; each with its own seed. Brackets of captions are text.

    Raises InputError where the pictures or the base cannot be read.
    """
    made = plan_for_pictures(BaseModelSettings(path=Path(base)), folder, trigger=trigger, effort="quick").prompts
    chosen = [prompt for group in get_args(Group) for prompt in made.of(group)[:each]]
    return [PromptLine({"prompt": escape(prompt.text), "seed": prompt.seed}) for prompt in chosen]
