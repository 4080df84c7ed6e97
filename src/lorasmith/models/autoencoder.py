"""Pixels to latents and back: one class for each way in which autoencoders' latents are normalised.

Latents are about as wide as normal noise after that, which is what a denoiser reads. They are always (n, channels, h, w).
"""

from __future__ import annotations

from typing import Any, Protocol

import torch


class Autoencoder(Protocol):
    """A family's autoencoder with its normalisation."""

    vae: Any
    channels: int  # of latents, as the denoiser reads them
    step: int  # pixels a latent covers on each side

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) in [-1, 1] to latents; the mode of the posterior: the same picture gives the same latent."""
        ...

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents to pixels in [-1, 1]."""
        ...


class ScaledAutoencoder:
    """One scale and shift, from the autoencoder's config: latents are (z - shift) scale."""

    def __init__(self, vae: Any):
        self.vae = vae
        self.scale: float = vae.config.scaling_factor
        self.shift: float = vae.config.shift_factor or 0.0
        self.channels: int = vae.config.latent_channels
        self.step: int = 2 ** (len(vae.config.block_out_channels) - 1)

    @torch.no_grad()
    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        latents = self.vae.encode(pixels.to(self.vae.device, self.vae.dtype)).latent_dist.mode()
        return (latents - self.shift) * self.scale

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        z = latents.to(self.vae.device, self.vae.dtype) / self.scale + self.shift
        return self.vae.decode(z).sample.clamp(-1, 1)


class ChannelwiseAutoencoder:
    """A mean and a standard deviation for each channel, and an axis of frames inside: a video model that is used for pictures.

    Latents are (z - mean[c]) / std[c]. The modules are those of diffusers with `latents_mean` and `latents_std` in their config
    (AutoencoderKLQwenImage and AutoencoderKLWan).
    """

    def __init__(self, vae: Any):
        self.vae = vae
        self.mean, self.std = (torch.tensor(values).view(-1, 1, 1) for values in (vae.config.latents_mean, vae.config.latents_std))
        self.channels: int = vae.config.z_dim
        self.step: int = 2 ** len(vae.config.temperal_downsample)

    @torch.no_grad()
    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        frames = pixels.to(self.vae.device, self.vae.dtype)[:, :, None]
        latents = self.vae.encode(frames).latent_dist.mode()[:, :, 0]
        return (latents - self.mean.to(latents)) / self.std.to(latents)

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        latents = latents.to(self.vae.device, self.vae.dtype)
        z = latents * self.std.to(latents) + self.mean.to(latents)
        return self.vae.decode(z[:, :, None]).sample[:, :, 0].clamp(-1, 1)


class PatchedAutoencoder:
    """2 x 2 latents folded into the channels, then normalised by the running statistics of a batch norm (AutoencoderKLFlux2)."""

    def __init__(self, vae: Any):
        self.vae = vae
        self.patch: int = vae.config.patch_size[0]
        self.channels: int = vae.config.latent_channels * self.patch**2
        self.step: int = self.patch * 2 ** (len(vae.config.block_out_channels) - 1)

    def _statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        norm = self.vae.bn
        return norm.running_mean.view(-1, 1, 1), (norm.running_var + self.vae.config.batch_norm_eps).sqrt().view(-1, 1, 1)

    @torch.no_grad()
    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        latents = self.vae.encode(pixels.to(self.vae.device, self.vae.dtype)).latent_dist.mode()
        mean, std = self._statistics()
        return (torch.nn.functional.pixel_unshuffle(latents, self.patch) - mean) / std

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        mean, std = self._statistics()
        z = torch.nn.functional.pixel_shuffle(latents.to(self.vae.device, self.vae.dtype) * std + mean, self.patch)
        return self.vae.decode(z).sample.clamp(-1, 1)
