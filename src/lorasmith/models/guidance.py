"""Classifier-free guidance (Ho and Salimans 2022, https://arxiv.org/abs/2207.12598): two predictions combined, as pure functions.

A base chooses one: `Base.guided`. `negative` is the prediction for the negative prompt, `positive` for the prompt, (n, c, h, w) each.
"""

from __future__ import annotations

import torch


def classifier_free(negative: torch.Tensor, positive: torch.Tensor, cfg_scale: float) -> torch.Tensor:
    """negative + cfg_scale (positive - negative); 1 gives the prompt's prediction alone."""
    return negative + cfg_scale * (positive - negative)


def norm_kept(negative: torch.Tensor, positive: torch.Tensor, cfg_scale: float, patch: int = 2) -> torch.Tensor:
    """`classifier_free`, each token of `patch` x `patch` latent pixels scaled back to the length that it has for the prompt alone."""
    from torch.nn.functional import pixel_shuffle, pixel_unshuffle

    combined, alone = (pixel_unshuffle(one, patch) for one in (classifier_free(negative, positive, cfg_scale), positive))
    scale = alone.norm(dim=1, keepdim=True) / combined.norm(dim=1, keepdim=True).clamp_min(torch.finfo(combined.dtype).tiny)
    return pixel_shuffle(combined * scale, patch)
