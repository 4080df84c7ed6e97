"""Why a recipe has what it has, in sentences that carry codes and values, so that a page can say them in other languages.

What only a family knows stands in its record; a sentence names that by the family: `{"family_rate": "sdxl"}`, or with the kind of LoRA behind it
where the family has a rate of its own for one.
"""

from __future__ import annotations

from typing import Any

from lorasmith.models.families import FAMILIES
from lorasmith.models.family import Family
from lorasmith.models.widths import Width
from lorasmith.pages.numbers import count
from lorasmith.sentences import Named, Sentence


def of_family(why: Named) -> str:
    """What a family's record says, in English."""
    ((fact, whose),) = why.items()
    name, _, kind = whose.partition(" ")
    defaults = FAMILIES[name].defaults
    match fact:
        case "family_rate":
            return (defaults.rates_for[kind] if kind else defaults.rate).reason
        case "family_rank":
            assert defaults.network is not None
            return defaults.network.reason
        case "family_texts":
            return defaults.text_encoders_left_alone
        case "family_size":
            return defaults.larger_resolution
    raise AssertionError(f"families say nothing called {fact}")


def _for_width(reason: object, factor: str, than_usual: str, own: int, usual: int) -> str:
    """The width says its factors itself; they are values for other languages."""
    return f"{reason}; {Width(own, usual)}"


def _passes(passes: object, pictures: int, repeats: int, epochs: int) -> str:
    return f"{passes}: {count(pictures, 'picture')} x {count(repeats, 'repeat')} x {count(epochs, 'epoch')}"


BF16 = "recipe.bf16"

SENTENCES: dict[str, Any] = {
    "recipe.native_size": lambda: "the size the base was made for",
    "recipe.smaller_size": lambda: "smaller than the base's own size: faster, and enough to see whether the set is good",
    "recipe.larger_size": of_family,
    "recipe.wide_pictures": lambda: "equal to the resolution it would take area from wide pictures",
    "recipe.bucket_step": lambda: "what every program that uses the base was trained with",
    "recipe.two_in_front": lambda: "the character's and the outfit's tag stay in front",
    "recipe.trigger_in_front": lambda: "the trigger stays in front",
    "recipe.shuffled": lambda: "for captions of tags: no tag counts more for being first; off for sentences",
    "recipe.without_words": lambda: "a style should also be learnt without words",
    "recipe.rank_of_character": lambda: "a likeness with its details; 8 is enough where the base nearly knows it",
    "recipe.rank_of_style": lambda: "a style is spread over many layers",
    "recipe.rank_of_concept": lambda: "one thing, seen from all sides",
    "recipe.rank_of_several": lambda: "several things share the file",
    "recipe.rank_of_family": of_family,
    "recipe.half_rank": lambda: "half of the usual: small and quick, for a first look",
    "recipe.small_alpha": lambda: "an optimizer that finds its own rate makes up for a small alpha",
    "recipe.alpha_as_rank": lambda: "as large as the rank, for which the family's rate is meant",
    "recipe.half_alpha": lambda: "half of the rank: strength grows calmly",
    "recipe.texts_left_alone": of_family,
    "recipe.no_new_words": lambda: "a style needs no new words",
    "recipe.dora": lambda: "the best quality from few pictures, for more computing",
    "recipe.mirrored": lambda: "mirrored pictures double the set, and a style has no left and right",
    "recipe.passes_of_style": lambda: "30 to 40 passes per picture",
    "recipe.passes_of_others": lambda: "about 100 passes per picture",
    "recipe.held_within": lambda passes, least, most: f"{passes}, held within {least} to {most} samples",
    "recipe.passes": _passes,
    "recipe.candidates": lambda: "as many checkpoints to choose from; the last is not always the best",
    "recipe.one_at_a_time": lambda: "one, so that no step mixes two things",
    "recipe.two_at_a_time": lambda steps: f"two average each other's noise; {steps} steps in all",
    BF16: lambda: "half the memory; the trained weights stay float32",
    "recipe.bf16_on_cpu": lambda: "half the memory, and faster on this CPU, which has instructions for it",
    "recipe.fp32_on_cpu": lambda: "this computer has no GPU, and its CPU is slower in bf16 with a base of this width",
    "recipe.checkpointing": lambda kept, side: f"without it a step keeps about {kept} for each picture of {side} pixels; a third more time",
    "recipe.finds_rate": lambda: "finds the learning rate from the pictures",
    "recipe.rate_found": lambda: "what Prodigy expects",
    "recipe.usual_arguments": lambda: "as Prodigy's users set it for LoRAs",
    "recipe.no_restart": lambda: "a restart would upset the rate that Prodigy has found",
    "recipe.adam": lambda: "well understood, and exact on every machine",
    "recipe.rate": of_family,
    "recipe.tenth": lambda: "a tenth of the denoiser's, or tags bleed",
    "recipe.fifth": lambda: "a fifth of the denoiser's, or tags bleed",
    "recipe.narrower": _for_width,
    "recipe.wider": _for_width,
    "recipe.usual_schedule": lambda: "the guides' usual for Adam",
    "recipe.cycles": lambda: "1 to 3",
    "recipe.warmup": lambda: "5 % of the steps; 10 % for a style",
    "recipe.flow_weighting": lambda: "a flow model weights by how timesteps are sampled",
    "recipe.as_mostly": lambda title: f"how {title} LoRAs are mostly trained",
    "recipe.min_snr": lambda: "keeps easy timesteps from dominating the loss; 5 is usual, 7 to 10 for photographs",
    "recipe.every_epoch": lambda: "every epoch is a candidate",
    "recipe.half_size": lambda: "half the size, read everywhere",
    "recipe.usual_for_subject": lambda: "usual for a subject",
    "recipe.yours": lambda: "yours",
}
"""Code -> the English of a reason, a part of a sentence."""


def because(reason: str, /, **values: Any) -> Sentence:
    """The reason of a code without its room, with its values."""
    return Sentence.of(SENTENCES, f"recipe.{reason}", **values)


def because_of_family(reason: str, fact: str, family: Family, kind: str = "") -> Sentence:
    """A reason that the family's record has."""
    return because(reason, why={fact: f"{family.name} {kind}".strip()})


def because_of_width(reason: Sentence, width: Width) -> Sentence:
    """A reason for a rate that was fitted to a base of another width than usual."""
    narrower = width.own < width.usual
    times = width.usual / width.own if narrower else width.own / width.usual
    return because(
        "narrower" if narrower else "wider",
        reason=reason, factor=f"{width.usual / width.own:.2g}", than_usual=f"{times:.2g}", own=width.own, usual=width.usual,
    )  # fmt: skip
