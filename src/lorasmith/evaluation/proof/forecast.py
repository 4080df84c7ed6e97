"""What proving a run will take, before it is trained."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from lorasmith.evaluation.proof.plan import EFFORTS, WEIGHTS, cost, cost_of_weights
from lorasmith.evaluation.proof.plan_making import plan_for_training_set
from lorasmith.pages.numbers import count
from lorasmith.training.due import checkpoints_in
from lorasmith.training.forecast.forecast import Duration
from lorasmith.training.forecast.report import Report, time_in_words


@dataclass(frozen=True)
class ProofForecast:
    """The cost of `lorasmith prove` on a run."""

    effort: str
    checkpoints: int
    pictures: int
    predictions: int
    """Of the denoiser."""
    seconds: float | None
    """None where the speed of predictions is not known: the run draws no samples, or trains in another precision than float32, in which
    it is proven."""

    def __str__(self) -> str:
        time = "" if self.seconds is None else f", about {time_in_words(self.seconds)}"
        return (
            f"{self.effort} effort, {EFFORTS[self.effort].words}: {count(self.pictures, 'picture')}, "
            f"{count(self.predictions, 'prediction')} of the denoiser{time}"
        )

    @property
    def as_data(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def forecast_proof(report: Report, effort: str = "standard") -> ProofForecast:
    """What proving the run of a report takes.

    Raises InputError where it could not be proven.
    """
    settings, checkpoints = report.settings, checkpoints_in(report.settings, report.plan.epochs, report.plan.steps)
    plan = plan_for_training_set(settings, report.training_set, effort)
    parts = cost(plan, checkpoints), cost_of_weights(plan, len([weight for weight in WEIGHTS if weight != 1]))
    pictures, predictions = sum(part.pictures for part in parts), sum(part.predictions for part in parts)
    in_float32 = report.forecast if settings.training.mixed_precision == "no" else None
    seconds = None if in_float32 is None else _seconds(in_float32.duration, pictures, predictions)
    return ProofForecast(effort, checkpoints, pictures, predictions, seconds)


def _seconds(duration: Duration, pictures: int, predictions: int) -> float | None:
    if duration.prediction is None or duration.decoding is None:
        return None
    return predictions * duration.prediction + pictures * duration.decoding
