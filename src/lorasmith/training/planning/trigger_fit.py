"""Whether the text encoder reads the whole trigger word."""

from __future__ import annotations

from lorasmith.captions.token_limit import count_tokens, what_falls_off
from lorasmith.findings import Evidence, Finding, Fix
from lorasmith.models.description import Description
from lorasmith.models.tokenizers import caption_tokenizers, tokens_read
from lorasmith.training.settings.tree import Settings

SHORTEST_LIMIT = 75
"""Tokens of a caption that every text encoder reads."""


def trigger_findings(settings: Settings, description: Description) -> list[Finding]:
    """A warning where captions.trigger has more tokens than the base reads of a caption.

    No tokenizer makes more tokens of a text than it has bytes, so tokenizers are loaded for very long triggers alone.
    """
    trigger = settings.captions.trigger
    if trigger is None or len(trigger.encode()) <= SHORTEST_LIMIT:
        return []
    for name, tokenizer in caption_tokenizers(description).items():
        limit = tokens_read(description, {name: tokenizer}, settings.base.max_token_length)
        if off := what_falls_off(trigger, tokenizer, limit):
            tokens = count_tokens(trigger, tokenizer)
            return [
                Finding(
                    code="captions.trigger_too_long", severity="warning", about="setting", subjects=("captions.trigger",),
                    message=f"captions.trigger has {tokens} tokens, of which the {name} reads {limit}: {off!r} is never read, nor is any caption.",
                    evidence=Evidence(tokens, "tokens"), why="The trigger is first in every caption and takes the room of all other words.",
                    fix=Fix("Set captions.trigger to one short word."),
                )
            ]  # fmt: skip
    return []
