"""How good verdicts are, against the truth: regret of what was recommended, and how often labels are right.

Regret is by how many points of the true score the recommended checkpoint falls short of the best one of its run. A true score has an
error itself, so that 'beyond the error' counts only what exceeds two standard errors of the difference. Labels are counted over the
checkpoints of runs that no threshold was set on; what the verdict leaves open counts as not told, and is left out of the accuracy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from lorasmith.demo.verdict_bench.truth import Truth
from lorasmith.draws import rng_for
from lorasmith.evaluation.measures.measured import CheckpointMeasures
from lorasmith.evaluation.verdict.verdict import Verdict

RESAMPLES = 2000


@dataclass(frozen=True)
class JudgedRun:
    """One run of the bench: what is true of its checkpoints, and what the verdict says, in the same order."""

    name: str
    kept_apart: bool
    truths: tuple[Truth, ...]
    verdict: Verdict
    weight_truths: Mapping[float, Truth]
    """Of the recommended checkpoint at the weights that the verdict tried."""


@dataclass(frozen=True)
class Regret:
    """Points of 100, over runs; `interval` is the 90 % bootstrap of the mean over runs."""

    mean: float
    interval: tuple[float, float]
    worst: float
    worst_beyond_error: float
    runs: int

    @classmethod
    def of(cls, regrets: Sequence[tuple[float, float]], *purpose: str) -> Regret:
        """From (regret, standard error of the difference) of each run."""
        if not regrets:
            return cls(math.nan, (math.nan, math.nan), math.nan, math.nan, 0)
        values = [regret for regret, _ in regrets]
        rng = rng_for("bootstrap of regrets", *purpose)
        means = sorted(fmean(rng.choices(values, k=len(values))) for _ in range(RESAMPLES))
        beyond = max(max(0.0, regret - 2 * error) for regret, error in regrets)
        interval = (means[RESAMPLES // 20], means[RESAMPLES - 1 - RESAMPLES // 20])
        return cls(fmean(values), interval, max(values), beyond, len(values))

    def as_data(self) -> dict[str, Any]:
        return {
            "mean_regret": _rounded(self.mean), "interval": [_rounded(end) for end in self.interval], "worst_regret": _rounded(self.worst),
            "worst_beyond_error": _rounded(self.worst_beyond_error), "runs": self.runs,
        }  # fmt: skip


# -- pickers ----------------------------------------------------------------------------------------------------------


def _mean_of(prefix: str) -> Callable[[CheckpointMeasures], float]:
    def mean(checkpoint: CheckpointMeasures) -> float:
        values = [measure.value for name, measure in checkpoint.measures.items() if name.startswith(prefix)]
        return fmean(values) if values else math.inf

    return mean


def _near(checkpoint: CheckpointMeasures) -> float:
    measure = checkpoint.measures.get("near")
    return math.inf if measure is None else measure.value


def _lowest(number: Callable[[CheckpointMeasures], float]) -> Callable[[JudgedRun], int]:
    return lambda run: min(range(len(run.truths)), key=lambda k: number(run.verdict.checkpoints[k].measured))


def _ours(run: JudgedRun) -> int:
    """What we recommend; the last one where the verdict recommends none, as a user would take it."""
    return len(run.truths) - 1 if run.verdict.recommended is None else run.verdict.recommended


PICKERS: dict[str, Callable[[JudgedRun], int]] = {
    "verdict": _ours,
    "last checkpoint": lambda run: len(run.truths) - 1,
    "lowest validation loss": _lowest(_mean_of("held_out_loss_")),
    "lowest training loss": _lowest(_mean_of("trained_loss_")),
    "nearest to training images": _lowest(_near),
}
"""Ways to choose a checkpoint -> its place."""


def regret(truths: Sequence[Truth], chosen: int) -> tuple[float, float]:
    """Points that `chosen` falls short of the best, and the standard error of that difference."""
    best = max(range(len(truths)), key=lambda k: truths[k].score)
    if best == chosen:
        return 0.0, 0.0
    return truths[best].score - truths[chosen].score, math.hypot(truths[best].score_error, truths[chosen].score_error)


# -- labels -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LabelScore:
    """Counts over checkpoints; `open` are those that the verdict leaves open."""

    right_yes: int
    yes: int
    right_no: int
    no: int
    open: int

    @property
    def balanced_accuracy(self) -> float:
        """Mean of sensitivity and specificity; not a number where one of the two has no case."""
        if not self.yes or not self.no:
            return math.nan
        return (self.right_yes / self.yes + self.right_no / self.no) / 2


def label_score(runs: Sequence[JudgedRun], label: str) -> LabelScore:
    """How often one label is right."""
    pairs = [
        (truth.labels[label], checkpoint.judged[label].holds)
        for run in runs
        for truth, checkpoint in zip(run.truths, run.verdict.checkpoints, strict=True)
    ]
    told = [(true, said) for true, said in pairs if said is not None]
    return LabelScore(
        right_yes=sum(true and said for true, said in told), yes=sum(true for true, _ in told),
        right_no=sum(not true and not said for true, said in told), no=sum(not true for true, _ in told), open=len(pairs) - len(told),
    )  # fmt: skip


# -- all together -----------------------------------------------------------------------------------------------------

LABELS = ("under-cooked", "over-cooked", "memorised")
"""Labels that have a truth of their own."""


def scores(runs: Sequence[JudgedRun]) -> dict[str, Any]:
    """One object with everything that the bench reports; labels over the kinds of runs that are kept apart."""
    apart = [run for run in runs if run.kept_apart]
    pickers = {
        name: Regret.of([regret(run.truths, picker(run)) for run in runs], name).as_data() for name, picker in PICKERS.items()
    }  # fmt: skip
    labels = {label: label_score(apart, label) for label in LABELS}
    headlines = [checkpoint.headline for run in apart for checkpoint in run.verdict.checkpoints]
    return {
        "runs": len(runs),
        "kept_apart": len(apart),
        **{key: pickers["verdict"][key] for key in ("mean_regret", "interval", "worst_regret", "worst_beyond_error")},
        "truth_error": _rounded(fmean([truth.score_error for run in runs for truth in run.truths])) if runs else None,
        "balanced_accuracy": {label: _rounded(score.balanced_accuracy) for label, score in labels.items()},
        "label_counts": {label: vars(score) for label, score in labels.items()},
        "cannot_tell": _rounded(headlines.count("cannot tell") / len(headlines)) if headlines else None,
        "weight_regret": _weight_regret(runs),
        "pickers": pickers,
    }


def _weight_regret(runs: Sequence[JudgedRun]) -> dict[str, Any]:
    """Of the recommended weight, over runs in which one was recommended."""
    found = []
    for run in runs:
        weight = run.verdict.weight
        if weight is not None and weight in run.weight_truths:
            found.append(regret(list(run.weight_truths.values()), list(run.weight_truths).index(weight)))
    return Regret.of(found, "weights").as_data()


def _rounded(number: float) -> float | None:
    """To be read in JSON, which knows no 'not a number'."""
    return round(number, 3) if math.isfinite(number) else None
