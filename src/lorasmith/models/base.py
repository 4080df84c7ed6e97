"""The contract of an opened base model: what training, sampling and adapters may ask of one.

Each family has a class that implements it, named by its record (`models.family.Family.base_class`). The tests of the contract,
tests/models/test_contract.py, run on all families of the registry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from lorasmith.models.diffusion import Diffusion
from lorasmith.models.family import FamilyDefaults
from lorasmith.models.texts import USUAL, EncodedTexts, TextOptions


@dataclass(frozen=True)
class SizeConditioning:
    """Where a picture comes from, as an input of the denoiser: (width, height) and (left, top) in pixels.

    `original` is the file's size, `crop` the place of the bucket inside the resized picture, `target` the bucket.
    """

    original: tuple[int, int]
    crop: tuple[int, int]
    target: tuple[int, int]

    @classmethod
    def uncropped(cls, width: int, height: int) -> SizeConditioning:
        """A picture that was always of this size: what is asked for when generating."""
        return cls((width, height), (0, 0), (width, height))


class Base(Protocol):
    """An opened base model; its weights are frozen, its modules in eval mode.

    Latents are always (n, channels, height, width), in caches and in training steps too: an axis that a model has besides (frames) is
    added inside. `predict` answers in the terms of `diffusion` (a flow model: noise - picture) whatever the module itself says.

    Memory that a run does not need any more can be freed: `free_text_encoders`, `free_autoencoder`. What asks for them afterwards gets
    a RunError.
    """

    family: str
    defaults: FamilyDefaults
    diffusion: Diffusion  # how it was noised, and what it predicts
    latent_channels: int
    latent_step: int  # pixels a latent covers on each side
    pixel_step: int  # sides of a picture must be multiples of this, in pixels
    native_resolution: int  # side of the square it was made for, in pixels
    fingerprints: Mapping[str, str]  # part -> hash of its weights and settings
    denoiser: str  # the part that predicts
    parts: Mapping[str, torch.nn.Module]  # what can carry an adapter: the denoiser and the text encoders

    def tokens(self, height: int, width: int) -> int:
        """How many tokens the denoiser makes of latents of `height` and `width`."""
        ...

    def guided(self, negative: torch.Tensor, positive: torch.Tensor, cfg_scale: float) -> torch.Tensor:
        """Two predictions, (n, c, h, w) each, combined by classifier-free guidance; a function of `models.guidance`."""
        ...

    def as_negative(self, prompt: str) -> str:
        """A negative prompt as `encode_texts` is given it: where its family reads it in another way than a caption, this says so."""
        ...

    def count_tokens(self, caption: str, options: TextOptions = USUAL) -> int:
        """Tokens that a caption takes of `max_tokens`, without the begin and end tokens."""
        ...

    def max_tokens(self, options: TextOptions) -> int:
        """The most tokens of a caption that are read, without the begin and end tokens."""
        ...

    def encode_texts(self, captions: Sequence[str], options: TextOptions) -> EncodedTexts:
        """Captions to what `predict` reads; carries gradients where an adapter is attached.

        Raises SettingsError where the options are not for this family, RunError once the text encoders are freed.
        """
        ...

    def encode_pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) in [-1, 1] to latents, normalised as `predict` reads them."""
        ...

    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents to pixels (n, 3, h, w) in [-1, 1]."""
        ...

    def predict(
        self,
        noisy: torch.Tensor,
        timesteps: torch.Tensor,
        texts: EncodedTexts,
        sizes: Sequence[SizeConditioning] | None = None,
        guidance: float | None = None,
    ) -> torch.Tensor:
        """The model's prediction for noisy latents at timesteps (n,).

        `sizes` is for models with such an input (None: uncropped pictures of the latents' size), `guidance` for guidance-distilled ones
        (None: the usual); the others ignore them.
        """
        ...

    def checkpoint_gradients(self) -> None:
        """From now on keep only the input of each block for the gradient, and compute the block again when that is due.

        The gradients are the same; a step takes about a third longer and far less memory. Text encoders that learn are included.
        """
        ...

    def free_text_encoders(self) -> None:
        """Free the text encoders' memory, once all captions are encoded; they are no longer among `parts`.

        Captions can still be counted. Sampling encodes its prompts, so they must be encoded before.
        """
        ...

    def free_autoencoder(self) -> None:
        """Free the autoencoder's memory, once all latents are made; sampling needs it for its pictures."""
        ...
