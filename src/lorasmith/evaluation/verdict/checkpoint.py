"""What is said of one checkpoint: the label that weighs most, all its labels, its score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lorasmith.evaluation.measures.measured import CheckpointMeasures
from lorasmith.evaluation.verdict.labels import Judged, headline, judge
from lorasmith.evaluation.verdict.picking import Score


@dataclass(frozen=True)
class CheckpointVerdict:
    """`headline` is `good`, `cannot tell` or a label's name; `judged` has every label."""

    measured: CheckpointMeasures
    headline: str
    judged: Mapping[str, Judged]
    score: Score

    @classmethod
    def of(cls, measured: CheckpointMeasures, score: Score) -> CheckpointVerdict:
        judged = judge(measured.measures)
        return cls(measured, headline(judged), judged, score)

    @property
    def name(self) -> str:
        """As people call it: by its epoch; by its step where it was saved by steps; by its file without a run."""
        one = self.measured
        return f"epoch {one.epoch}" if one.epoch else f"step {one.step}" if one.step else one.file

    def value(self, measure: str) -> float | None:
        """The value of a measure, None where it could not be measured."""
        known = self.measured.measures.get(measure)
        return None if known is None else known.value

    def as_data(self) -> dict[str, Any]:
        return {
            "file": self.measured.file, "epoch": self.measured.epoch, "step": self.measured.step, "weight": self.measured.weight,
            "verdict": self.headline, "score": self.score.value, "score_error": self.score.error,
            "labels": {key: judged.holds for key, judged in self.judged.items()}, "measures": self.measured.json()["measures"],
        }  # fmt: skip
