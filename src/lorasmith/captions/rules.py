"""How a caption is changed for training: the trigger word first, the other tags shuffled, now and then nothing at all.

Shuffling keeps a model from learning that the first tags matter most; the head that is not shuffled is where the trigger belongs.
Dropping the caption now and then teaches the picture without words, which classifier-free guidance needs. Every repeat of a picture
draws again.

In this order: dropout, lines and wildcards, prefix and suffix, split into head, flexible tags and tail, trigger, warm-up, shuffle,
tag dropout, joined by their own separator, secondary separator. Names and order are those of sd-scripts.

A `BREAK` is no tag: it stays where it is, tags are shuffled between two of them, and tags that are kept in front may reach over one.

What no rule changes reaches the encoder as the file has it: for T5, `1,000` and `1, 000` are different texts. So tags are joined again
only where one is moved or left out.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from lorasmith.captions.breaks import AT_BREAKS, BREAK, with_breaks
from lorasmith.captions.breaks import runs as runs_of
from lorasmith.captions.caption import join_tags, split_tags
from lorasmith.errors import SettingsError

CaptionLines = Literal["first", "random", "all"]
"""Lines of a caption that are read: the first, one drawn in each repeat, or all, of which the first has the tags."""


@dataclass(frozen=True)
class CaptionRules:
    """How captions are changed for training. The defaults change nothing: the first line is read as it is.

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
    """In each repeat, draw one of the choices in `{red|blue}`; `{{` and `}}` are braces."""
    lines: CaptionLines | None = None
    """Which lines of a caption are read; blank ones never count. None: the first, or a random one with `wildcards`."""
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
    """The caption as the text encoder reads it once: its line or lines, changed by `rules`.

    The trigger is in front, once, wherever the caption had it; without shuffling all other tags keep their order. A sentence without a
    comma is one tag and stays whole. `epoch` counts from 1, `step` from 0; `rng` is used only where the rules ask for it.
    """
    if rules.dropout and rng.random() < rules.dropout:
        return ""
    if rules.dropout_every_n_epochs and epoch % rules.dropout_every_n_epochs == 0:
        return ""
    text = " ".join(piece for piece in (rules.prefix, _lines(caption, rules, rng), rules.suffix) if piece)
    line, newline, below = text.partition("\n")
    end = mark if (mark := rules.separator.strip()) and line.endswith(mark) else ""  # sentences between ". " keep their last full stop
    sections = _with_trigger(_sections(line.removesuffix(end), rules), rules)
    tags = _tags(sections, rules)
    moved = _moved(tags, rules, rng, step, max_train_steps)
    line = _joined(sections, rules) if moved == tags else _rejoined(moved, rules)
    result = (line and line + end) + newline + below
    return result.replace(rules.secondary_separator, rules.separator) if rules.secondary_separator else result


def longest_readings(caption: str, rules: CaptionRules) -> list[str]:
    """The longest text that each reading of a caption may give: of the line or lines that training reads, with all tags and choices."""
    still = replace(
        rules, dropout=0.0, dropout_every_n_epochs=0, shuffle=False, tag_dropout=0.0, token_warmup_step=0, wildcards=False,
        lines="all" if rules.lines == "all" else "first",
    )  # fmt: skip
    texts = _lines_read(caption, rules)
    if rules.wildcards:
        texts = [_with_choices(text, lambda choices: max(choices, key=len)) for text in texts]
    return [caption_for_training(text, still, random.Random(0)) for text in texts]


Tags = tuple[list[str], list[str], list[str]]
"""Tags that stay in front (the trigger first), tags that may be shuffled, tags that stay at the end; with the BREAKs between them."""


def _lines(caption: str, rules: CaptionRules, rng: random.Random) -> str:
    """The lines that are read, with their choices made."""
    texts = _lines_read(caption, rules)
    text = rng.choice(texts) if len(texts) > 1 else texts[0]
    return _with_choices(text, rng.choice) if rules.wildcards else text


def _lines_read(caption: str, rules: CaptionRules) -> list[str]:
    """What is read of a caption, one of these at a time: its first line, any of its lines, or all of them as one text."""
    read = rules.lines or ("random" if rules.wildcards else "first")
    if read == "all":
        return [caption.strip()]
    lines = [stripped for line in caption.split("\n") if (stripped := line.strip())] or [""]
    return lines if read == "random" else lines[:1]


