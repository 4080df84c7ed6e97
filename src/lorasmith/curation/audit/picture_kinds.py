"""What one picture shows by itself: a function of its measures for each kind of finding, and the table of them.

A function gives the sign of its finding, or None. It is pure: the same measures and training, the same sign.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from lorasmith.curation.audit.finding_kind import Kind, Sign, confidence
from lorasmith.findings import Finding, MendChange
from lorasmith.images import adversarial
from lorasmith.images.measures import Measures

Lost = Callable[[tuple[int, int]], float]
"""Width and height of a picture -> share of it that the training crops away, 0-1."""

LARGEST_SIDE = 3000
WIDEST = 3.0
"""Long side over short side."""

MEASURED_FROM = 256
"""Pixels: side of a square of which a picture must have the area before its noise, its blocks and its light are judged; the test pictures have it."""

BLOCKY = 2.0
"""`signs.blocking` over which an earlier compression was strong."""


@dataclass(frozen=True)
class Training:
    """What the pictures are judged for."""

    resolution: int = 1024
    """Side of the training's square, in pixels."""
    lost: Lost | None = None
    """What its buckets crop away; without it, what is beyond three times as long as wide."""


@dataclass(frozen=True, kw_only=True)
class PictureKind(Kind):
    """A kind of finding about a single picture."""

    sign: Callable[[Measures, Training], Sign | None]


def judge(name: str, measures: Measures, training: Training | None = None, off: Collection[str] = ()) -> Iterator[Finding]:
    """What its measures say about one picture; nothing else is asked of one that cannot be read. `off` are codes that are not looked for."""
    for rule, kind in PICTURE_KINDS.items():
        if bool(measures.problem) == (rule == "unreadable") and f"audit.{rule}" not in off:
            sign = kind.sign(measures, training or Training())
            if sign is not None:
                yield kind.finding(rule, (name,), sign)


# Whether it can be used


def unreadable(m: Measures, training: Training) -> Sign | None:
    return Sign(0, "pixels", "nothing could be decoded", 1.0, (m.problem,)) if m.problem else None


def too_small(m: Measures, training: Training) -> Sign | None:
    width, height = m.size
    side = (width * height) ** 0.5
    share = side / training.resolution
    if width * height >= 0.9 * training.resolution**2:
        return None
    text = f"{width} x {height} pixels, {share:.0%} of the side of {training.resolution} that is trained"
    upscale = MendChange("upscale", {"pixels": training.resolution})
    return Sign(side, "pixels", text, confidence(share, 0.95, 0.6), changes=(upscale,))


def too_large(m: Measures, training: Training) -> Sign | None:
    width, height = m.size
    return Sign(max(m.size), "pixels", f"{width} x {height} pixels", 0.95) if max(m.size) > LARGEST_SIDE else None


def transparent(m: Measures, training: Training) -> Sign | None:
    return Sign(100 * m.clear, "% of the area", f"{m.clear:.1%} of the area is not opaque", 0.95) if m.clear > 0.001 else None


def animated(m: Measures, training: Training) -> Sign | None:
    """More than one picture in the file: frames, or pages of a TIFF."""
    one, several = ("page", "several pages") if m.format == "TIFF" else ("frame", "several frames")
    return Sign(1, f"{one} used", f"the {m.format} has {several}, and the first {one} was read", 1.0) if m.animated else None


# How good it is


def compressed(m: Measures, training: Training) -> Sign | None:
    """By the file's own tables where it is a JPEG; else by the blocks that an earlier compression left."""
    if m.quality is not None and m.quality < 50:
        text = f"JPEG quality {m.quality:.0f} of 100, by its tables"
        return Sign(m.quality, "JPEG quality", text, confidence(m.quality, 50, 20))
    if m.blocking > BLOCKY and not _is_small(m) and (m.quality is None or m.quality > 90):
        text = f"brightness bends {m.blocking:.1f} times as much on a grid of 8 pixels as elsewhere"
        copy = ("The file itself is of good quality: it is a copy.",)
        return Sign(m.blocking, "times", text, confidence(m.blocking, BLOCKY, 3.5), copy)
    return None


