"""What is measured of a checkpoint, and what each number means to a person.

The base is the ruler: every number says how the LoRA differs from the base on the same prompts, seeds and noise, so that 'as the base'
has one value, and a picture's own difficulty costs nothing. The formulas are in the files beside this one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, Literal

from lorasmith.training.validation.bands import BANDS


@dataclass(frozen=True)
class Measure:
    """One number of one checkpoint.

    `items` are by prompt or picture, and their mean is the value. For a ratio, or a difference of two groups, an item is the value plus
    what that prompt or picture moves it by (its influence). So two checkpoints are compared by the differences of the items that both
    have, whatever the measure.
    """

    value: float
    error: float | None
    """The standard error over the items; None where there is one."""
    items: Mapping[str, float]

    @classmethod
    def of(cls, items: Mapping[str, float]) -> Measure:
        """The mean of one item or more."""
        values = list(items.values())
        error = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
        return cls(fmean(values), error, dict(items))

    @classmethod
    def ratio(cls, of: Mapping[str, float], over: Mapping[str, float]) -> Measure:
        """The mean of `of` over the mean of `over`, which have the same items."""
        value, scale = fmean(of.values()) / fmean(over.values()), fmean(over.values())
        return cls.of({name: value + (of[name] - value * over[name]) / scale for name in of})

    @classmethod
    def difference(cls, a: Mapping[str, float], b: Mapping[str, float]) -> Measure:
        """The mean of `a` less the mean of `b`, which have no item in common; without an error where one of them has one item."""
        value, count = fmean(a.values()) - fmean(b.values()), len(a) + len(b)
        items: dict[str, float] = {}
        for sign, group in ((1, a), (-1, b)):
            mean, size = fmean(group.values()), len(group)
            influence = sign * count / math.sqrt(size * max(1, size - 1))
            items |= {name: value + influence * (number - mean) for name, number in group.items()}
        assert len(items) == count, "the groups share items"
        return cls.of(items) if min(len(a), len(b)) > 1 else cls(value, None, items)

    def at_most(self, most: float) -> Measure:
        """The same, cut off at `most`; its items move with it."""
        over = max(0.0, self.value - most)
        return Measure(self.value - over, self.error, {name: item - over for name, item in self.items.items()})

    def wider(self, factor: float) -> Measure:
        """The same with an error `factor` times as wide; its items are spread by as much."""
        items = {name: self.value + factor * (item - self.value) for name, item in self.items.items()}
        return Measure(self.value, None if self.error is None else factor * self.error, items)

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Measure:
        """What `json` gave."""
        return cls(tree["value"], tree["error"], dict(tree["items"]))

    def json(self) -> dict[str, Any]:
        """As plain numbers and texts."""
        return {"value": self.value, "error": self.error, "items": dict(self.items)}


@dataclass(frozen=True)
class CheckpointMeasures:
    """All numbers of one checkpoint at one weight."""

    file: str
    """Its path relative to the run's folder or, of a LoRA without a run, its name."""
    epoch: int
    step: int
    weight: float
    measures: Mapping[str, Measure]
    """By the keys of `MEASURES`; what could not be measured is missing."""

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> CheckpointMeasures:
        """What `json` gave."""
        measures = {name: Measure.from_json(measure) for name, measure in tree["measures"].items()}
        return cls(tree["file"], tree["epoch"], tree["step"], tree["weight"], measures)

    def json(self) -> dict[str, Any]:
        """As plain numbers and texts."""
        measures = {name: measure.json() for name, measure in self.measures.items()}
        return {"file": self.file, "epoch": self.epoch, "step": self.step, "weight": self.weight, "measures": measures}


