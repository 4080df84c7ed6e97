"""Decisions from numbers that have an uncertainty: yes, no, or not to be told.

A number decides against a limit where it is at least `CLEAR` standard errors away from it. Decisions combine as in Kleene's logic of three
values: 'both' is false as soon as one is false, whatever the other would be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from lorasmith.evaluation.measures.measured import Measure

Decision = bool | None
"""None: the evidence does not decide."""

CLEAR = 0.5
"""Standard errors between a number and its limit from which on it decides."""
TIE = 2.0
"""Standard errors within which two checkpoints are as good as each other: one chance in forty that accident alone puts one so far ahead."""


def above(measure: Measure | None, limit: float) -> Decision:
    """Whether a measure is above `limit`; not to be told without a measure, and within `CLEAR` standard errors of it."""
    if measure is None or not math.isfinite(measure.value):
        return None
    distance = measure.value - limit
    if measure.error and abs(distance) < CLEAR * measure.error:
        return None
    return distance > 0


def below(measure: Measure | None, limit: float) -> Decision:
    """Whether a measure is below `limit`; see `above`."""
    return negation(above(measure, limit))


def negation(decision: Decision) -> Decision:
    return None if decision is None else not decision


def both(*decisions: Decision) -> Decision:
    """True where all hold, False where one does not."""
    return negation(either(*map(negation, decisions)))


def either(*decisions: Decision) -> Decision:
    """True where one holds, False where none does."""
    return True if True in decisions else None if None in decisions else False


def paired_difference(one: Mapping[str, float], other: Mapping[str, float]) -> tuple[float, float]:
    """Mean of one - other over what both were measured on, and its standard error; the error is infinite for a single item."""
    shared = [one[name] - other[name] for name in one if name in other]
    return mean_and_error(shared)


def mean_and_error(values: Iterable[float]) -> tuple[float, float]:
    """Mean and standard error; (nan, inf) of nothing, an infinite error of a single value."""
    known = list(values)
    if not known:
        return math.nan, math.inf
    mean = math.fsum(known) / len(known)
    if len(known) == 1:
        return mean, math.inf
    variance = math.fsum((value - mean) ** 2 for value in known) / (len(known) - 1)
    return mean, math.sqrt(variance / len(known))
