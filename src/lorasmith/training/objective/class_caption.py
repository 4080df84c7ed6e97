"""A caption without its trigger word: what the picture shows where the LoRA is not called."""

from __future__ import annotations

import re

from lorasmith.captions.caption import join_tags, split_tags


def class_caption(caption: str, trigger: str, class_word: str | None = None) -> str:
    """The caption with `class_word` in place of the trigger; without one, or where that is one of its tags already, the trigger is left out.

    The trigger is found as a tag and as a word in a sentence, in upper or lower case, also within (emphasis:1.2), and never inside a
    longer word. A caption without it comes back as it is.
    """
    if not names_trigger(caption, trigger):
        return caption
    if class_word is not None and class_word.lower() not in (tag.lower() for tag in split_tags(caption)):
        return trigger_pattern(trigger).sub(lambda found: class_word, caption)
    kept = []
    for tag in split_tags(caption):
        if names_trigger(tag, trigger):
            tag = re.sub(r"\s+", " ", trigger_pattern(trigger).sub("", tag)).strip()
            tag = "" if _ONLY_EMPHASIS.fullmatch(tag) else tag
        kept.append(tag)
    return join_tags(tag for tag in kept if tag)


_ONLY_EMPHASIS = re.compile(r"[()\[\]\s]*(:\s*[\d.]*)?[()\[\]\s]*")


def trigger_pattern(trigger: str) -> re.Pattern[str]:
    """Finds the trigger as a whole word, in upper or lower case."""
    return re.compile(rf"(?<!\w){re.escape(trigger)}(?!\w)", re.IGNORECASE)


def names_trigger(caption: str, trigger: str) -> bool:
    """Whether the caption names the trigger."""
    return trigger_pattern(trigger).search(caption) is not None
