"""How far a mean of few numbers can be trusted.

Numbers are taken to be drawn from a normal distribution of unknown variance (Student 1908), so that a mean over n pictures is given
with the margin

    t(n - 1) s / sqrt(n)            s the standard deviation of the numbers

and the interval mean - margin ... mean + margin contains the true mean in 95 of 100 such cases, also with three pictures. Where the
same pictures are measured twice, the numbers are each picture's difference from itself, so that how pictures differ costs nothing.
Means over different pictures are compared after Welch (1947), who does not assume that both have the same variance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, variance

import numpy as np

CONFIDENCE = 0.95

Estimate = tuple[float, float | None]
"""A number, and how far from it on both sides the truth may be; None where that cannot be said."""


def mean_with_margin(numbers: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """The mean of one number or more."""
    count = len(numbers)
    if count < 2:
        return fmean(numbers), None
    return fmean(numbers), t_quantile(count - 1, confidence) * math.sqrt(variance(numbers) / count)


def difference_of_means(a: Sequence[float], b: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """mean(a) - mean(b) of numbers that are not in pairs."""
    difference = fmean(a) - fmean(b)
    if len(a) < 2 or len(b) < 2:
        return difference, None
    part_a, part_b = variance(a) / len(a), variance(b) / len(b)
    if part_a + part_b == 0:
        return difference, 0.0
    freedom = (part_a + part_b) ** 2 / (part_a**2 / (len(a) - 1) + part_b**2 / (len(b) - 1))
    return difference, t_quantile(freedom, confidence) * math.sqrt(part_a + part_b)


def t_quantile(freedom: float, confidence: float) -> float:
    """The share `confidence` (0-1) of Student's t with `freedom` degrees of freedom (1 or more) is between minus and plus this.

    With t = sqrt(f) tan(x), the density of t is cos(x)^(f - 1) in x, which is integrated numerically; accurate to 1e-4.
    """
    x = np.linspace(0, math.pi / 2, 20_001)
    density = np.cos(x) ** (freedom - 1)
    share = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    return math.sqrt(freedom) * math.tan(float(np.interp(confidence, share / share[-1], x)))