@dataclass(frozen=True)
class MeasureKind:
    """What a number means."""

    title: str
    meaning: str
    """One sentence that a user understands."""
    unit: str
    better: Literal["higher", "lower", "neither"]
    as_base: float | None = None
    """The value that means 'as the base'; None where the base has none."""
    as_real: float | None = None
    """The value that means 'as real pictures of the subject that were never trained on'; None where those have none."""
    decides: bool = True
    """Whether a verdict may depend on it. The others told nothing, or nothing more, in tests and are shown only."""


MEASURES: dict[str, MeasureKind] = {
    "subject": MeasureKind(
        "Subject", "How far pictures of new prompts with the trigger have come from what the base draws (0) to real pictures (1).",
        "of the way from the base to real pictures", "higher", as_base=0.0, as_real=1.0,
    ),
    "subject_share": MeasureKind(
        "Subject, share", "The share of new prompts with the trigger whose pictures have come more than half way to real pictures.",
        "of the pictures", "higher", as_base=0.0, as_real=1.0,
    ),
    "keeps": MeasureKind(
        "Other prompts kept", "How well the base recognises its prompts in the LoRA's pictures without the trigger, against in its own.",
        "of the base's own", "higher", as_base=1.0,
    ),
    "moved": MeasureKind(
        "Other prompts moved", "How much pictures without the trigger change from the base's of the same seed.",
        "of the difference between two pictures of the base", "lower", as_base=0.0,
    ),
    "leaks": MeasureKind(
        "Leak", "How far pictures without the trigger have come towards the subject all the same.",
        "of the way from the base to real pictures", "lower", as_base=0.0, as_real=1.0,
    ),
    "replay": MeasureKind(
        "Replay", "How much nearer captions of training images bring their own images back than captions of held-out images do.",
        "nats of distance", "lower", as_base=0.0, as_real=0.0,
    ),
    **{
        f"gap_{name}": MeasureKind(
            f"Gap, {band.title}", f"What training images gained beyond held-out ones, in the noise that decides {band.title}.",
            "nats of loss", "lower", as_base=0.0,
        )
        for name, band in BANDS.items()
    },
    **{
        f"held_out_loss_{name}": MeasureKind(
            f"Held-out loss, {band.title}", f"The loss on images that were never trained on, in the noise that decides {band.title}.",
            "nats against the base", "lower", as_base=0.0,
        )
        for name, band in BANDS.items()
    },
    **{
        f"trained_loss_{name}": MeasureKind(
            f"Training loss, {band.title}", f"The loss on training images at fixed noise, in the noise that decides {band.title}.",
            "nats against the base", "neither", as_base=0.0,
        )
        for name, band in BANDS.items()
    },
    "narrow": MeasureKind(
        "Narrow", "How much more of the subject shows with the dataset's own captions than in new combinations.",
        "of the way from the base to real pictures", "lower", as_base=0.0, as_real=0.0,
    ),
    "near": MeasureKind(
        "Distance to the nearest training image", "How much farther from the nearest training image pictures are than held-out images are.",
        "nats of distance", "neither", as_real=0.0, decides=False,
    ),
    "stuck": MeasureKind(
        "Variety over seeds", "How much the bare trigger's pictures vary with the seed, against the base's; far below 0 one pose comes back.",
        "nats of distance", "higher", as_base=0.0,
    ),
    "saturation": MeasureKind(
        "Saturation", "How much more saturated pictures with the trigger are than the base's.", "0-1", "neither", as_base=0.0, decides=False
    ),
    "contrast": MeasureKind(
        "Contrast", "How much more contrast in brightness pictures with the trigger have than the base's.",
        "0-1", "neither", as_base=0.0, decides=False,
    ),
    "sharpness": MeasureKind(
        "Sharpness", "How much sharper edges of pictures with the trigger are than the base's.",
        "0-1 from pixel to pixel", "neither", as_base=0.0, decides=False,
    ),
    "clipping": MeasureKind(
        "Clipping", "How much more of pictures with the trigger is pure black or white in a channel than of the base's.",
        "of the pixels", "neither", as_base=0.0, decides=False,
    ),
}  # fmt: skip
