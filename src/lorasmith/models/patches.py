"""Latents as the tokens of a transformer: each is a patch of 2 x 2 latent pixels with all their channels. Pure functions."""

from __future__ import annotations

import torch


def pack(latents: torch.Tensor) -> torch.Tensor:
    """(n, c, h, w) to tokens (n, h/2 * w/2, 4 c); the four pixels of a patch run fastest, row by row."""
    return torch.nn.functional.pixel_unshuffle(latents, 2).flatten(2).transpose(1, 2)


def unpack(tokens: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """What `pack` made of latents of `height` and `width`, back to latents."""
    return torch.nn.functional.pixel_shuffle(tokens.transpose(1, 2).unflatten(2, (height // 2, width // 2)), 2)


def image_ids(height: int, width: int) -> torch.Tensor:
    """(h/2 * w/2, 3) float32: (0, row, column) of each token of latents of `height` and `width`."""
    rows, columns = torch.meshgrid(torch.arange(height // 2), torch.arange(width // 2), indexing="ij")
    return torch.stack([torch.zeros_like(rows), rows, columns], dim=-1).flatten(0, 1).float()