def blurred(m: Measures, training: Training) -> Sign | None:
    if m.edge_width <= 2.2 or _is_blank(m) or _is_tiny(m):
        return None
    sharpest = "not one clear edge" if m.edge_width >= 9 else f"even the sharpest edges are as soft as a blur of {m.edge_width:.1f} pixels"
    return Sign(m.edge_width, "pixels of 512", f"{sharpest} in a picture of 512 x 512", confidence(m.edge_width, 2.2, 4))


def little_to_see(m: Measures, training: Training) -> Sign | None:
    text = f"{m.detail:.1%} of the area holds any detail"
    return Sign(100 * m.detail, "% of the area", text, confidence(m.detail, 0.03, 0)) if _is_blank(m) else None


def dark(m: Measures, training: Training) -> Sign | None:
    text = f"98 of 100 pixels have a brightness of {m.bright:.0f} of 255 at most"
    return Sign(m.bright, "of 255", text, confidence(m.bright, 55, 25)) if _is_dark(m) else None


def blown_out(m: Measures, training: Training) -> Sign | None:
    """Light areas have run into white: nothing in the picture is dark any more, or much is at the end of the scale and has lost one
    channel after the other.

    A drawing has no exposure, and what stands on white has not run into it: nothing is said of them.
    """
    if _is_small(m) or _is_drawn(m) or _is_on_white(m):
        return None
    hazy = m.clipped > 0.05 and m.deepest > 90
    fades = m.fading > 0.45 or (m.dark > 70 and m.rest > 90 and m.deepest > 45)
    lost = m.clipped > 0.5 and m.white < 0.85 and m.thick > 0.2 and fades
    if not (hazy or lost):
        return None
    text = f"{m.clipped:.0%} of the area is at the upper end"
    return Sign(100 * m.clipped, "% of the area", text, confidence(m.clipped, 0.05, 0.6))


def adversarial_noise(m: Measures, training: Training) -> Sign | None:
    likeness = adversarial.score(m.noise)
    if likeness < 50 or _is_small(m) or m.flat > 0.05:
        return None
    text = f"score {likeness} of 100: fine colour noise of {m.noise:.1f} steps of 255 even where the picture is even"
    return Sign(likeness, "of 100", text, round(0.4 + 0.4 * (likeness - 50) / 50, 2), ("A heuristic: film grain looks alike.",))


def greyscale(m: Measures, training: Training) -> Sign | None:
    if m.coloured >= 1.0 or _is_dark(m) or _is_blank(m):
        return None
    return Sign(m.coloured, "of 255", f"its colours differ from grey by {m.coloured:.1f} of 255", 0.95)


# Its shape and what is around its subject


def odd_aspect(m: Measures, training: Training) -> Sign | None:
    width, height = m.size
    if _ratio(m) <= WIDEST:
        return None
    text = f"{width} x {height} pixels, {_ratio(m):.1f} to 1; {_cropped_share(m, training):.0%} of it is cropped away"
    return Sign(_ratio(m), "to 1", text, confidence(_ratio(m), WIDEST, 5))


def cropped_away(m: Measures, training: Training) -> Sign | None:
    share = _cropped_share(m, training)
    if share <= 0.12 or _ratio(m) > WIDEST:
        return None
    return Sign(100 * share, "% of the area", f"{share:.0%} of it is cropped away to fit its bucket", confidence(share, 0.12, 0.25))


def letterbox(m: Measures, training: Training) -> Sign | None:
    text = f"{m.bars:.0%} of the area is bars"
    return Sign(100 * m.bars, "% of the area", text, confidence(m.bars, 0.04, 0.15)) if m.bars > 0.04 else None


