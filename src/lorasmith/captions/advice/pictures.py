"""Rules on what the pictures show: frequent backgrounds and poses, faults, further figures, as a tagger found them or the captions say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sized

from lorasmith.captions.advice.checked import FEW_PICTURES, PROBABLE, CheckedCaptions, pictures_that, share
from lorasmith.captions.caption import split_tags
from lorasmith.findings import CaptionChange, Evidence, Finding, Fix
from lorasmith.pages.numbers import count

FREQUENT = 0.25
"""Share of the pictures from which on the LoRA learns a background or pose as a habit."""

BACKGROUNDS_AND_POSES = frozenset(
    split_tags("outdoors, indoors, sky, blue sky, night, night sky, day, sunset, cloud, cloudy sky, beach, ocean, forest, meadow, field, grass, flower field, snow, "
    "snowing, desert, mountain, city, cityscape, street, alley, building, room, bedroom, bathroom, kitchen, classroom, office, library, window, bed, couch, "
    "underwater, space, standing, sitting, lying, kneeling, squatting, crouching, jumping, running, walking, leaning, leaning forward, on back, on stomach, "
    "on side, all fours, wariza, seiza, crossed arms, arms up, arms behind back, hand on own hip, hands on own hips, looking at viewer, looking back, looking "
    "away, looking down, looking up, from behind, from side, from above, from below, profile, portrait, upper body, cowboy shot, full body, close-up")
)  # fmt: skip
"""Tags of backgrounds, poses and views; every tag that ends in `background` is one too."""

FAULTS = frozenset(
    split_tags("sketch, colored sketch, monochrome, greyscale, lowres, low resolution, blurry, jpeg artifacts, watermark, sample watermark, signature, artist name, "
    "web address, text, speech bubble, border, letterboxed, multiple views, reference sheet")
)  # fmt: skip
"""Tags of faults that a LoRA would learn."""

SEVERAL_FIGURES = re.compile(r"(?:[2-9]|6\+)(?:girls|boys|others)|multiple (?:girls|boys|others|people)|(?:duo|trio|group|crowd|couple)")
"""Tags of pictures that show more than one figure, as booru sites count them."""
FEW_WITH_OTHERS = 0.2
"""Share of the captions from which on pictures of several figures are no longer few."""


def untagged_background_or_pose(checked: CheckedCaptions) -> Iterator[Finding]:
    """A frequent background or pose that the tagger finds and captions do not mention."""
    total = len(checked.probabilities)
    for tag, keys, untagged in checked.shown_tags(lambda tag: tag in BACKGROUNDS_AND_POSES or tag.endswith("background")):
        if total >= FEW_PICTURES and len(keys) >= FREQUENT * total and len(untagged) > len(keys) / 2:
            yield Finding(
                code="captions.untagged_background_or_pose", severity="warning", about="caption", subjects=tuple(untagged),
                evidence=share(keys, checked.probabilities, "% of the pictures", " show it"),
                message=pictures_that(untagged, f"shows {tag!r}, and its caption does not say so", f"show {tag!r}, and their captions do not say so"),
                why="What is frequent and not tagged becomes a habit: the LoRA generates it unasked.",
                fix=Fix(
                    f"Tag it: lorasmith captions tag FOLDER --threshold {PROBABLE} --mode append, or add {tag!r} where it is seen.",
                    (CaptionChange("add", {"tags": [tag]}),),
                ),
                details=(tag,),
            )  # fmt: skip


def untagged_fault(checked: CheckedCaptions) -> Iterator[Finding]:
    """A watermark, a sketch or another fault that the tagger finds and the caption does not mention."""
    for tag, _, untagged in checked.shown_tags(FAULTS.__contains__):
        if untagged:
            yield Finding(
                code="captions.untagged_fault", severity="note", about="caption", subjects=tuple(untagged),
                evidence=of_pictures(untagged, checked),
                message=pictures_that(untagged, f"shows {tag!r}, and its caption does not say so", f"show {tag!r}, and their captions do not say so"),
                why="A fault is learnt with the picture unless a tag takes it over.",
                fix=Fix(f"Tag {tag!r}, mend the picture, or leave it out.", (CaptionChange("add", {"tags": [tag]}),)), details=(tag,),
            )  # fmt: skip


def of_pictures(keys: Sized, checked: CheckedCaptions) -> Evidence:
    """How many of the pictures that the tagger was run on."""
    return Evidence(len(keys), "pictures", f"{len(keys):,} of {count(len(checked.probabilities), 'picture')}.")


def several_figures(checked: CheckedCaptions) -> Iterator[Finding]:
    """Many pictures of more than one figure, by their captions."""
    total = len(checked.tags)
    keys = tuple(key for key, tags in checked.tags.items() if any(map(SEVERAL_FIGURES.fullmatch, tags)))
    if total >= FEW_PICTURES and len(keys) > FEW_WITH_OTHERS * total:
        yield Finding(
            code="captions.several_figures", severity="note", about="caption", subjects=keys, evidence=share(keys, checked.tags),
            message=pictures_that(keys, "shows more than one figure", "show more than one figure"),
            why="A character is learnt best alone: what the others wear and how they stand is learnt with it.",
            fix=Fix(
                "Crop the others out (lorasmith mend --crop), leave those pictures out, or keep them few and describe who is who; a style minds less."
            ),
        )  # fmt: skip


def untagged_figures(checked: CheckedCaptions) -> Iterator[Finding]:
    """Further figures that the tagger finds and the caption does not mention."""
    for tag, _, untagged in checked.shown_tags(lambda tag: bool(SEVERAL_FIGURES.fullmatch(tag))):
        if untagged:
            yield Finding(
                code="captions.untagged_figures", severity="note", about="caption", subjects=tuple(untagged),
                evidence=of_pictures(untagged, checked),
                message=pictures_that(untagged, f"shows {tag!r}, and its caption does not say so", f"show {tag!r}, and their captions do not say so"),
                why="A figure that no tag mentions becomes part of what the trigger means.",
                fix=Fix(f"Tag {tag!r}, or crop the others out.", (CaptionChange("add", {"tags": [tag]}),)), details=(tag,),
            )  # fmt: skip
