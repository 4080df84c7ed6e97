"""What an audit can find: each kind with what it will do to the LoRA and the one action that mends it.

`KINDS` is the list; a finding names its kind and adds the pictures, the evidence and how sure that is. The actions are those of `mend`
(the keys of `lorasmith.curation.mend.mend.WAYS`, and `duplicates` and `remove`); where none helps, the action is empty and the sentence says
what a person does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
"""error: the picture cannot be trained on. warning: it will show in the LoRA. note: worth knowing."""

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Kind:
    """One kind of finding."""

    title: str
    severity: Severity
    consequence: str
    """What it will do to the LoRA."""
    action: str
    """What `mend` can do about it; '' where nothing."""
    remedy: str
    """The same for a person, as a sentence."""


KINDS: dict[str, Kind] = {
    # a picture by itself
    "unreadable": Kind(
        "cannot be read", "error", "It cannot be trained on.", "remove", "Get it anew from its source, save it as PNG, or take it out."
    ),
    "too small": Kind(
        "smaller than the training resolution", "warning",
        "It is enlarged for training, and the LoRA learns the softness that comes of it.",
        "upscale", "Upscale it with a good upscaler, or take a larger copy.",
    ),
    "too large": Kind(
        "larger than 3000 pixels", "note",
        "It is scaled down in each run: nothing is gained by its size but waiting.", "max", "Scale it down to 3000 pixels or less.",
    ),
    "transparent": Kind(
        "partly transparent", "warning",
        "Other trainers show black or hidden colours where nothing is, and the LoRA learns those edges.",
        "flatten", "Put it on white.",
    ),
    "compressed": Kind(
        "strongly compressed", "warning",
        "Blocks and rings around edges are learnt as part of the look.", "clean", "Take a better copy; else smooth the artefacts.",
    ),
    "blurred": Kind(
        "out of focus", "warning", "The LoRA learns softness, and details stay mushy.", "remove", "Take a sharper copy, or leave it out.",
    ),
    "little to see": Kind(
        "hardly anything to see", "warning",
        "An even picture teaches emptiness, and counts as much as a good one.", "remove", "Leave it out, or crop to what it shows.",
    ),
    "dark": Kind(
        "very dark", "warning",
        "Shapes drown in black, and the LoRA pulls other pictures down with it.", "remove", "Lighten it in an editor, or leave it out.",
    ),
    "blown out": Kind(
        "burnt out", "warning",
        "What is white has no detail to learn; light areas will come out flat.", "remove", "Take a copy with less exposure, or leave it out.",
    ),
    "odd aspect": Kind(
        "much longer than wide", "warning", "No bucket has its shape: most of it is cropped away, perhaps the subject.",
        "subject", "Crop it to what matters.",
    ),
    "cropped away": Kind(
        "loses much to its bucket", "note", "The LoRA never sees the edges of it; heads and feet lie there.",
        "subject", "Crop it to a shape nearer to a bucket's, so that you decide what goes.",
    ),
    "empty margins": Kind(
        "mostly empty border", "warning", "Few pixels are left for the subject, and emptiness around it is learnt.",
        "trim", "Trim it to its content.",
    ),
    "letterbox": Kind(
        "letterbox bars", "warning", "Bars come out of the LoRA, too: they are the steadiest thing in the picture.", "bars", "Cut the bars off.",
    ),
    "framed": Kind(
        "an even frame around it",
        "warning",
        "Frames come out of the LoRA, too: they are the steadiest thing in the picture.",
        "trim",
        "Trim the frame off.",
    ),
    "several views": Kind(
        "several views on one sheet", "warning", "The LoRA learns to draw sheets, with several of the subject in one picture.",
        "cut", "Cut it into single pictures, or caption it as `multiple views, reference sheet`.",
    ),
    "adversarial noise": Kind(
        "noise like that of a protection against training", "warning",
        "If it is such a protection, the LoRA learns odd colours and artefacts instead of the picture.",
        "clean", "If you have the right to train on it, ask for a clean copy, or smooth it.",
    ),
    "text": Kind(
        "text on the picture", "warning", "Letters come out of the LoRA as scribble.", "crop", "Crop the text away, paint over it, or take another copy."
    ),
    "animated": Kind(
        "animated", "note", "Only its first frame is used.", "convert", "Save the frame that you want as PNG."
    ),
    "greyscale": Kind(
        "without colour", "note", "Untagged, it takes colour out of what the LoRA draws.", "", "Tag it `monochrome, greyscale`, or leave it out."
    ),
    # several pictures, or the set
    "exact duplicate": Kind(
        "the same file again", "warning", "It counts twice, and is learnt by heart first.", "duplicates", "Keep one."
    ),
    "near duplicate": Kind(
        "the same picture again", "warning", "It counts twice, and is learnt by heart first.", "duplicates", "Keep the best copy."
    ),
    "asymmetry": Kind(
        "a picture and its mirror image", "note",
        "If the subject has a mark on one side, the LoRA cannot learn on which.",
        "flip", "If sides matter here, keep the one that is right, and train without flipping.",
    ),
    "same lettering": Kind(
        "the same strokes in the same corner", "warning",
        "A watermark or signature that most pictures share is the first thing that a LoRA learns.", "crop", "Crop the corner away, or paint over it.",
    ),
    "same background": Kind(
        "one background in many pictures", "warning", "It becomes part of the subject: the LoRA will draw it unasked.",
        "", "Add pictures with other backgrounds; else name the background in each caption.",
    ),
    "same pose": Kind(
        "one arrangement in many pictures", "note", "The LoRA will repeat it whatever the prompt says.",
        "", "Add other poses, angles and distances; else name this one in the captions.",
    ),
    "one source": Kind(
        "most pictures from one source", "note", "Its look - light, lens, brush - becomes part of the LoRA.",
        "", "Mix in other sources, or tag the artist or medium.",
    ),
    "set too small": Kind(
        "few pictures", "warning", "The LoRA will know these pictures rather than their subject.", "", "Add more, as varied as they can be."
    ),
    "set too large": Kind(
        "more pictures than it needs", "note", "Training takes longer and weak pictures get in; a few dozen good ones do better.",
        "", "Keep the best and most varied.",
    ),
}  # fmt: skip
"""Name -> what it means; names are what scripts read."""


@dataclass(frozen=True)
class Finding:
    """Something about one picture, several, or the set."""

    kind: str
    """A key of `KINDS`."""
    paths: tuple[Path, ...]
    """The pictures concerned; of copies, the one to keep first. () for the set as a whole."""
    number: float
    unit: str
    evidence: str
    """What was measured, as a sentence with number and unit."""
    certainty: float
    """0-1: how likely it is that a person would agree."""
    detail: str = ""
    """More for a person: what the decoder said, which copies are mirrored, ..."""

    @property
    def meaning(self) -> Kind:
        return KINDS[self.kind]

    @property
    def severity(self) -> Severity:
        return self.meaning.severity

    def as_json(self, root: Path) -> dict[str, Any]:
        """For scripts; paths as seen from `root`."""
        meaning = self.meaning
        return {
            "kind": self.kind,
            "severity": meaning.severity,
            "pictures": [path.relative_to(root).as_posix() for path in self.paths],
            "number": self.number,
            "unit": self.unit,
            "evidence": self.evidence,
            "certainty": self.certainty,
            "detail": self.detail,
            "consequence": meaning.consequence,
            "action": meaning.action,
            "remedy": meaning.remedy,
        }


def certainty(value: float, limit: float, sure: float) -> float:
    """How sure a value beyond `limit` is, 0.5 at the limit and 0.95 at `sure`, which may lie on either side."""
    beyond = (value - limit) / (sure - limit)
    return round(min(0.95, 0.5 + 0.45 * max(0.0, beyond)), 2)
