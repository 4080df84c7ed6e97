"""Pixels to latents and back, through the family's autoencoder."""

from __future__ import annotations

from typing import Any

import torch


class Autoencoder:
    """A VAE with its scale and shift: latents are (z - shift) * scale, about as wide as normal noise."""

    def __init__(self, vae: Any):
        self.vae = vae
        self.scale: float = vae.config.scaling_factor
        self.shift: float = vae.config.shift_factor or 0.0
        self.channels: int = vae.config.latent_channels
        self.step: int = 2 ** (len(vae.config.block_out_channels) - 1)

    @torch.no_grad()
    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) in [-1, 1] to latents; the mode of the posterior: the same picture gives the same latent."""
        latents = self.vae.encode(pixels.to(self.vae.device, self.vae.dtype)).latent_dist.mode()
        return (latents - self.shift) * self.scale

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents to pixels in [-1, 1]."""
        z = latents.to(self.vae.device, self.vae.dtype) / self.scale + self.shift
        return self.vae.decode(z).sample.clamp(-1, 1)
