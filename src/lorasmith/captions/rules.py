"""How a caption is changed for training: the trigger word first, the other tags shuffled, now and then nothing at all.

Shuffling keeps a model from learning that the first tags matter most; the head that is not shuffled is where the trigger belongs.
Dropping the caption now and then teaches the picture without words, which classifier-free guidance needs. Every repeat of a picture
draws again.

In this order: dropout, one line (or wildcards), prefix and suffix, split into head, flexible tags and tail, trigger, warm-up, shuffle,
tag dropout, joined with ", ", secondary separator. Names and order are those of sd-scripts.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from lorasmith.captions.caption import join_tags, split_tags
from lorasmith.errors import SettingsError


@dataclass(frozen=True)
class CaptionRules:
    """How captions are changed for training. The defaults change only the spaces around commas.

    Raises:
        SettingsError: a value is out of range, or the trigger is not one single tag.
    """

    shuffle: bool = False
    """Shuffle the tags in each repeat. For captions of tags; sentences would be cut at their commas."""
    keep_tokens: int = 0
    """How many tags at the front are not shuffled, the trigger among them; at least 1 where there is a trigger."""
    trigger: str | None = None
    """The trigger word; it is first in every caption."""
    dropout: float = 0.0
    """How often (0-1) a caption is left empty, trigger and all."""
    dropout_every_n_epochs: int = 0
    """In every n-th epoch all captions are empty; 0 is never."""
    tag_dropout: float = 0.0
    """How often (0-1) each tag that may be shuffled is left out."""
    keep_tokens_separator: str | None = None
    """Tags before its first occurrence in a caption stay in front, tags behind its second stay at the end, instead of `keep_tokens`.
    It is not shown to the model."""
    separator: str = ","
    """Between the tags of the caption files."""
    secondary_separator: str | None = None
    """Joins tags that are shuffled as one; the model reads a separator there."""
    prefix: str | None = None
    """Put in front of every caption, with a space."""
    suffix: str | None = None
    """Put behind every caption, with a space."""
    wildcards: bool = False
    """In each repeat, draw one of the file's lines, and one of the choices in `{red|blue}`; `{{` and `}}` are braces."""
    token_warmup_min: int = 1
    """How many tags behind the head are used at the first step of the warm-up."""
    token_warmup_step: float = 0
    """Steps until all tags are used; below 1, a share of all steps."""

    def __post_init__(self) -> None:
        if self.keep_tokens < 0:
            raise SettingsError(f"keep_tokens is {self.keep_tokens}, but cannot be below 0: give the number of tags that stay in front.")
        for name, share in (("caption", self.dropout), ("tag", self.tag_dropout)):
            if not 0 <= share <= 1:
                raise SettingsError(f"The {name} dropout is {share}, but must be from 0 to 1: give 0.05 for one {name} in twenty.")
        if self.trigger is not None and split_tags(self.trigger, self.separator) != [self.trigger]:
            raise SettingsError(
                f"The trigger {self.trigger!r} is not one tag (it is empty, contains a comma, or has spaces around it): give one tag, put "
                "further fixed tags at the front of the captions, and count them in keep_tokens."
            )


def caption_for_training(
    caption: str, rules: CaptionRules, rng: random.Random, *, epoch: int = 1, step: int = 0, max_train_steps: int = 0
) -> str:
    """The caption as the text encoder reads it once: the first line that is not blank, changed by `rules`, tags joined with ", ".

    The trigger is in front, once, wherever the caption had it; without shuffling all other tags keep their order. A sentence without a
    comma is one tag and stays whole. `epoch` counts from 1, `step` from 0; `rng` is used only where the rules ask for it.
    """
    if rules.dropout and rng.random() < rules.dropout:
        return ""
    if rules.dropout_every_n_epochs and epoch % rules.dropout_every_n_epochs == 0:
        return ""
    line = _one_line(caption, rules, rng)
    text = " ".join(piece for piece in (rules.prefix, line, rules.suffix) if piece)
    head, flexible, tail = _parts(text, rules)
    flexible = flexible[: _warmed_up(len(flexible), rules, step, max_train_steps)]
    if rules.shuffle:
        rng.shuffle(flexible)
    if rules.tag_dropout:
        flexible = [tag for tag in flexible if rng.random() >= rules.tag_dropout]
    result = join_tags([*head, *flexible, *tail])
    return result.replace(rules.secondary_separator, rules.separator) if rules.secondary_separator else result


def _one_line(caption: str, rules: CaptionRules, rng: random.Random) -> str:
    """The line that is used, with its choices made."""
    lines = [stripped for line in caption.split("\n") if (stripped := line.strip())] or [""]
    if not rules.wildcards:
        return lines[0]
    line = rng.choice(lines) if len(lines) > 1 else lines[0]
    line = line.replace("{{", _OPEN).replace("}}", _CLOSE)
    line = _CHOICE.sub(lambda found: rng.choice(found[1].split("|")), line)
    return line.replace(_OPEN, "{").replace(_CLOSE, "}")


_OPEN, _CLOSE = "\ue000", "\ue001"  # of Unicode's private use area, so in nobody's captions
_CHOICE = re.compile(r"\{([^}]+)\}")


def _parts(text: str, rules: CaptionRules) -> tuple[list[str], list[str], list[str]]:
    """Tags that stay in front (the trigger first), tags that may be shuffled, tags that stay at the end."""
    pieces = text.split(rules.keep_tokens_separator, 2) if rules.keep_tokens_separator else [text]
    if len(pieces) > 1:
        head, flexible, tail = (split_tags(piece, rules.separator) for piece in (*pieces, "")[:3])
    else:
        tags = split_tags(text, rules.separator)
        if rules.trigger is not None:
            tags = [rules.trigger, *(tag for tag in tags if tag != rules.trigger)]
        kept = max(rules.keep_tokens, 1 if rules.trigger is not None else 0)
        return tags[:kept], tags[kept:], []
    if rules.trigger is not None:
        head, flexible, tail = ([tag for tag in part if tag != rules.trigger] for part in (head, flexible, tail))
        head = [rules.trigger, *head]
    return head, flexible, tail


def _warmed_up(tags: int, rules: CaptionRules, step: int, max_train_steps: int) -> int:
    """How many of the flexible tags are used at this step."""
    until = rules.token_warmup_step
    if until < 1:
        until = int(until * max_train_steps)
    if step >= until:
        return tags
    return int(step * ((tags - rules.token_warmup_min) / until)) + rules.token_warmup_min
