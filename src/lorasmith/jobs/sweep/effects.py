"""What each setting of a sweep did to the score of the verdict, with its standard error.

All settings are fitted at once by least squares, each value of a setting with a number of its own, so that trials that differ in several
settings still say what one did. The difference between two values of a setting is then a weighted sum over the trials,

    difference = sum of w_t score_t          w from the pseudo-inverse of the design

and its standard error is made of two that are added in squares:

    pictures    the same sum for each prompt, which all trials share: how much it varies over prompts. What a prompt does to all trials
                cancels out.
    trainings   what the fit leaves over, s |w|: how much one more training, or what settings do together, would change. Not known where
                there are as many numbers as trials; then the pictures alone speak, and `repeated` is False.

A part of the second is in the first, too, so the error is rather too large than too small. Values differ where the difference is beyond
the one-sided 95 % of Student's t; otherwise it cannot be told. A distribution is cut into thirds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lorasmith.evaluation.verdict.evidence import mean_and_error
from lorasmith.jobs.sweep.trials import value_in_words
from lorasmith.jobs.sweep.vary import Choices, Varied
from lorasmith.sentences import Sentence
from lorasmith.training.validation.uncertainty import t_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

TWO_SIDED = 0.90
"""The share of Student's t between minus and plus the limit; one side is beyond 95 %."""
EXACT = 1e-8
"""Below this a difference of the design counts as zero."""

Items = Mapping[str, float]
"""Prompt -> value."""


@dataclass(frozen=True)
class Scored:
    """A judged trial: what its pictures of the subject and its pictures of other prompts came to."""

    values: Mapping[str, Any]
    subject: Items
    keeps: Items

    @property
    def kept(self) -> float:
        return math.fsum(self.keeps.values()) / len(self.keeps)


@dataclass(frozen=True)
class Difference:
    """How much lower a value scores than the best one of its setting. `differs` is False where that cannot be told."""

    value: str
    trials: int
    below: float
    error: float
    differs: bool


@dataclass(frozen=True)
class Effect:
    """What a setting did: its best value, and the others beside it. `others` is empty where too few trials were judged."""

    setting: str
    best: str
    trials: int
    others: tuple[Difference, ...]
    repeated: bool
    """Whether the error knows how much trainings vary."""
    end: Literal["largest", "smallest"] | None = None
    """Where the best value is at an end of the numbers that were tried."""

    @property
    def said(self) -> Sentence:
        """In words: what is better, or that it cannot be told."""
        clear = [other for other in self.others if other.differs]
        unclear = [other for other in self.others if not other.differs]
        if not self.others:
            return _sentence("effect_of_too_few", setting=self.setting)
        if not clear:
            beside = [_sentence("beside", value=one.value, best=self.best, by=-one.below, error=one.error) for one in unclear]
            return _sentence("effect_unclear", setting=self.setting, others=beside)
        return _sentence(
            "effect", setting=self.setting, best=self.best,
            worse=[_sentence("less", value=one.value, by=one.below, error=one.error) for one in clear],
            same=[_sentence("same", values=[one.value for one in unclear])] if unclear else [],
            beyond=[_sentence(f"beyond_{self.end}")] if self.end else [],
        )  # fmt: skip

    @property
    def sentence(self) -> str:
        """The same in English."""
        return str(self.said)

    @property
    def as_data(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "setting": self.setting, "best": self.best, "sentence": self.sentence, "said": self.said.as_data, "repeated": self.repeated,
            "others": [vars(other) for other in self.others],
        }  # fmt: skip


def effects(vary: Mapping[str, Varied], trials: Sequence[Scored]) -> list[Effect]:
    """What each setting did, in the order of `vary`; the trials were judged on the same prompts."""
    if not trials:
        return []
    levels = {name: [level_of(one, trial.values[name]) for trial in trials] for name, one in vary.items()}
    fit = _Fit(levels, trials)
    found = [fit.effect(name) for name in vary if len(set(levels[name])) > 1]
    return [replace(one, end=_end(one.best, [trial.values[one.setting] for trial in trials])) for one in found]


def _end(best: str, tried: Sequence[Any]) -> Literal["largest", "smallest"] | None:
    """Whether the best value is the largest or the smallest of the numbers that were tried; of settings that vary together all are."""
    rows = [tuple(value) if isinstance(value, list | tuple) else (value,) for value in tried]
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for row in rows for one in row):
        return None
    own = next((row for row, value in zip(rows, tried, strict=True) if value_in_words(value) == best), None)
    if own is None:
        return None
    columns = list(zip(*rows, strict=True))
    if all(one == max(column) for one, column in zip(own, columns, strict=True)):
        return "largest"
    return "smallest" if all(one == min(column) for one, column in zip(own, columns, strict=True)) else None


