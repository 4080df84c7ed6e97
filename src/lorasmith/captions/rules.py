"""What becomes of a caption on its way into training: the trigger word first, the other tags in a new order, now and then nothing.

Shuffling keeps a model from learning that the first tags matter most; the kept head is where the trigger belongs. Dropping the
caption now and then teaches the picture without words, which guidance needs. Each draw is made anew for every pass of a picture.

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
    dropout_every_n_epochs: int = 0
    """In every so many-th epoch all captions are empty; 0 is never."""
    tag_dropout: float = 0.0
    """How often (0-1) each tag behind the kept head is left out."""
    keep_tokens_separator: str | None = None
    """What stands before its first place in a caption stays in front, what stands behind its second stays at the end, in place of
    `keep_tokens`. It is never seen by the model."""
    separator: str = ","
    """Between the tags of the caption files."""
    secondary_separator: str | None = None
    """Holds tags together that are shuffled as one; a separator in what the model reads."""
    prefix: str | None = None
    """Put in front of every caption, with a space."""
    suffix: str | None = None
    """Put behind every caption, with a space."""
    wildcards: bool = False
    """One of a file's lines is drawn in each pass, and one of the choices in `{red|blue}`; `{{` and `}}` are braces."""
    token_warmup_min: int = 1
    """How many tags behind the head are shown at the first step of the warm-up."""
    token_warmup_step: float = 0
    """Steps until all tags are shown; under 1 a share of all steps."""

    def __post_init__(self) -> None:
        if self.keep_tokens < 0:
            raise SettingsError(f"keep_tokens is {self.keep_tokens}, but cannot be below 0: give the number of tags that stay in front.")
        for name, share in (("caption", self.dropout), ("tag", self.tag_dropout)):
            if not 0 <= share <= 1:
                raise SettingsError(f"The {name} dropout is {share}, but is a share from 0 to 1: give 0.05 for one {name} in twenty.")
        if self.trigger is not None and split_tags(self.trigger, self.separator) != [self.trigger]:
            raise SettingsError(
                f"The trigger {self.trigger!r} is not one tag (no comma, no spaces around it, not empty): give one tag, put further "
                "fixed tags at the front of the captions and count them in keep_tokens."
            )

    @property
    def changes_with_each_pass(self) -> bool:
        """Whether the same caption can read differently in another pass."""
        return bool(
            self.shuffle or self.dropout or self.dropout_every_n_epochs or self.tag_dropout or self.wildcards or self.token_warmup_step
        )


def caption_for_training(
    caption: str, rules: CaptionRules, rng: random.Random, *, epoch: int = 1, step: int = 0, max_train_steps: int = 0
) -> str:
    """The caption as the text encoder gets it in one pass: the first line that is not blank, changed by `rules`, tags joined with ", ".

    A caption that holds the trigger anywhere has it once, in front, afterwards; without shuffling all other tags keep their order.
    A sentence without a comma is one tag and stays whole. `epoch` counts from 1, `step` from 0; `rng` is drawn from only where the
    rules ask for it.
    """
    if rules.dropout and rng.random() < rules.dropout:
        return ""
    if rules.dropout_every_n_epochs and epoch % rules.dropout_every_n_epochs == 0:
        return ""
    line = _one_line(caption, rules, rng)
    text = " ".join(piece for piece in (rules.prefix, line, rules.suffix) if piece)
    head, flexible, tail = _parts(text, rules)
    shown = _warmed_up(len(flexible), rules, step, max_train_steps)
    flexible = flexible[:shown]
    if rules.shuffle:
        rng.shuffle(flexible)
    if rules.tag_dropout:
        flexible = [tag for tag in flexible if rng.random() >= rules.tag_dropout]
    result = join_tags([*head, *flexible, *tail])
    return result.replace(rules.secondary_separator, rules.separator) if rules.secondary_separator else result


def _one_line(caption: str, rules: CaptionRules, rng: random.Random) -> str:
    """The line that is shown, with its choices made."""
    lines = [stripped for line in caption.split("\n") if (stripped := line.strip())] or [""]
    if not rules.wildcards:
        return lines[0]
    line = rng.choice(lines) if len(lines) > 1 else lines[0]
    line = line.replace("{{", _OPEN).replace("}}", _CLOSE)
    line = _CHOICE.sub(lambda found: rng.choice(found[1].split("|")), line)
    return line.replace(_OPEN, "{").replace(_CLOSE, "}")


_OPEN, _CLOSE = "\ue000", "\ue001"  # of Unicode's private use: in nobody's captions
_CHOICE = re.compile(r"\{([^}]+)\}")


def _parts(text: str, rules: CaptionRules) -> tuple[list[str], list[str], list[str]]:
    """Tags that stay in front (the trigger first), tags that may move, tags that stay at the end."""
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
    """How many of so many flexible tags are shown at this step."""
    until = rules.token_warmup_step
    if until < 1:
        until = int(until * max_train_steps)
    if step >= until:
        return tags
    return int(step * ((tags - rules.token_warmup_min) / until)) + rules.token_warmup_min
