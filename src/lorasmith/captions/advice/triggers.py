"""Rules on trigger words: there should be one, first in every caption of the subject, and in no caption of a regularisation picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from lorasmith.captions.advice.checked import FEW_PICTURES, CheckedCaptions, captions_that, most_common, of_all
from lorasmith.captions.triggers import LeakKind, find_leaks, naming
from lorasmith.command_line import quoted
from lorasmith.findings import CaptionChange, Evidence, Finding, Fix
from lorasmith.pages.numbers import count

LEAKS: dict[LeakKind, tuple[str, str, str, str]] = {
    "missing": ("trigger_missing", "lacks the trigger {}", "lack the trigger {}", "These pictures teach nothing about the trigger."),
    "not first": (
        "trigger_not_first", "does not begin with the trigger {}", "do not begin with the trigger {}",
        "Shuffling keeps only the first tags in place, and tags further back have less weight.",
    ),
    "in another order": (
        "trigger_order", "has the trigger {} in another place", "have the trigger {} in another place",
        "Each of several triggers learns from its own place.",
    ),
    "inside a word": (
        "trigger_inside_word", "has {} inside another word", "have {} inside another word",
        "The trigger's tokens learn to mean that word.",
    ),
    "inside a tag": (
        "trigger_inside_tag", "has {} inside another tag", "have {} inside another tag",
        "The trigger comes to mean a part of that tag.",
    ),
}  # fmt: skip
"""Kind of leak -> code, what one caption does, what several do, and why it matters."""


def no_trigger(checked: CheckedCaptions) -> Iterator[Finding]:
    """A set without a trigger word."""
    if not checked.triggers and len(checked.captions.keys() - checked.regularisation.keys()) >= FEW_PICTURES:
        yield Finding(
            code="captions.no_trigger", severity="note", about="set",
            message="The captions have no trigger word.",
            why="Without a word of its own the LoRA cannot be called, and what all pictures share is learnt as the meaning of ordinary words.",
            fix=Fix("Put one in front of every caption: lorasmith captions triggers FOLDER --set WORD."),
        )  # fmt: skip


def trigger_leaks(checked: CheckedCaptions) -> Iterator[Finding]:
    """A trigger word that is missing, in the wrong place, or inside another word or tag."""
    if not checked.triggers:
        return
    leaks: dict[tuple[LeakKind, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for leak in find_leaks({key: checked.captions[key] for key in checked.tags if key not in checked.regularisation}, checked.triggers):
        leaks[leak.kind, leak.trigger][leak.key].append(leak.where)
    mend = CaptionChange("mend-triggers", {"triggers": list(checked.triggers)})
    for (kind, trigger), found in leaks.items():
        code, singular, plural, why = LEAKS[kind]
        yield Finding(
            code=f"captions.{code}", severity="error" if kind == "missing" else "warning", about="caption", subjects=tuple(found),
            evidence=of_all(found, checked), message=captions_that(found, singular.format(trigger), plural.format(trigger)), why=why,
            fix=Fix("Put the triggers first and take them out of other tags: lorasmith captions triggers FOLDER --mend.", (mend,)),
            details=tuple(dict.fromkeys(where for places in found.values() for where in places if where)),
        )  # fmt: skip


def trigger_in_regularisation(checked: CheckedCaptions) -> Iterator[Finding]:
    """Regularisation pictures whose captions have the trigger."""
    found = naming(checked.regularisation, checked.triggers)
    if not found:
        return
    triggers = list(most_common(found.values()))
    words, typed = ", ".join(triggers), " ".join(map(quoted, triggers))
    yield Finding(
        code="captions.trigger_in_regularisation", severity="error", about="caption", subjects=tuple(found),
        evidence=Evidence(len(found), "captions", f"{len(found):,} of {count(len(checked.regularisation), 'caption')} of regularisation pictures."),
        message=captions_that(
            found, f"of a regularisation picture has the trigger {words}", f"of regularisation pictures have the trigger {words}"
        ),
        why="These pictures keep the base as it was; with the trigger in their captions they teach that it means what they show.",
        fix=Fix(
            f"Take it out of them: lorasmith captions remove FOLDER {typed} --only regularisation (or their folder's name).",
            (CaptionChange("remove", {"tags": triggers}),),
        ),
    )  # fmt: skip