def framed(m: Measures, training: Training) -> Sign | None:
    if m.bars > 0.04 or m.frame <= 0.04 or m.margins >= 0.55 or m.views != 1:
        return None
    return Sign(100 * m.frame, "% of the area", f"{m.frame:.0%} of the area is an even frame", confidence(m.frame, 0.04, 0.15))


def empty_margins(m: Measures, training: Training) -> Sign | None:
    if m.bars > 0.04 or m.margins <= 0.55 or _is_blank(m):
        return None
    return Sign(100 * m.margins, "% of the area", f"{m.margins:.0%} of the area is an even border", confidence(m.margins, 0.55, 0.8))


def several_views(m: Measures, training: Training) -> Sign | None:
    return Sign(m.views, "views", f"{m.views} separate views on one ground", 0.85) if m.views > 1 else None


# What several of them ask


def _is_tiny(m: Measures) -> bool:
    return m.size[0] * m.size[1] < 64 * 64


def _is_small(m: Measures) -> bool:
    """Whether it has fewer pixels than any picture on which noise, blocks and burnt areas were measured."""
    return m.size[0] * m.size[1] < MEASURED_FROM**2


def _is_drawn(m: Measures) -> bool:
    """Whether most of it is exactly even, or a good part of it beside pure white, as in drawings and on screens."""
    return m.flat > 0.5 or (m.flat > 0.3 and m.white > 0.75)


def _is_on_white(m: Measures) -> bool:
    """Whether white is around something dark, something pale on pure white or something made of thin lines, or a shadow on white leads to the thing that casts it."""
    around = m.rim > 0.985 and m.deepest <= 120
    lines = m.rim > 0.975 and m.white > 0.85 and (m.thick < 0.5 or m.white > 0.97) and m.deepest <= 210
    shadow = m.rim > 0.6 and m.white > 0.85 and m.thick > 0.5 and m.fading > 0.8
    return around or lines or shadow


def _is_blank(m: Measures) -> bool:
    return m.detail < 0.03 and not _is_tiny(m)


def _is_dark(m: Measures) -> bool:
    return m.bright < 55


def _ratio(m: Measures) -> float:
    return max(m.size) / min(m.size)


def _cropped_share(m: Measures, training: Training) -> float:
    return training.lost(m.size) if training.lost else max(0.0, 1 - WIDEST / _ratio(m))


REMOVE = (MendChange("remove"),)

