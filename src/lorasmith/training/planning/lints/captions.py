"""Lints about captions and how they are read."""

from __future__ import annotations

import re
from collections.abc import Callable

from lorasmith.captions.breaks import AT_BREAKS, BREAK, CHUNK
from lorasmith.captions.caption import Caption
from lorasmith.captions.marks import CHOICES, KEEP_TOKENS_SEPARATOR, PLACEHOLDER
from lorasmith.captions.rules import CaptionRules
from lorasmith.captions.token_limit import lines_below
from lorasmith.findings import Evidence, Fix, SettingChange
from lorasmith.guides import BOOTCAMP, COLAB, CRASH_COURSE, FUNDAMENTALS, SEAART, guides
from lorasmith.pages.numbers import count
from lorasmith.training.planning.lints.registry import Findings, lint, set_to, warning
from lorasmith.training.planning.lints.run_facts import RunFacts

ON_ORDER = guides(SEAART, COLAB, BOOTCAMP, FUNDAMENTALS)
ON_CLIP_SKIP = guides(CRASH_COURSE, BOOTCAMP, FUNDAMENTALS)


@lint
def no_trigger(run: RunFacts) -> Findings:
    if run.lacks_trigger:
        yield warning(
            "captions.trigger is not set, and the captions start with no common tag.", subjects=("captions.trigger",),
            why="The LoRA has no word that calls it, and changes every picture alike.", fix=Fix("Set captions.trigger to a rare word."),
            source=guides(SEAART, CRASH_COURSE, FUNDAMENTALS),
        )  # fmt: skip


@lint
def one_trigger_for_several(run: RunFacts) -> Findings:
    trigger, concepts = run.settings.captions.trigger, len(run.concepts)
    if trigger is not None and concepts > 1:
        yield warning(
            f"captions.trigger {trigger!r} is put before the captions of {concepts} concepts.", evidence=Evidence(concepts, "concepts"),
            why="One word calls a mixture of them.",
            fix=set_to("captions.trigger", None, "Remove captions.trigger, and start the captions of each folder with a word of its own."),
            source=guides(CRASH_COURSE),
        )  # fmt: skip


@lint
def sentences_shuffled(run: RunFacts) -> Findings:
    if run.settings.captions.shuffle_caption and run.caption_style == "sentences":
        yield warning(
            "captions.shuffle_caption is on, but most captions are sentences.", why="They are torn apart at their commas.",
            fix=set_to("captions.shuffle_caption", False), source=guides(SEAART, COLAB),
        )  # fmt: skip


@lint
def tags_in_order(run: RunFacts) -> Findings:
    captions = run.settings.captions
    if not captions.shuffle_caption and run.caption_style == "tags":
        changes = [SettingChange("captions.shuffle_caption", True)]
        if captions.trigger is not None:
            changes.append(SettingChange("captions.keep_tokens", max(1, captions.keep_tokens)))
        yield warning(
            "captions.shuffle_caption is off, but the captions are tags.", why="Tags at the front count more for being there.",
            fix=Fix("Set captions.shuffle_caption to true, and captions.keep_tokens to 1 with a trigger.", tuple(changes)), source=ON_ORDER,
        )  # fmt: skip


@lint
def trigger_shuffled(run: RunFacts) -> Findings:
    captions = run.settings.captions
    kept = captions.keep_tokens or captions.trigger is not None or captions.keep_tokens_separator is not None
    if captions.shuffle_caption and not kept and (shared := run.shared_first_tags):
        yield warning(
            f"The captions start with {', '.join(shared)}, which looks like the trigger, but captions.keep_tokens is 0.",
            why="It is shuffled among the other tags.",
            fix=set_to(
                "captions.keep_tokens", len(shared), f"Set captions.keep_tokens to {len(shared)}, or captions.trigger to {shared[0]!r}."
            ),
            source=ON_ORDER,
        )


