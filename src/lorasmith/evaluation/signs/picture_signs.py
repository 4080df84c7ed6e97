"""Signs in the pictures: deep-fried, mushy, one pose again and again, a style that comes into other prompts.

Saturation, contrast, sharpness and clipping told nothing of good and bad on the demo's base, whatever the guides say (docs/proof.md), and
were not tried on photographs. So these signs are shown with their numbers and a picture; the verdict does not depend on them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from lorasmith.evaluation.measures.measured import CheckpointMeasures, Measure
from lorasmith.findings import Evidence, Finding, Fix

CLEAR = 2.0
"""Standard errors from which on a difference to the base is a difference."""
FRIED, MUSHY = 0.15, -0.03
"""Saturation or contrast above the base's, 0-1; sharpness below the base's, 0-1 from pixel to pixel."""
SAME, MOVED = -0.8, 0.5
"""Log ratio of the bare trigger's variety; change of other prompts' pictures, where 1 is another picture."""


def picture_signs(checkpoint: CheckpointMeasures) -> list[Finding]:
    """What the pictures of one checkpoint show, in the order of `PICTURE_SIGNS`."""
    return [finding for rule in PICTURE_SIGNS.values() if (finding := rule(checkpoint)) is not None]


def deep_fried(checkpoint: CheckpointMeasures) -> Finding | None:
    """Pictures with the trigger have far more colour and contrast than the base's: over-trained LoRAs look like this."""
    saturation, contrast = checkpoint.measures.get("saturation"), checkpoint.measures.get("contrast")
    if saturation is None or contrast is None or not (_clear(saturation, FRIED) or _clear(contrast, FRIED)):
        return None
    return _sign(
        "deep_fried", checkpoint, "Pictures with the trigger have far more colour and contrast than the base's.",
        Evidence(saturation.value, "0-1", f"Saturation {saturation.value:+.2f} and contrast {contrast.value:+.2f} of 1 against the base's."),
        "Over-trained LoRAs look like this, but so does a colourful subject.", "Compare an earlier checkpoint, and a lower weight.",
    )  # fmt: skip


def mushy(checkpoint: CheckpointMeasures) -> Finding | None:
    """Pictures with the trigger are softer than the base's: under-trained LoRAs look like this."""
    sharpness = checkpoint.measures.get("sharpness")
    if sharpness is None or sharpness.error is None or sharpness.value + CLEAR * sharpness.error > MUSHY:
        return None
    return _sign(
        "mushy", checkpoint, "Pictures with the trigger are softer than the base's.",
        Evidence(sharpness.value, "0-1 from pixel to pixel", f"Edges are {sharpness.value:+.3f} from pixel to pixel against the base's."),
        "Under-trained LoRAs look like this, and so do sets of soft pictures.", "Compare a later checkpoint, and look at the audit for blurred pictures.",
    )  # fmt: skip


def one_pose(checkpoint: CheckpointMeasures) -> Finding | None:
    """Pictures of the bare trigger repeat one pose, composition or background, which all training images share and no caption says."""
    stuck = checkpoint.measures.get("stuck")
    if stuck is None or stuck.error is None or stuck.value + CLEAR * stuck.error > SAME:
        return None
    return _sign(
        "one_pose", checkpoint, "Pictures of the bare trigger repeat one pose, composition or background.",
        Evidence(stuck.value, "nats of distance", f"They vary {math.exp(stuck.value):.0%} as much as the base's do."),
        "What all training images share and no caption says comes with the trigger.", "Say it in the captions, and add pictures without it.",
    )  # fmt: skip


def other_prompts_change(checkpoint: CheckpointMeasures) -> Finding | None:
    """Pictures of prompts without the trigger change as well."""
    moved = checkpoint.measures.get("moved")
    if moved is None or not _clear(moved, MOVED):
        return None
    return _sign(
        "other_prompts_change", checkpoint, "Pictures of other prompts change as well.",
        Evidence(moved.value, "of the difference between two pictures", f"They change {moved.value:.0%} as much as two pictures of the base differ."),
        "The LoRA's look comes into prompts that do not ask for it.", "Add regularisation pictures, or use a lower weight.",
    )  # fmt: skip


PICTURE_SIGNS: dict[str, Callable[[CheckpointMeasures], Finding | None]] = {
    "deep_fried": deep_fried, "mushy": mushy, "one_pose": one_pose, "other_prompts_change": other_prompts_change,
}  # fmt: skip
"""Name -> rule; its finding has the code `signs.` and the name."""


def _clear(measure: Measure, limit: float) -> bool:
    """Whether a measure is above a limit by more than its error."""
    return measure.error is not None and measure.value - CLEAR * measure.error > limit


def _sign(code: str, checkpoint: CheckpointMeasures, message: str, evidence: Evidence, why: str, words: str) -> Finding:
    return Finding(
        code=f"signs.{code}", severity="note", about="run", subjects=(checkpoint.file,), message=message, evidence=evidence, why=why,
        fix=Fix(words),
    )  # fmt: skip
