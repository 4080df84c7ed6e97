"""How far a picture has come from the base's pictures to real ones, in one space: along the direction that tells the two apart.

    w = X' (X X' + 0.1 tr(X X') / n D)^-1 y        y = 1 for training pictures, -1 for the base's
    score(x) = (x w - mean of the base's) / (mean of the held-out ones - mean of the base's)

X are the pictures less the middle between the two sides, and D weighs both sides alike (ridge regression in its dual form, for more
dimensions than pictures). So 0 is what the base draws, and 1 what real pictures are that the direction was not made from. Where none is
held out, each training picture is scored by the direction of all others: for ridge regression its value is then
y_i - a_i / (K^-1)_ii, with K the matrix that is inverted and a = K^-1 y.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lorasmith.evaluation.measures.spaces import Points

RIDGE = 0.1
"""Results hardly change from 0.01 to 1."""


@dataclass(frozen=True, eq=False)
class Probe:
    """The direction in a space: `middle` and `weights` (dimensions,), and where the base's pictures and real ones are on it."""

    middle: np.ndarray
    weights: np.ndarray
    base: float
    real: float

    def scores(self, points: Points) -> np.ndarray:
        """(n,): 0 is as the base's pictures, 1 as real ones; a picture that is neither may be anywhere."""
        return ((points - self.middle) @ self.weights - self.base) / (self.real - self.base)


def fit_probe(training: Points, base: Points, zero: Points, held_out: Points | None) -> Probe | None:
    """The probe that tells training pictures from the base's, or None where held-out ones are on the base's side.

    `zero` are the pictures of the base that count as 0; None for `held_out` scores each training picture by the others.
    """
    points, sides = np.concatenate([training, base]), np.repeat([1.0, -1.0], [len(training), len(base)])
    middle = (training.mean(0) + base.mean(0)) / 2
    centred = points - middle
    products = centred @ centred.T
    balance = 2 * np.where(sides > 0, len(training), len(base)) / len(points)
    inverse = np.linalg.inv(products + RIDGE * np.trace(products) / len(points) * np.diag(balance))
    dual = inverse @ sides
    weights = centred.T @ dual
    left_out = sides - dual / np.diag(inverse)
    real = left_out[: len(training)].mean() if held_out is None else ((held_out - middle) @ weights).mean()
    nothing = ((zero - middle) @ weights).mean()
    return Probe(middle, weights, float(nothing), float(real)) if real > nothing else None
