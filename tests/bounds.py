"""How far two floating-point computations of one number may lie apart, by the arithmetic alone.

Every CPU rounds alike but none adds up in the same order, and fused, vectorised and approximated functions round at other places.
So a bound is not a digit that held on one machine. Each rounding is off by at most eps/2 times the size of the number that is
rounded; after n roundings on either side, two results differ by at most n * eps times the size of the largest number on the way
(Higham, Accuracy and Stability of Numerical Algorithms, chapter 3). Where numbers cancel, the way is larger than the result:
then `terms` says how large it was.
"""

from __future__ import annotations

import torch

FUNCTION = 4
"""Roundings that exp, sin, sqrt and their like count for: vector libraries promise 4 units in the last place, not half a one."""

SCHEDULE = 1000
"""Roundings of a product over all timesteps, as the cumulative alphas are. Most tests take the reference's alphas instead."""


def rounding_bound(terms: torch.Tensor, roundings: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """The largest difference of two results in `dtype`, each with so many `roundings` of numbers up to the size of `terms`."""
    return roundings * torch.finfo(dtype).eps * terms.detach().double().abs()


def assert_within_rounding(
    found: torch.Tensor | float,
    expected: torch.Tensor | float,
    *,
    roundings: int,
    terms: torch.Tensor | float | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Fails where `found` and `expected` differ by more than rounding explains, and says by how many times more.

    `roundings` counts the operations in a row that lead to one number; a sum of n counts n. `terms`, of a shape that broadcasts,
    is the size of the largest numbers that were added or cancelled; without it nothing cancels, and the result's own size counts.
    """
    found, expected = (torch.as_tensor(value, dtype=torch.float64).detach() for value in (found, expected))
    assert found.shape == expected.shape, f"{tuple(found.shape)} and {tuple(expected.shape)} are different shapes"
    size = torch.maximum(found.abs(), expected.abs()) if terms is None else torch.as_tensor(terms, dtype=torch.float64)
    allowed = rounding_bound(size, roundings, dtype).expand_as(found)
    difference = (found - expected).abs()
    wrong = ~(difference <= allowed)  # a NaN is wrong too
    if wrong.any():
        worst = (difference / allowed.clamp(min=torch.finfo(torch.float64).tiny)).where(wrong, torch.zeros(())).argmax()
        raise AssertionError(
            f"{int(wrong.sum())} of {wrong.numel()} numbers differ by more than {roundings} roundings of {dtype}; at {int(worst)}: "
            f"found {found.flatten()[worst].item():.9g}, expected {expected.flatten()[worst].item():.9g}, "
            f"allowed is a difference of {allowed.flatten()[worst].item():.3g}"
        )