@lint
def tokens_kept_without_trigger(run: RunFacts) -> Findings:
    captions = run.settings.captions
    if captions.shuffle_caption and captions.keep_tokens and run.lacks_trigger:
        yield warning(
            f"captions.keep_tokens is {captions.keep_tokens}, but there is no trigger.", evidence=Evidence(captions.keep_tokens, "tags"),
            why="Whatever happens to come first is kept there.",
            fix=set_to("captions.keep_tokens", 0, "Set captions.keep_tokens to 0, or set captions.trigger."), source=ON_ORDER,
        )  # fmt: skip


@lint
def second_tag_shuffled(run: RunFacts) -> Findings:
    captions, concepts = run.settings.captions, len(run.concepts)
    if concepts > 1 and captions.shuffle_caption and captions.keep_tokens < 2 and captions.keep_tokens_separator is None:
        yield warning(
            f"captions.keep_tokens is {captions.keep_tokens} with {concepts} concepts.", evidence=Evidence(captions.keep_tokens, "tags"),
            why="A character's tag and its outfit's should both stay in front.", fix=set_to("captions.keep_tokens", 2),
            source=guides(CRASH_COURSE),
        )  # fmt: skip


@lint
def lines_not_trained(run: RunFacts) -> Findings:
    of_folders = [dataset.caption_rules(run.settings.captions.rules) for dataset in run.settings.datasets]
    reads_one = [rules.lines == "first" or (rules.lines is None and not rules.wildcards) for rules in of_folders]
    below = sum(reads_one[item.dataset] and bool(lines_below(Caption((item.picture.caption or "").encode()))) for item in run.pictures)
    if below:
        yield warning(
            f"{below:,} of {count(len(run.captions), 'caption')} {'has' if below == 1 else 'have'} several lines, and only the first is trained.",
            evidence=Evidence(below, "captions"), why="What the other lines say is never read.",
            fix=set_to("captions.caption_lines", "random", 'Set captions.caption_lines to "random" or "all", or leave it if one line is enough.'),
            source="how sd-scripts reads captions",
        )  # fmt: skip


@lint
def placeholders_in_captions(run: RunFacts) -> Findings:
    having = sum(re.search(PLACEHOLDER, caption.text) is not None for caption in run.captions)
    if having:
        yield warning(
            f"{_so_many(having, run)} [trigger] or [name].",
            evidence=Evidence(having, "captions"), why="ai-toolkit writes the trigger in its place; here it is read as the word in brackets.",
            fix=Fix("Write the trigger in its place; lorasmith captions check FOLDER names them."),
            source="how ai-toolkit reads captions",
        )  # fmt: skip


@lint
def choices_not_drawn(run: RunFacts) -> Findings:
    having = _count(run, lambda text, rules: not rules.wildcards and CHOICES.search(text) is not None)
    if having:
        yield warning(
            f"{_so_many(having, run)} choices as in {{red|blue}}, and captions.enable_wildcard is off.",
            evidence=Evidence(having, "captions"), why="The braces and all choices are read as they are.",
            fix=set_to("captions.enable_wildcard", True), source="how sd-scripts reads captions",
        )  # fmt: skip


@lint
def separator_of_kept_tags_not_read(run: RunFacts) -> Findings:
    having = _count(run, lambda text, rules: rules.keep_tokens_separator is None and KEEP_TOKENS_SEPARATOR in text)
    if having:
        yield warning(
            f"{_so_many(having, run)} {KEEP_TOKENS_SEPARATOR}, and captions.keep_tokens_separator is not set.",
            evidence=Evidence(having, "captions"), why="It is read as text, and does not part the tags that are kept from those that are shuffled.",
            fix=set_to("captions.keep_tokens_separator", KEEP_TOKENS_SEPARATOR), source="how sd-scripts reads captions",
        )  # fmt: skip


def _so_many(having: int, run: RunFacts) -> str:
    """`3 of 40 captions have`."""
    return f"{having:,} of {count(len(run.captions), 'caption')} {'has' if having == 1 else 'have'}"


def _count(run: RunFacts, has: Callable[[str, CaptionRules], bool]) -> int:
    """How many captions have something, by their folders' rules."""
    of_folders = [dataset.caption_rules(run.settings.captions.rules) for dataset in run.settings.datasets]
    return sum(has(item.picture.caption or "", of_folders[item.dataset]) for item in run.pictures)