def _with_choices(text: str, choose: Callable[[list[str]], str]) -> str:
    """The text with one of the choices for each `{red|blue}`, and with braces for `{{` and `}}`."""
    text = text.replace("{{", _OPEN).replace("}}", _CLOSE)
    text = _CHOICE.sub(lambda found: choose(found[1].split("|")), text)
    return text.replace(_OPEN, "{").replace(_CLOSE, "}")


_OPEN, _CLOSE = "\ue000", "\ue001"  # of Unicode's private use area, so in nobody's captions
_CHOICE = re.compile(r"\{([^}]+)\}")


def _sections(line: str, rules: CaptionRules) -> list[str]:
    """The line itself, or its two or three sections where it has `keep_tokens_separator`, without separators at their ends."""
    if not rules.keep_tokens_separator or rules.keep_tokens_separator not in line:
        return [line]
    return [_trimmed(section, rules.separator) for section in line.split(rules.keep_tokens_separator, 2)]


def _with_trigger(sections: list[str], rules: CaptionRules) -> list[str]:
    """The sections with the trigger in front of the first, and nowhere else."""
    if rules.trigger is None:
        return sections
    tags = [_split(section, rules) for section in sections]
    if tags[0][:1] == [rules.trigger] and sum(one.count(rules.trigger) for one in tags) == 1:
        return sections
    first, *others = (_without(section, rules.trigger, rules) for section in sections)
    return [_joined([rules.trigger, first], rules), *others]


def _tags(sections: list[str], rules: CaptionRules) -> Tags:
    """The tags of the sections; a line without sections is divided by `keep_tokens`."""
    if len(sections) > 1:
        head, flexible, tail = (_split(section, rules) for section in (*sections, "")[:3])
        return head, flexible, tail
    tags = _split(sections[0], rules)
    kept = max(rules.keep_tokens, 1 if rules.trigger is not None else 0)
    places = [place for place, tag in enumerate(tags) if tag != BREAK]
    end = places[kept] if kept < len(places) else len(tags)
    return tags[:end], tags[end:], []


def _moved(tags: Tags, rules: CaptionRules, rng: random.Random, step: int, max_train_steps: int) -> Tags:
    """The tags after warm-up, shuffling and tag dropout; all of them leave BREAKs where they are."""
    head, flexible, tail = tags
    runs = runs_of(flexible)
    left = _warmed_up(sum(map(len, runs)), rules, step, max_train_steps)
    for number, run in enumerate(runs):
        run, left = run[:left], max(0, left - len(run))
        if rules.shuffle:
            rng.shuffle(run)
        if rules.tag_dropout:
            run = [tag for tag in run if rng.random() >= rules.tag_dropout]
        runs[number] = run
    return head, with_breaks(runs), tail


def _split(section: str, rules: CaptionRules) -> list[str]:
    """The tags of a section, and its BREAKs."""
    runs = (split_tags(text, rules.separator) for text in AT_BREAKS.split(section))
    return with_breaks(runs)


def _rejoined(tags: Tags, rules: CaptionRules) -> str:
    """The tags as one line, with a BREAK between its neighbours without separators."""
    runs = (join_tags(run, rules.separator) for run in runs_of([tag for part in tags for tag in part]))
    return f" {BREAK} ".join(runs).strip()


def _joined(texts: Iterable[str], rules: CaptionRules) -> str:
    return join_tags((text for text in texts if text), rules.separator)


def _trimmed(section: str, separator: str) -> str:
    """The section without blank tags at its ends; those in the middle stay."""
    pieces = section.strip().removesuffix(separator.strip()).split(separator)
    filled = [number for number, piece in enumerate(pieces) if piece.strip()]
    return separator.join(pieces[filled[0] : filled[-1] + 1]).strip() if filled else ""


def _without(section: str, tag: str, rules: CaptionRules) -> str:
    """The section without one of its tags; what is between the others stays as it is."""
    if tag not in _split(section, rules):
        return section
    runs = (_trimmed(_without_piece(run, tag, rules.separator), rules.separator) for run in AT_BREAKS.split(section))
    return f" {BREAK} ".join(runs).strip()


def _without_piece(text: str, tag: str, separator: str) -> str:
    return separator.join(piece for piece in text.split(separator) if piece.strip() != tag)


def _warmed_up(tags: int, rules: CaptionRules, step: int, max_train_steps: int) -> int:
    """How many of the flexible tags are used at this step."""
    until = rules.token_warmup_step
    if until < 1:
        until = int(until * max_train_steps)
    if step >= until:
        return tags
    return int(step * ((tags - rules.token_warmup_min) / until)) + rules.token_warmup_min
