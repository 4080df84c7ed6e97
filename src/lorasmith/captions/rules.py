"""What becomes of a caption on its way into training: the trigger word first, the other tags in a new order, now and then nothing.

Shuffling keeps a model from learning that the first tags matter most; the kept head is where the trigger belongs. Dropping the
caption now and then teaches the picture without words, which guidance needs. Each draw is made anew for every pass of a picture.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from lorasmith.captions.caption import join_tags, split_tags
from lorasmith.errors import SettingsError


@dataclass(frozen=True)
class CaptionRules:
    """How captions are changed at training time. The defaults change nothing but the spaces around commas.

    Raises:
        SettingsError: a value is out of range, or the trigger is not one single tag.
    """

    shuffle: bool = False
    """Put the tags in a new order in each pass. For captions of tags; sentences would be torn at their commas."""
    keep_tokens: int = 0
    """How many tags at the front stay where they are when shuffling, the trigger among them; at least 1 where there is a trigger."""
    trigger: str | None = None
    """The tag that calls the LoRA; it stands first in every caption."""
    dropout: float = 0.0
    """How often (0-1) a caption is left empty, trigger and all."""

    def __post_init__(self) -> None:
        if self.keep_tokens < 0:
            raise SettingsError(f"keep_tokens is {self.keep_tokens}, but cannot be below 0: give the number of tags that stay in front.")
        if not 0 <= self.dropout <= 1:
            raise SettingsError(f"The caption dropout is {self.dropout}, but is a share from 0 to 1: give 0.05 for one caption in twenty.")
        if self.trigger is not None and split_tags(self.trigger) != [self.trigger]:
            raise SettingsError(
                f"The trigger {self.trigger!r} is not one tag (no comma, no spaces around it, not empty): give one tag, put further "
                "fixed tags at the front of the captions and count them in keep_tokens."
            )


def caption_for_training(caption: str, rules: CaptionRules, rng: random.Random) -> str:
    """The caption as the text encoder gets it in one pass: the first line that is not blank, changed by `rules`, tags joined with ", ".

    A caption that holds the trigger anywhere has it once, in front, afterwards; without shuffling all other tags keep their order.
    A sentence without a comma is one tag and stays whole.

    `rng` is drawn from in a fixed order, the dropout first and whether or not there is any: with the same `rng`, a caption that is not
    dropped reads the same under every dropout.
    """
    dropped = rng.random() < rules.dropout
    if dropped:
        return ""
    tags = split_tags(caption.strip().split("\n", 1)[0])
    if rules.trigger is not None:
        tags = [rules.trigger, *(tag for tag in tags if tag != rules.trigger)]
    if rules.shuffle:
        kept = max(rules.keep_tokens, 1 if rules.trigger is not None else 0)
        rest = tags[kept:]
        rng.shuffle(rest)
        tags = tags[:kept] + rest
    return join_tags(tags)
