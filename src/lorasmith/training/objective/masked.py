"""From a loss for every element to one for each sample: the mean over all places, or over those that a mask lets count."""

from __future__ import annotations

import torch

from lorasmith.models.transfer import to_device


def sample_mean(loss: torch.Tensor) -> torch.Tensor:
    """Mean over everything but the batch: (n,)."""
    return loss.flatten(1).mean(1)


def masked(loss: torch.Tensor, mask: torch.Tensor, unmasked_weight: float = 0.0) -> torch.Tensor:
    """The loss (n, c, h, w) times a mask (n, 1, H, W) of 0-1, averaged down to the loss's size; 0 counts `unmasked_weight`, 1 counts 1."""
    return loss * _cells(mask, loss, unmasked_weight)


def masked_mean(loss: torch.Tensor, mask: torch.Tensor, unmasked_weight: float = 0.0, normalize_area: bool = False) -> torch.Tensor:
    """(n,): the mean of the masked loss over a sample, or over what counts of it, so that small parts count as much as large ones.

    Where nothing counts it is 0.
    """
    weights = _cells(mask, loss, unmasked_weight)
    area = sample_mean(weights)
    mean = sample_mean(loss * weights)
    return mean / area.where(area > 0, 1.0) if normalize_area else mean


def _cells(mask: torch.Tensor, loss: torch.Tensor, unmasked_weight: float) -> torch.Tensor:
    """How much each place of a loss counts, (n, 1, h, w)."""
    cells = torch.nn.functional.interpolate(to_device(mask, loss.device, loss.dtype), size=loss.shape[-2:], mode="area")
    return unmasked_weight + (1 - unmasked_weight) * cells
