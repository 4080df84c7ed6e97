"""TIES: networks are merged where they agree (Yadav et al. 2023, TIES-Merging, https://arxiv.org/abs/2306.01708, section 4).

    trim     of each change t_i the share `density` of its numbers that are largest in size stays, the others are 0
    elect    at each place the sign of the sum over all networks wins: s = sgn(sum_i t_i)
    merge    at each place the mean over the networks that have a number of that sign there:  t = sum_i [sgn(t_i) = s] t_i / count

The paper scales the result by lambda; here each change has its ratio before anything is added, so that a network may count more than
another. Trimming is within a layer, not over the whole network at once: a layer of small numbers keeps its share.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def ties(changes: Sequence[Tensor], density: float) -> Tensor:
    """The merged change of one layer, from changes of one shape that carry their ratios."""
    kept = torch.stack([trimmed(change, density) for change in changes])
    agree = (kept.sign() == kept.sum(0).sign()) & (kept != 0)
    return (kept * agree).sum(0) / agree.sum(0).clamp(min=1)


def trimmed(change: Tensor, density: float) -> Tensor:
    """The change with the share `density` of its numbers, at least one, that are largest in size; the others are 0."""
    count = max(1, round(density * change.numel()))
    largest = change.flatten().abs().topk(count).indices
    kept = torch.zeros_like(change).flatten()
    kept[largest] = change.flatten()[largest]
    return kept.view_as(change)
