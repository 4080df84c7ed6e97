"""DARE: most numbers of each change are dropped at random, and the rest is scaled up (Yu et al. 2023, Language Models are Super Mario,
https://arxiv.org/abs/2311.03099, section 3.2).

    t_i' = m_i * t_i / density        m_i: each number stays with the probability `density` (1 - p in the paper)
    t    = sum_i t_i'

The expectation of each number is what it was, so that networks get out of each other's way without becoming weaker.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def dare(changes: Sequence[Tensor], density: float, generators: Sequence[torch.Generator]) -> Tensor:
    """The merged change of one layer, from changes of one shape that carry their ratios; one CPU generator for each of them."""
    return torch.stack([thinned(change, density, generator) for change, generator in zip(changes, generators, strict=True)]).sum(0)


def thinned(change: Tensor, density: float, generator: torch.Generator) -> Tensor:
    """The change with each number dropped with the probability 1 - density, and the others over `density`."""
    stays = torch.rand(change.shape, generator=generator).to(change.device) < density
    return change * stays / density
