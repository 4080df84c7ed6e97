"""What captions will teach, before they are trained on: each rule looks at the captions of a set and reports what it finds.

A rule is a pure function from `CheckedCaptions` to findings, and `RULES` names them: a new rule is a function and a line here. A rule
that lacks something it needs (the base's tokenizer, a tagger's probabilities, implications) finds nothing; `skipped_checks` says which.
"""

from __future__ import annotations

from collections.abc import Mapping

from lorasmith.captions.advice import pictures, tags, text, triggers
from lorasmith.captions.advice.checked import CheckedCaptions, Rule
from lorasmith.findings import Finding, worst_first

RULES: dict[str, Rule] = {
    "empty": text.empty,
    "not_utf8": text.not_utf8,
    "no_trigger": triggers.no_trigger,
    "trigger_leaks": triggers.trigger_leaks,
    "trigger_in_regularisation": triggers.trigger_in_regularisation,
    "prompt_weights": text.prompt_weights,
    "placeholders": text.placeholders,
    "too_many_tokens": text.too_many_tokens,
    "breaks_not_read": text.breaks_not_read,
    "lines_not_trained": text.lines_not_trained,
    "identical": text.identical,
    "over_tagged": tags.over_tagged,
    "under_tagged": tags.under_tagged,
    "single_tag": tags.single_tag,
    "implied_tag": tags.implied_tag,
    "untagged_background_or_pose": pictures.untagged_background_or_pose,
    "untagged_fault": pictures.untagged_fault,
    "several_figures": pictures.several_figures,
    "untagged_figures": pictures.untagged_figures,
    "tag_everywhere": tags.tag_everywhere,
    "style_for_base": text.style_for_base,
    "repeated_tag": tags.repeated_tag,
    "two_spellings": tags.two_spellings,
    "unknown_tags": tags.unknown_tags,
}


def advise(checked: CheckedCaptions, rules: Mapping[str, Rule] | None = None) -> list[Finding]:
    """What the rules (by default all) find, the worst first and what concerns most pictures first."""
    return worst_first(finding for rule in (RULES if rules is None else rules).values() for finding in rule(checked))


def skipped_checks(checked: CheckedCaptions) -> list[str]:
    """What could not be checked and what it needs, a sentence each."""
    needs = [
        (checked.tokenizers, "Tokens over the limit were not counted: name the base model."),
        (checked.probabilities, "Untagged backgrounds, poses and faults were not looked for: run `lorasmith captions tag` on the pictures first."),
        (
            checked.vocabulary is not None and checked.vocabulary.implications,
            "Tags beside tags that imply them were not looked for: name a list of implications.",
        ),
        (checked.style, "Whether tags or sentences suit the base was not checked: name its family."),
    ]  # fmt: skip
    return [sentence for given, sentence in needs if not given]