@lint
def breaks_not_read(run: RunFacts) -> Findings:
    having = sum(AT_BREAKS.search(caption.text) is not None for caption in run.captions)
    if having and not run.base.family.reads_breaks:
        yield warning(
            f"{_so_many(having, run)} {BREAK}, which {run.base.family.title} takes for the word.",
            evidence=Evidence(having, "captions"), why="It parts a caption for CLIP alone; this base's text encoder reads a caption whole.",
            fix=Fix(f"Take {BREAK} out of the captions."), source="how AUTOMATIC1111 reads prompts",
        )  # fmt: skip
    elif having and (run.settings.base.max_token_length or CHUNK) <= CHUNK:
        yield warning(
            f"{_so_many(having, run)} {BREAK}, which means nothing at {CHUNK} tokens.",
            evidence=Evidence(having, "captions"), why=f"It begins the next chunk of {CHUNK} tokens, and there is only one.",
            fix=set_to("base.max_token_length", 2 * CHUNK), source="how AUTOMATIC1111 reads prompts",
        )  # fmt: skip


@lint
def many_captions_dropped(run: RunFacts) -> Findings:
    rate, most = run.settings.captions.caption_dropout_rate, 0.1 if run.looks_like == "style" else 0.05
    if rate > most:
        yield warning(
            f"captions.caption_dropout_rate is {rate:g}, and up to {most:g} is usual here.", evidence=Evidence(rate, "of the captions"),
            why="With so many empty captions the LoRA also acts when it is not called.",
            fix=set_to("captions.caption_dropout_rate", most), source=guides(BOOTCAMP),
        )  # fmt: skip


@lint
def epochs_without_captions(run: RunFacts) -> Findings:
    if every := run.settings.captions.caption_dropout_every_n_epochs:
        yield warning(
            f"captions.caption_dropout_every_n_epochs is {every}.", evidence=Evidence(every, "epochs"),
            why="Whole epochs teach nothing about words, and their checkpoints are judged unfairly.",
            fix=set_to("captions.caption_dropout_every_n_epochs", 0), source=ON_ORDER,
        )  # fmt: skip


@lint
def weighted_captions(run: RunFacts) -> Findings:
    if run.settings.base.weighted_captions:
        yield warning(
            "base.weighted_captions is on.", why="Emphasis belongs in prompts; in captions it teaches the base another strength of a word.",
            fix=set_to("base.weighted_captions", False, "Take the (word:1.2) out of the captions, and set base.weighted_captions to false."),
            source=guides(BOOTCAMP),
        )  # fmt: skip


@lint
def clip_skip(run: RunFacts) -> Findings:
    skip, habits = run.settings.base.clip_skip, run.base.family.clip_skip
    if run.base.full_size and habits.for_tags is not None:
        if skip == habits.usual and run.caption_style == "tags":
            yield warning(
                f"base.clip_skip is {skip}, but the captions are tags, as anime bases understand them.", evidence=Evidence(skip, "clip skip"),
                why=f"Those were trained with clip skip {habits.for_tags}.",
                fix=set_to("base.clip_skip", habits.for_tags, f"Set base.clip_skip to {habits.for_tags} if the base is an anime model."),
                source=ON_CLIP_SKIP,
            )  # fmt: skip
        if skip == habits.for_tags and run.caption_style == "sentences":
            yield warning(
                f"base.clip_skip is {skip}, but the captions are sentences, as realistic bases understand them.",
                evidence=Evidence(skip, "clip skip"), why=f"Those were trained with clip skip {habits.usual}.",
                fix=set_to("base.clip_skip", habits.usual, f"Set base.clip_skip to {habits.usual} unless the base is an anime model."),
                source=ON_CLIP_SKIP,
            )  # fmt: skip
    if skip > habits.most:
        yield warning(
            f"No base of {run.base.family.title} is used with base.clip_skip {skip}.", evidence=Evidence(skip, "clip skip"),
            why="The model reads captions in a way that it was never trained with.", fix=set_to("base.clip_skip", habits.usual),
            source=ON_CLIP_SKIP,
        )  # fmt: skip
