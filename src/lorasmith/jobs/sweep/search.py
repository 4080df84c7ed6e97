"""Which values the next trial gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

from lorasmith.draws import seed_of
from lorasmith.errors import InputError
from lorasmith.jobs.sweep.sweep_file import Sweep
from lorasmith.jobs.sweep.trials import planned_values
from lorasmith.jobs.sweep.vary import Choices, Varied


@dataclass(frozen=True)
class Tried:
    """What a trial came to: its score where the verdict gave one."""

    values: dict[str, Any]
    ended: Literal["judged", "ruled out", "without a score", "not yet"]
    score: float | None = None


class Planned:
    """The trials of a grid, or of random draws: known from the beginning."""

    def __init__(self, sweep: Sweep):
        self._values = planned_values(sweep)

    def next(self, tried: Sequence[Tried]) -> dict[str, Any]:
        return self._values[len(tried)]


class GuidedByVerdicts:
    """Optuna's tree-structured Parzen estimator (Bergstra et al. 2011): it looks where the scores of the verdicts were high.

    It is given all results again for each trial, and seeded with the trial's number, so that a resumed sweep gets the same values.
    """

    def __init__(self, sweep: Sweep):
        check_search("tpe")
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._sweep = sweep

    def next(self, tried: Sequence[Tried]) -> dict[str, Any]:
        import optuna

        vary, seed = self._sweep.vary, self._sweep.file.seed
        sampler = optuna.samplers.TPESampler(seed=seed_of("sweep", seed, len(tried)) % 2**32, constant_liar=True)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        spaces = {name: _space(one) for name, one in vary.items()}
        for one in tried:
            places = {name: _place(vary[name], one.values[name]) for name in vary}
            study.add_trial(optuna.trial.create_trial(params=places, distributions=spaces, value=one.score, state=_state(one)))
        asked = study.ask(spaces)
        return {name: _value(vary[name], place) for name, place in asked.params.items()}


def check_search(search: str) -> None:
    """Raises InputError where a kind of search needs a package that is not installed (`extra.missing`)."""
    if search == "tpe" and find_spec("optuna") is None:
        raise InputError(
            'search = "tpe" needs an extra: pip install "lorasmith[sweep]"', code="extra.missing", extra="sweep", setting="search"
        )


def search_of(sweep: Sweep) -> Planned | GuidedByVerdicts:
    """How the values of a sweep's trials are found."""
    return GuidedByVerdicts(sweep) if sweep.file.search == "tpe" else Planned(sweep)


# -- Optuna's words ---------------------------------------------------------------------------------------------------


def _space(one: Varied) -> Any:
    """Choices go by their places: a value may be anything, and Optuna takes plain ones."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(one, Choices):
        return CategoricalDistribution(range(len(one.values)))
    if one.whole:
        return IntDistribution(int(one.low), int(one.high), log=one.log)
    return FloatDistribution(one.low, one.high, log=one.log)


def _place(one: Varied, value: Any) -> Any:
    return one.values.index(value) if isinstance(one, Choices) else value


def _value(one: Varied, place: Any) -> Any:
    if isinstance(one, Choices):
        return one.values[place]
    return place if one.whole else min(max(float(f"{place:.3g}"), one.low), one.high)


def _state(one: Tried) -> Any:
    from optuna.trial import TrialState

    if one.ended == "judged":
        return TrialState.COMPLETE
    return {"ruled out": TrialState.PRUNED, "without a score": TrialState.FAIL, "not yet": TrialState.RUNNING}[one.ended]
