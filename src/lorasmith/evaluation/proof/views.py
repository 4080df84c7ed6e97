"""Pictures as the base sees them: its features, their latents, their layout; see `measures.spaces`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from lorasmith.draws import generator_for
from lorasmith.evaluation.measures.spaces import ENCODER, FEATURES, LATENTS, LAYOUT, Points, Views, layout, normalised, scaled
from lorasmith.evaluation.proof.denoising import timesteps_at
from lorasmith.evaluation.proof.image_encoder import ImageEncoder
from lorasmith.evaluation.proof.work import Work
from lorasmith.models.base import Base, SizeConditioning
from lorasmith.models.diffusion import add_noise
from lorasmith.models.texts import EncodedTexts, TextOptions

FEATURE_SIGMA = 0.2505
"""Little noise, that of timestep 60 of Stable Diffusion: what is drawn is still there, and the base still sees more than pixels."""
MOST_BLOCKS = 16
"""Blocks whose activations are read, evenly spread; large models have many more, which say much the same."""


@dataclass(frozen=True, eq=False)
class Seen:
    """Pictures of one size: `latents` (n, c, h, w), `features` (n, d) unscaled, `layouts` (n, 192), `encoded` (n, d) by an encoder."""

    latents: torch.Tensor
    features: np.ndarray
    layouts: np.ndarray
    encoded: Points | None = None

    def __len__(self) -> int:
        return len(self.latents)

    def __getitem__(self, numbers: Sequence[int]) -> Seen:
        """Some of the pictures."""
        some = list(numbers)
        encoded = None if self.encoded is None else self.encoded[some]
        return Seen(self.latents[some], self.features[some], self.layouts[some], encoded)

    def views(self, reference: np.ndarray) -> Views:
        """As points; `reference` are the features that all are scaled by."""
        latents = normalised(self.latents.numpy())
        own = {FEATURES: scaled(self.features, reference), LATENTS: latents, LAYOUT: self.layouts}
        return own if self.encoded is None else own | {ENCODER: self.encoded}


@torch.no_grad()
def look_at(
    base: Base, pictures: Sequence[Image.Image], options: TextOptions, batch_size: int, work: Work, encoder: ImageEncoder | None = None
) -> Seen:
    """What the base, without a LoRA on it, and an encoder see in one picture or more, all of one size."""
    latents, features = [], []
    empty = base.encode_texts([""], options)
    for first in range(0, len(pictures), batch_size):
        work.check()
        part = pictures[first : first + batch_size]
        latents.append(base.encode_pixels(pixels_of(part)).float().cpu())
        features.append(_features(base, latents[-1], empty, SizeConditioning.uncropped(*part[0].size)))
        work.did(len(part))
    encoded = None if encoder is None else encoder.encode(pictures)
    return Seen(torch.cat(latents), torch.cat(features).numpy(), layout(pictures), encoded)


def pixels_of(pictures: Sequence[Image.Image]) -> torch.Tensor:
    """(n, 3, h, w) in [-1, 1]."""
    return torch.from_numpy(np.stack([np.asarray(picture.convert("RGB")) for picture in pictures])).permute(0, 3, 1, 2).float() / 127.5 - 1


def _features(base: Base, latents: torch.Tensor, empty: EncodedTexts, size: SizeConditioning) -> torch.Tensor:
    """(n, d): mean and spread over all places of each channel of the blocks. The noise is the same for every picture."""
    noise = torch.randn(latents.shape[1:], generator=generator_for("proof features")).expand_as(latents)
    timesteps = timesteps_at(base, [FEATURE_SIGMA] * len(latents))
    noisy = add_noise(latents, noise, base.diffusion.levels(timesteps))
    with _recorded(blocks_of(base.parts[base.denoiser])) as found:
        base.predict(noisy, timesteps, EncodedTexts.cat([empty] * len(latents)), [size] * len(latents))
    of_pictures = [moments for moments in found if len(moments) == len(latents)]  # some blocks read each word of the captions apart
    return torch.cat(of_pictures, dim=1)


def blocks_of(denoiser: nn.Module) -> list[nn.Module]:
    """Its blocks: the members of its outermost lists of modules, in their order; at most `MOST_BLOCKS` of them."""
    found: list[nn.Module] = []
    for child in denoiser.children():
        found += child if isinstance(child, nn.ModuleList) else blocks_of(child) if not _is_leaf(child) else []
    chosen = np.linspace(0, len(found) - 1, min(MOST_BLOCKS, len(found))).round().astype(int)
    return [found[k] for k in chosen]


def _is_leaf(module: nn.Module) -> bool:
    return next(module.children(), None) is None


@contextmanager
def _recorded(blocks: Sequence[nn.Module]) -> Iterator[list[torch.Tensor]]:
    """Within the block, what a prediction makes of each block goes to the list, (n, 2 channels) each."""
    found: list[torch.Tensor] = []

    def record(module: nn.Module, args: Any, output: Any) -> None:
        tensors = [output] if isinstance(output, torch.Tensor) else output
        found.extend(_moments(tensor) for tensor in tensors if isinstance(tensor, torch.Tensor))

    handles = [block.register_forward_hook(record) for block in blocks]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _moments(activations: torch.Tensor) -> torch.Tensor:
    """Mean and spread over places, (n, 2 channels), of (n, channels, h, w) or (n, tokens, channels)."""
    places = (2, 3) if activations.ndim == 4 else (1,)
    values = activations.float()
    return torch.cat([values.mean(places), values.std(places)], dim=1).cpu()