def level_of(varied: Varied, value: Any) -> str:
    """A value as people read it; of a distribution the third in which it is."""
    if isinstance(varied, Choices):
        return value_in_words(value)
    low, high = (math.log(varied.low), math.log(varied.high)) if varied.log else (varied.low, varied.high)
    share = ((math.log(value) if varied.log else value) - low) / (high - low)
    third = min(int(3 * share), 2)
    ends = (varied.at(third / 3), varied.at((third + 1) / 3))
    return " to ".join(map(value_in_words, ends))


class _Fit:
    """The least-squares fit of the scores by the levels of all settings."""

    def __init__(self, levels: Mapping[str, Sequence[str]], trials: Sequence[Scored]):
        self.levels, self.trials = levels, trials
        self.columns = [(name, level) for name in levels for level in list(dict.fromkeys(levels[name]))[1:]]
        rows = [[1.0, *(float(levels[name][place] == level) for name, level in self.columns)] for place in range(len(trials))]
        design = np.array(rows)
        self.inverse: NDArray[np.float64] = np.linalg.pinv(design)
        self.known = self.inverse @ design
        """The identity where each number can be told from the others."""
        self.freedom = len(trials) - int(np.linalg.matrix_rank(design))
        self.scores = np.array([_score(trial) for trial in trials])
        left = self.scores - design @ (self.inverse @ self.scores)
        self.spread = math.sqrt(float(left @ left) / self.freedom) if self.freedom else 0.0

    def effect(self, name: str) -> Effect:
        own = self.levels[name]
        values = list(dict.fromkeys(own))
        best = max(values, key=lambda value: float(self._sides(name, value) @ (self.inverse @ self.scores)))
        others = [self._difference(name, best, value) for value in values if value != best]
        return Effect(name, best, own.count(best), tuple(one for one in others if one is not None), self.freedom > 0)

    def _difference(self, name: str, best: str, value: str) -> Difference | None:
        """None where the trials do not tell the two apart from other settings."""
        sides = self._sides(name, best) - self._sides(name, value)
        if float(np.abs(sides @ self.known - sides).max()) > EXACT:
            return None
        weights = sides @ self.inverse
        below = float(weights @ self.scores)
        of_subject, prompts = self._over_prompts(
            weights, [{key: one * trial.kept for key, one in trial.subject.items()} for trial in self.trials]
        )
        of_keeps, _ = self._over_prompts(weights, [trial.keeps for trial in self.trials])
        subject = float(np.mean([_mean(trial.subject) for trial in self.trials]))
        error = math.hypot(of_subject, subject * of_keeps, self.spread * float(np.linalg.norm(weights)))
        freedom = min(prompts - 1, self.freedom) if self.freedom else prompts - 1
        differs = freedom > 0 and below > t_quantile(freedom, TWO_SIDED) * error
        return Difference(value, self.levels[name].count(value), below, error, bool(differs))

    def _over_prompts(self, weights: NDArray[np.float64], items: Sequence[Items]) -> tuple[float, int]:
        """The standard error of the weighted sum over the prompts that all trials share, and how many those are."""
        shared = [key for key in items[0] if all(key in each for each in items)]
        sums = [math.fsum(weight * each[key] for weight, each in zip(weights, items, strict=True)) for key in shared]
        return mean_and_error(sums)[1], len(shared)

    def _sides(self, name: str, value: str) -> NDArray[np.float64]:
        """The columns that a value switches on; none for the first value of a setting, the others are counted from."""
        return np.array([0.0, *(float(column == (name, value)) for column in self.columns)])


def _score(trial: Scored) -> float:
    return _mean(trial.subject) * trial.kept


def _mean(items: Items) -> float:
    return math.fsum(items.values()) / len(items)


def _effect(setting: str, best: str, worse: Sequence[Sentence], same: Sequence[Sentence], beyond: Sequence[Sentence]) -> str:
    parts = "; ".join(map(str, [*worse, *same]))
    return " ".join([f"{setting}: {best} is best; {parts}.", *map(str, beyond)])


def _beside(value: str, best: str, by: float, error: float) -> str:
    return f"{value} beside {best}: {by:+.2f} ± {error:.2f}"


SENTENCES: dict[str, Callable[..., str]] = {
    "sweep.effect_of_too_few": lambda setting: f"{setting}: cannot tell, as too few trials were judged.",
    "sweep.effect_unclear": lambda setting, others: f"{setting}: cannot tell ({'; '.join(map(str, others))}).",
    "sweep.beside": _beside,
    "sweep.effect": _effect,
    "sweep.less": lambda value, by, error: f"{value} scores less by {by:.2f} ± {error:.2f}",
    "sweep.same": lambda values: f"{', '.join(values)} cannot be told from it",
    "sweep.beyond_largest": lambda: "It is the largest that was tried: a larger one may be better still.",
    "sweep.beyond_smallest": lambda: "It is the smallest that was tried: a smaller one may be better still.",
}
"""Code -> how its English is made."""


def _sentence(code: str, **values: Any) -> Sentence:
    return Sentence.of(SENTENCES, f"sweep.{code}", **values)
