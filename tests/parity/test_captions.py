"""Captions at training read as the peers' do, draw for draw; where they do not, docs/parity.md says why."""

import random

import pytest

from lorasmith.captions.caption import split_tags
from lorasmith.captions.rules import CaptionRules, caption_for_training
from tests.reference import reference_cases

CASES = reference_cases("03_captions.json")
OURS = {
    "shuffle_caption": "shuffle", "caption_separator": "separator", "enable_wildcard": "wildcards", "caption_dropout_rate": "dropout",
    "caption_dropout_every_n_epochs": "dropout_every_n_epochs", "caption_tag_dropout_rate": "tag_dropout", "caption_prefix": "prefix",
    "caption_suffix": "suffix",
}  # fmt: skip


def _rules(options):
    return CaptionRules(**{OURS.get(name, name): value for name, value in options.items()})


def _read(case, seed):
    return caption_for_training(
        case["caption"], _rules(case["options"]), random.Random(seed), epoch=case["current_epoch"], step=case["current_step"],
        max_train_steps=case["max_train_steps"],
    )  # fmt: skip


def _as_tags(text, options):
    """A text as its tags: peers leave the separator of kept tokens and empty tags in, and join by commas what was parted otherwise."""
    separator = options.get("keep_tokens_separator")
    text = text.replace(separator, ",") if separator else text
    return split_tags(text.replace(options.get("caption_separator", ","), ","))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_caption_reads_as_the_reference(case):
    options = case["options"]
    for run in case["runs"]:
        ours = _read(case, run["random.seed"])
        if options.get("secondary_separator"):
            assert ours == run["output"]
        elif ",," in case["caption"] and options.get("shuffle_caption"):
            # We drop empty tags before the shuffle, so the same seed gives another order: the tags are the same.
            assert sorted(split_tags(ours)) == sorted(split_tags(run["output"]))
        else:
            assert _as_tags(ours, options) == _as_tags(run["output"], options)


@pytest.mark.parametrize("case", [c for c in CASES if not isinstance(c, dict) or "observed" in c], ids=lambda case: case["id"])
def test_many_draws_have_the_properties_of_the_reference(case):
    texts = [_read(case, seed) for seed in range(400)]
    tokens = [_as_tags(text, case["options"]) for text in texts]
    seen = case["observed"]
    assert abs(sum(not text for text in texts) / 400 - seen["empty_fraction"]) <= 0.08
    counts = [len(t) for t in tokens if t]
    if counts and ",," not in case["caption"]:
        assert abs(sum(counts) / len(counts) - seen["mean_tokens"]) <= 0.4
        common = [a for a, *others in zip(*tokens, strict=False) if all(a == b for b in others)]
        assert common[: len(seen["common_first_tokens"])] == seen["common_first_tokens"][: len(common)]
    assert {tag for t in tokens for tag in t} <= {tag for text in seen["all_tokens_seen"] for tag in split_tags(text)} | {""}
