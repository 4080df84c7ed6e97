"""Rules on captions as text: empty, unreadable, identical, weights as in prompts, too long, of several lines, in the wrong form for the base."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from lorasmith.captions.advice.checked import CheckedCaptions, captions_that, most_common, of_all, share
from lorasmith.captions.breaks import AT_BREAKS, BREAK, CHUNK
from lorasmith.captions.marks import PLACEHOLDER
from lorasmith.captions.token_limit import Tokenizer, lines_below, tokens_taken, training_line, what_falls_off
from lorasmith.findings import CaptionChange, Change, Evidence, Finding, Fix, SettingChange
from lorasmith.pages.numbers import count

MAX_TOKEN_LENGTH = "base.max_token_length"
"""The setting that says how many tokens of a caption training reads."""
CAPTION_LINES = "captions.caption_lines"
"""The setting that says which lines of a caption training reads."""


def empty(checked: CheckedCaptions) -> Iterator[Finding]:
    """Pictures about which nothing is said: without a caption, or with an empty one."""
    keys = tuple(key for key, caption in checked.captions.items() if not caption.text.strip())
    if keys:
        trigger, of = ", ".join(checked.triggers), len(checked.captions) + len(checked.unreadable)
        are_the_subjects = checked.triggers and not checked.regularisation.keys() & set(keys)
        add_triggers = (CaptionChange("add", {"tags": list(checked.triggers), "front": True}),) if are_the_subjects else ()
        yield Finding(
            code="captions.empty", severity="error", about="caption", subjects=keys,
            evidence=Evidence(len(keys), "captions", f"{len(keys) / of:.0%} of the captions."),
            message=f"{len(keys):,} of {count(of, 'picture')} {'has' if len(keys) == 1 else 'have'} no caption.",
            why=f"With the trigger {trigger} alone, all that such a picture shows becomes part of what the trigger means."
            if are_the_subjects
            else "Without words, what such a picture shows becomes part of every prompt.",
            fix=Fix("Tag them (lorasmith captions tag FOLDER), describe them, or write what they show.", add_triggers),
        )  # fmt: skip


def not_utf8(checked: CheckedCaptions) -> Iterator[Finding]:
    """Captions in another encoding than UTF-8."""
    keys = tuple(checked.unreadable)
    if keys:
        yield Finding(
            code="captions.not_utf8", severity="error", about="caption", subjects=keys, evidence=of_all(keys, checked),
            message=captions_that(keys, "is not UTF-8 text", "are not UTF-8 text"),
            why="Training cannot read them, and no other rule looked at them.",
            fix=Fix("Convert them: lorasmith captions convert FOLDER recognises the encoding of each, or names those that it may be; --dry-run shows the letters."),
        )  # fmt: skip


def identical(checked: CheckedCaptions) -> Iterator[Finding]:
    """Pictures with the same caption."""
    same: dict[str, list[str]] = defaultdict(list)
    for key, caption in checked.captions.items():
        if text := " ".join(caption.text.split()):
            same[text].append(key)
    groups = sorted(((text, keys) for text, keys in same.items() if len(keys) > 1), key=lambda group: -len(group[1]))
    keys = tuple(key for _, group in groups for key in group)
    if keys:
        yield Finding(
            code="captions.identical", severity="warning", about="caption", subjects=keys, evidence=of_all(keys, checked),
            message=f"{count(len(keys), 'caption')} are the same as another one, in {count(len(groups), 'group')}.",
            why="No word tells these pictures apart, so the LoRA blends what differs between them.",
            fix=Fix("Describe what varies: pose, background, clothes, expression. Where the pictures are the same, keep one."),
            details=tuple(text[:120] for text, _ in groups),
        )  # fmt: skip


WEIGHT = r"(?<!\\)[(\[]\s*([^()\[\],]*?)\s*:\s*\d*\.?\d+\s*(?<!\\)[)\]]"
NETWORK = r"<(lora|lyco|hypernet):[^>]*>"


def prompt_weights(checked: CheckedCaptions) -> Iterator[Finding]:
    """Weights as in prompts, such as `(happy:1.2)` or `<lora:...>`."""
    found: dict[str, list[str]] = {}
    for key, caption in checked.captions.items():
        if own := [match[0] for match in (*re.finditer(WEIGHT, caption.text), *re.finditer(NETWORK, caption.text))]:
            found[key] = own
    if found:
        changes: list[Change] = []
        marks = most_common(found.values())
        if any(mark.startswith("<") for mark in marks):
            changes.append(CaptionChange("regex", {"pattern": NETWORK, "replacement": "", "each_tag": True}))
        if any(not mark.startswith("<") for mark in marks):
            changes.append(CaptionChange("regex", {"pattern": WEIGHT, "replacement": r"\1"}))
        yield Finding(
            code="captions.prompt_weights", severity="error", about="caption", subjects=tuple(found), evidence=of_all(found, checked),
            message=captions_that(found, "has weights as in prompts", "have weights as in prompts"),
            why="Trainers read them as plain text, so the model learns brackets and digits.",
            fix=Fix("Write the bare tag.", tuple(changes)), details=marks,
        )  # fmt: skip


def placeholders(checked: CheckedCaptions) -> Iterator[Finding]:
    """`[trigger]` and `[name]`, which ai-toolkit alone replaces by the trigger."""
    keys = tuple(key for key, caption in checked.captions.items() if re.search(PLACEHOLDER, caption.text))
    if keys:
        mend = CaptionChange("regex", {"pattern": PLACEHOLDER, "replacement": ", ".join(checked.triggers).replace("\\", r"\\")})
        yield Finding(
            code="captions.placeholders", severity="error", about="caption", subjects=keys, evidence=of_all(keys, checked),
            message=captions_that(keys, "has a placeholder for the trigger", "have a placeholder for the trigger"),
            why="ai-toolkit writes the trigger in its place; here it is read as the word in brackets.",
            fix=Fix("Write the trigger in its place.", (mend,) if checked.triggers else ()),
        )  # fmt: skip


def too_many_tokens(checked: CheckedCaptions) -> Iterator[Finding]:
    """Captions of more tokens than the text encoder reads, with what is cut off; a BREAK takes the rest of its chunk."""
    in_chunks, limit = bool(checked.reads_breaks), checked.limit
    lines = {key: training_line(caption) for key, caption in checked.captions.items()}
    for name, tokenizer in checked.tokenizers.items():

        def taken(line: str, limit: int, tokenizer: Tokenizer = tokenizer) -> int:
            return tokens_taken(line, tokenizer, limit, in_chunks=in_chunks)

        lost = {key: off for key, line in lines.items() if (off := what_falls_off(line, tokenizer, limit, in_chunks=in_chunks))}
        if lost:
            longest = max(taken(lines[key], limit) for key in lost)
            longer = sorted(checked.longer_limits.items())
            enough = next((length for limit, length in longer if all(taken(lines[key], limit) <= limit for key in lost)), None)
            fix = Fix(f"Shorten them to {count(limit, 'token')}, with what matters first.", (CaptionChange("truncate", {"tokens": limit}),))
            if enough is not None:
                fix = Fix(f"Train with {MAX_TOKEN_LENGTH} = {enough}, or shorten them.", (SettingChange(MAX_TOKEN_LENGTH, enough),))
            yield Finding(
                code="captions.too_many_tokens", severity="error", about="caption", subjects=tuple(lost),
                evidence=Evidence(longest, "tokens", f"The longest has {count(longest, 'token')}; {name} reads {limit}."),
                message=captions_that(lost, f"is longer than {count(limit, 'token')}", f"are longer than {count(limit, 'token')}"),
                why="The text encoder does not read what is behind the limit.",
                fix=fix, details=tuple(f"{key}: {off}" for key, off in lost.items()),
            )  # fmt: skip


def breaks_not_read(checked: CheckedCaptions) -> Iterator[Finding]:
    """BREAK in captions for an encoder that takes it for a word, or that has no second chunk to begin."""
    keys = tuple(key for key, caption in checked.captions.items() if AT_BREAKS.search(caption.text))
    if not keys or checked.reads_breaks is None or (checked.reads_breaks and checked.limit > CHUNK):
        return
    has_break = captions_that(keys, f"has {BREAK}", f"have {BREAK}").removesuffix(".")
    if checked.reads_breaks:
        enough = next((length for limit, length in sorted(checked.longer_limits.items()) if limit > CHUNK), 2 * CHUNK)
        yield Finding(
            code="captions.breaks_not_read", severity="note", about="caption", subjects=keys, evidence=of_all(keys, checked),
            message=f"{has_break}, which means nothing at {count(checked.limit, 'token')}.",
            why=f"It begins the next chunk of {CHUNK} tokens, and there is only one.",
            fix=Fix(f"Train with {MAX_TOKEN_LENGTH} = {enough}, or leave it.", (SettingChange(MAX_TOKEN_LENGTH, enough),)),
        )  # fmt: skip
    else:
        yield Finding(
            code="captions.breaks_not_read", severity="warning", about="caption", subjects=keys, evidence=of_all(keys, checked),
            message=f"{has_break}, which this base takes for the word.",
            why="It parts a caption for CLIP alone; this base's text encoder reads a caption whole.",
            fix=Fix(
                f"Take {BREAK} out.", (CaptionChange("regex", {"pattern": r",?\s*\bBREAK\b\s*,?\s*", "replacement": ", "}),)
            ),
        )  # fmt: skip


def lines_not_trained(checked: CheckedCaptions) -> Iterator[Finding]:
    """Captions of several lines, of which training reads the first unless it is asked for others."""
    below = {key: lines for key, caption in checked.captions.items() if (lines := lines_below(caption))}
    if below:
        yield Finding(
            code="captions.lines_not_trained", severity="note", about="caption", subjects=tuple(below), evidence=of_all(below, checked),
            message=captions_that(below, "has more lines than the one that is trained", "have more lines than the one that is trained"),
            why=f"Without {CAPTION_LINES}, only the first line is read.",
            fix=Fix(f'Train with {CAPTION_LINES} = "random" or "all", or put all on one line.'),
            details=tuple(f"{key}: {' / '.join(lines)[:120]}" for key, lines in below.items()),
        )  # fmt: skip


def style_for_base(checked: CheckedCaptions) -> Iterator[Finding]:
    """Sentences for a base that was trained on tags, or the other way round."""
    style, total = checked.style, len(checked.tags)
    if style is None or not total:
        return
    sentences = tuple(checked.sentences)
    keys = sentences if style.form == "tags" else tuple(key for key in checked.tags if key not in checked.sentences)
    if not keys or (not style.strict and len(keys) <= total / 2):
        return
    form = ("is a sentence", "are sentences") if style.form == "tags" else ("is a list of tags", "are lists of tags")
    yield Finding(
        code="captions.style_for_base", severity="warning" if style.strict else "note", about="caption", subjects=keys,
        evidence=share(keys, checked.tags), message=captions_that(keys, *form), why=style.why, fix=Fix(style.fix),
    )  # fmt: skip
