"""What is said of one checkpoint: the label that weighs most, all its labels, its score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lorasmith.evaluation.measures.measured import CheckpointMeasures
from lorasmith.evaluation.verdict.labels import Judged, Measures, headline, judge
from lorasmith.evaluation.verdict.picking import Score


@dataclass(frozen=True)
class CheckpointVerdict:
    """`headline` is `good`, `cannot tell`, `not drawn` or a label's name; `judged` has every label."""

    name: str
    """As people call it; see `names_of`."""
    measured: CheckpointMeasures
    headline: str
    judged: Mapping[str, Judged]
    score: Score

    @classmethod
    def of(cls, name: str, measured: CheckpointMeasures, score: Score, clearest: Measures, captioned: bool = True) -> CheckpointVerdict:
        judged = judge(measured.measures, clearest, captioned)
        return cls(name, measured, headline(judged), judged, score)

    @property
    def called(self) -> dict[str, Any]:
        """Its name as data: `{"epoch": 7}`, `{"step": 120}` or `{"file": "a.safetensors"}`."""
        for kind, number in (("epoch", self.measured.epoch), ("step", self.measured.step)):
            if self.name == f"{kind} {number}":
                return {kind: number}
        return {"file": self.name}

    def value(self, measure: str) -> float | None:
        """The value of a measure, None where it could not be measured."""
        known = self.measured.measures.get(measure)
        return None if known is None else known.value

    def as_data(self) -> dict[str, Any]:
        """For `--json` and files; a score that is not known, as where no picture was generated, is None: JSON has no word for it."""
        return {
            "name": self.name, "file": self.measured.file, "epoch": self.measured.epoch, "step": self.measured.step, "weight": self.measured.weight,
            "verdict": self.headline, "score": _known(self.score.value), "score_error": _known(self.score.error),
            "labels": {key: judged.holds for key, judged in self.judged.items()}, "measures": self.measured.json()["measures"],
        }  # fmt: skip


def _known(number: float) -> float | None:
    return number if math.isfinite(number) else None


def names_of(checkpoints: Sequence[CheckpointMeasures]) -> list[str]:
    """As people call them: by their epochs; by their steps where several are of one epoch; by their files without a run."""
    epochs = [one.epoch for one in checkpoints]
    if not any(epochs):
        return [one.file for one in checkpoints]
    if len(set(epochs)) == len(epochs) and all(epochs):
        return [f"epoch {epoch}" for epoch in epochs]
    return [f"step {one.step}" for one in checkpoints]
