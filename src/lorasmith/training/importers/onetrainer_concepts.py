"""The folders of OneTrainer, which calls them concepts; their defaults are those of modules/util/config/ConceptConfig.py at 13dbd21."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lorasmith.dotted import dotted
from lorasmith.training.importers import option_rows as rows
from lorasmith.training.importers.draft import Draft
from lorasmith.training.importers.option_table import OptionTable, Row

TRAINER = "OneTrainer"


def take_concepts(draft: Draft, concepts: list[Mapping[str, Any]]) -> None:
    """The folders; those that are switched off or held out are not trained."""
    number = 0
    for each in concepts:
        if not each.get("path"):
            continue
        if each.get("enabled") is False:
            draft.leave(f"concept {each.get('name') or each['path']}", str(each["path"]), "it is switched off")
        elif each.get("type") == "VALIDATION" or each.get("validation_concept") is True:
            draft.put("concept of the type VALIDATION", "validation.path", str(each["path"]))
        else:
            _take_concept(draft, each, number)
            number += 1


def _take_concept(draft: Draft, concept: Mapping[str, Any], number: int) -> None:
    """A folder with its options; OneTrainer mirrors pictures unless it is told not to."""
    before = f"concept {number + 1}: "
    options = dotted(
        {key: value for key, value in concept.items() if key not in ("name", "enabled", "seed", "concept_stats", "validation_concept")}
    )
    if "repeats" in options:  # of the first version
        options["balancing"] = options.pop("repeats")
    if options.get("balancing_strategy", "REPEATS") != "REPEATS":
        draft.leave(f"{before}balancing", options.pop("balancing", 1), "it counts pictures an epoch; set datasets.repeats")
    if not options.get("text.enable_tag_shuffling"):
        for name in ("text.keep_tags_count", "text.tag_delimiter"):
            options.pop(name, None)
    if not options.get("text.tag_dropout_enable"):
        options = {name: value for name, value in options.items() if not name.startswith("text.tag_dropout")}
    if not options.pop("image.enable_resolution_override", False):
        options.pop("image.resolution_override", None)
    table = OptionTable(
        TRAINER, {f"{before}{name}": row for name, row in _rows_of_concept(f"datasets.{number}").items()},
        {f"concept *: {name}": why for name, why in _LEFT_OF_CONCEPT.items()},
    )  # fmt: skip
    named = {f"{before}{name}": value for name, value in options.items()}
    table.take(draft, named)
    keep = {f"{before}text.keep_tags_count": 1} if options.get("text.enable_tag_shuffling") else {}
    table.fill_in(draft, named, {f"{before}balancing": 1, f"{before}image.enable_random_flip": True, **keep})


def _rows_of_concept(ours: str) -> dict[str, Row]:
    return {
        "path": rows.to(f"{ours}.path", str), "balancing": _repeats(f"{ours}.repeats"), "image.enable_random_flip": rows.where_on(f"{ours}.flip_aug"),
        "loss_weight": lambda draft, theirs, value: draft.put(theirs, f"{ours}.loss_weight", float(value)) if value != 1 else None,
        "text.enable_tag_shuffling": rows.where_on(f"{ours}.shuffle_caption"), "text.keep_tags_count": rows.to(f"{ours}.keep_tokens", int),
        "text.tag_delimiter": lambda draft, theirs, value: draft.put(theirs, f"{ours}.caption_separator", value) if value != "," else None,
        "text.tag_dropout_probability": rows.over_zero(f"{ours}.caption_tag_dropout_rate"),
        "text.prompt_source": lambda draft, theirs, value: None if value == "sample" else draft.leave(
            theirs, value, "captions are read from a .txt beside each picture; bring them in with: lorasmith import"),
        "type": lambda draft, theirs, value: draft.leave(theirs, value, "look at loss.prior_preservation, which needs no pictures")
        if value == "PRIOR_PREDICTION" else None,
        "image_variations": lambda draft, theirs, value: None, "text_variations": lambda draft, theirs, value: None,
        "balancing_strategy": lambda draft, theirs, value: None,
        "image.enable_crop_jitter": rows.where_on(f"{ours}.random_crop", True, "what does not fit the bucket is cut off at a drawn place, there by a few pixels"),
        "image.resolution_override": resolution(f"{ours}.resolution"),
    }  # fmt: skip


_LEFT_OF_CONCEPT = {
    "include_subdirectories": "give each folder of its own, or name them N_name", "text.prompt_path": "captions are read from a .txt beside each picture",
    "text.tag_dropout*": "every tag but the kept ones may be dropped; look at captions.caption_tag_dropout_rate", "text.caps_*": "it is not offered",
    "image.*": "look at flip_aug, color_aug and random_crop of the folder",
}  # fmt: skip


def resolution(ours: str) -> Row:
    """A row of a size, 1024x768, or of one or more sides of squares."""

    def row(draft: Draft, theirs: str, value: Any) -> None:
        sides = [int(side) for side in re.findall(r"\d+", str(value))]
        if "x" in str(value) and len(sides) == 2:
            draft.put(theirs, ours, sides)
        else:
            draft.put(theirs, ours, max(sides), "the largest of them; one size is trained here" if len(sides) > 1 else "")

    return row


def _repeats(ours: str) -> Row:
    def row(draft: Draft, theirs: str, value: Any) -> None:
        repeats = max(1, round(float(value)))
        draft.put(theirs, ours, repeats, "" if repeats == value else f"{float(value):g} repeats, rounded")

    return row
