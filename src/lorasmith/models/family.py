"""The contract of a base model family: what training, sampling and adapters may ask of an opened base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch


class Base(Protocol):
    """An opened base model; its weights are frozen, its modules in eval mode."""

    family: str
    prediction_type: str  # "epsilon" or "v_prediction"
    alphas_cumprod: torch.Tensor  # float32 (1000,), the noise schedule
    scheduler_config: Mapping[str, Any]  # as diffusers writes it
    latent_channels: int
    latent_step: int  # pixels a latent covers on each side
    pixel_step: int  # sides of a picture must be multiples of this, in pixels
    native_resolution: int  # side of the square it was made for, in pixels
    fingerprints: Mapping[str, str]  # part -> hash of its weights and settings
    parts: Mapping[str, torch.nn.Module]  # what can carry an adapter: "unet", "text_encoder"
    max_tokens: int  # of one caption, without the begin and end tokens

    def count_tokens(self, caption: str) -> int:
        """Tokens of a caption, without the begin and end tokens."""
        ...

    def encode_pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) in [-1, 1] to latents, scaled as `predict` wants them."""
        ...

    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents to pixels (n, 3, h, w) in [-1, 1]."""
        ...

    def encode_texts(self, captions: Sequence[str], clip_skip: int) -> torch.Tensor:
        """Captions to the states that `predict` reads; carries gradients where an adapter is attached."""
        ...

    def predict(self, noisy: torch.Tensor, timesteps: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        """The model's prediction for noisy latents at integer timesteps (n,)."""
        ...
