"""Captions of one length go through a transformer together, so that it needs no mask; docs/decisions/0065 says why."""

from __future__ import annotations

from collections.abc import Callable

import torch

from lorasmith.models.texts import EncodedTexts

Predict = Callable[[torch.Tensor, torch.Tensor, EncodedTexts], torch.Tensor]
"""(noisy latents (n, ...), timesteps (n,), texts of one length) to predictions (n, ...)."""


def each_length(predict: Predict, noisy: torch.Tensor, timesteps: torch.Tensor, texts: EncodedTexts) -> torch.Tensor:
    """The predictions for captions of any lengths, in their order."""
    together = texts.of_one_length()
    if len(together) == 1:
        return predict(noisy, timesteps, texts)
    rows: dict[int, torch.Tensor] = {}
    for chosen in together:
        rows |= zip(chosen, predict(noisy[chosen], timesteps[chosen], texts[chosen]), strict=True)
    return torch.stack([rows[k] for k in range(len(noisy))])