PICTURE_KINDS: dict[str, PictureKind] = {
    "unreadable": PictureKind(
        sign=unreadable, title="cannot be read", severity="error", message="The picture cannot be read.",
        why="It cannot be trained on.", fix="Get it again from its source, save it as PNG, or take it out.", changes=REMOVE,
    ),
    "too_small": PictureKind(
        sign=too_small, title="smaller than the training resolution", severity="warning",
        message="The picture is smaller than the training resolution.",
        why="It is enlarged for training, and the LoRA learns the softness that comes of it.",
        fix="Upscale it with a good upscaler, or take a larger copy.",
    ),
    "too_large": PictureKind(
        sign=too_large, title="larger than 3000 pixels", severity="note", message="The picture is larger than 3000 pixels.",
        why="It is scaled down in each run: its size gains nothing and costs time.", fix="Scale it down to 3000 pixels or less.",
        changes=(MendChange("max", {"pixels": LARGEST_SIDE}),),
    ),
    "transparent": PictureKind(
        sign=transparent, title="partly transparent", severity="warning", message="The picture is partly transparent.",
        why="Other trainers show black or hidden colours where nothing is, and the LoRA learns those edges.",
        fix="Put it on white.", changes=(MendChange("flatten"),),
    ),
    "compressed": PictureKind(
        sign=compressed, title="strongly compressed", severity="warning", message="The picture is strongly compressed.",
        why="Blocks and rings around edges are learnt as part of the look.", fix="Take a better copy; else smooth the artefacts.",
        changes=(MendChange("clean", {"way": "filter"}),),
    ),
    "blurred": PictureKind(
        sign=blurred, title="out of focus", severity="warning", message="The picture is out of focus.",
        why="The LoRA learns softness, and details stay mushy.", fix="Take a sharper copy, or leave it out.", changes=REMOVE,
    ),
    "little_to_see": PictureKind(
        sign=little_to_see, title="hardly anything to see", severity="warning", message="There is hardly anything to see in the picture.",
        why="An even picture teaches emptiness, and counts as much as a good one.", fix="Leave it out, or crop to what it shows.",
        changes=REMOVE,
    ),
    "dark": PictureKind(
        sign=dark, title="very dark", severity="warning", message="The picture is very dark.",
        why="Shapes drown in black, and the LoRA darkens other pictures too.", fix="Lighten it in an editor, or leave it out.",
        changes=REMOVE,
    ),
    "blown_out": PictureKind(
        sign=blown_out, title="burnt out", severity="warning", message="The picture is burnt out.",
        why="What is white has no detail to learn; light areas will come out flat.", fix="Take a copy with less exposure, or leave it out.",
        changes=REMOVE,
    ),
    "odd_aspect": PictureKind(
        sign=odd_aspect, title="much longer than wide", severity="warning", message="The picture is much longer than wide.",
        why="No bucket has its shape: most of it is cropped away, perhaps the subject.", fix="Crop it to what matters.",
    ),
    "cropped_away": PictureKind(
        sign=cropped_away, title="loses much to its bucket", severity="note", message="The picture loses much to its bucket.",
        why="The LoRA never sees its edges, and heads and feet are often there.",
        fix="Crop it to a shape nearer to a bucket's, so that you decide what goes.",
    ),
    "letterbox": PictureKind(
        sign=letterbox, title="letterbox bars", severity="warning", message="The picture has letterbox bars.",
        why="The LoRA draws bars, too: they are the steadiest thing in the picture.", fix="Cut the bars off.", changes=(MendChange("bars"),),
    ),
    "framed": PictureKind(
        sign=framed, title="an even frame around it", severity="warning", message="The picture has an even frame around it.",
        why="The LoRA draws frames, too: they are the steadiest thing in the picture.", fix="Trim the frame off.",
        changes=(MendChange("trim"),),
    ),
    "empty_margins": PictureKind(
        sign=empty_margins, title="mostly empty border", severity="warning", message="Most of the picture is empty border.",
        why="Few pixels are left for the subject, and emptiness around it is learnt.", fix="Trim it to its content.",
        changes=(MendChange("trim"),),
    ),
    "several_views": PictureKind(
        sign=several_views, title="several views on one sheet", severity="warning", message="The picture is a sheet of several views.",
        why="The LoRA learns to draw sheets, with several of the subject in one picture.",
        fix="Cut it into single pictures, or caption it as `multiple views, reference sheet`.", changes=(MendChange("cut"),),
    ),
    "adversarial_noise": PictureKind(
        sign=adversarial_noise, title="noise like that of a protection against training", severity="warning",
        message="The picture has noise like that of a protection against training.",
        why="If it is such a protection, the LoRA learns odd colours and artefacts instead of the picture.",
        fix="If you have the right to train on it, ask for a clean copy, or smooth it.", changes=(MendChange("clean", {"way": "filter"}),),
    ),
    "animated": PictureKind(
        sign=animated, title="several pictures in one file", severity="note", message="The file holds more than one picture.",
        why="Only the first is used.", fix="Save the one that you want as PNG.", changes=(MendChange("convert", {"to": "png"}),),
    ),
    "greyscale": PictureKind(
        sign=greyscale, title="without colour", severity="note", message="The picture has no colour.",
        why="Untagged, it takes colour out of what the LoRA draws.", fix="Tag it `monochrome, greyscale`, or leave it out.",
    ),
}  # fmt: skip
"""Rule -> kind: the row and its function are all that a finding needs."""
