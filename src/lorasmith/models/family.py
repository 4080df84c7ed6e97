"""The contract of a base model family: what training, sampling and adapters may ask of an opened base.

A family is a folder: `config` has its full-size parts and its usual settings as data, `base` a class that keeps this contract.
The registry is `models.checkpoint.FAMILIES`; the tests of the contract, tests/models/test_contract.py, run on all that stand there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    import torch

    from lorasmith.models.description import Description
    from lorasmith.models.diffusion import Diffusion
    from lorasmith.models.settings import Quantize
    from lorasmith.models.texts import EncodedTexts, TextOptions


@dataclass(frozen=True)
class FamilyDefaults:
    """What a family's users set, and the limits of it; rates are for AdamW at rank 8-32."""

    resolution: int  # side of the square it was made for, in pixels
    bucket_step: int  # sides of training pictures go in such steps, in pixels
    bucket_sides: tuple[int, int]  # shortest and longest side of a bucket, in pixels
    caption_style: str  # "sentences" or "tags"; fine-tuned bases differ
    max_token_lengths: tuple[int, ...]  # of a caption; the first is usual
    denoiser_lr: float
    text_encoder_lr: float  # 0: the text encoders are left alone
    steps: int  # of drawing
    cfg_scale: float  # classifier-free guidance; 1 is none
    guidance: float | None = None  # what a guidance-distilled model is told; None where it is told nothing


@dataclass(frozen=True)
class SizeConditioning:
    """Where a picture comes from, as SDXL is told: (width, height) and (left, top) in pixels.

    `original` is the file's size, `crop` the place of the bucket inside the resized picture, `target` the bucket.
    """

    original: tuple[int, int]
    crop: tuple[int, int]
    target: tuple[int, int]

    @classmethod
    def uncropped(cls, width: int, height: int) -> SizeConditioning:
        """A picture that was always of this size: what is asked for when drawing."""
        return cls((width, height), (0, 0), (width, height))


class Base(Protocol):
    """An opened base model; its weights are frozen, its modules in eval mode.

    Memory that a run needs no more can be given back: `free_text_encoders`, `free_autoencoder`. What asks for them afterwards gets a
    RunError.
    """

    family: str
    defaults: FamilyDefaults
    diffusion: Diffusion  # how it was noised, and what it predicts
    latent_channels: int
    latent_step: int  # pixels a latent covers on each side
    pixel_step: int  # sides of a picture must be multiples of this, in pixels
    native_resolution: int  # side of the square it was made for, in pixels
    fingerprints: Mapping[str, str]  # part -> hash of its weights and settings
    denoiser: str  # the part that predicts: "unet" or "transformer"
    parts: Mapping[str, torch.nn.Module]  # what can carry an adapter: the denoiser and the text encoders

    def count_tokens(self, caption: str) -> int:
        """Tokens of a caption, without the begin and end tokens."""
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
        """(n, 3, h, w) in [-1, 1] to latents, scaled as `predict` wants them."""
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

        `sizes` is read by SDXL (None: uncropped pictures of the latents' size), `guidance` by guidance-distilled models
        (None: the usual); the others take no notice of them.
        """
        ...

    def checkpoint_gradients(self) -> None:
        """From now on keep only what goes into each block for the gradient, and compute the block again when that is due.

        The gradients are the same; a step takes about a third longer and far less memory. Text encoders that learn are included.
        """
        ...

    def free_text_encoders(self) -> None:
        """Give the text encoders' memory back, once all captions are encoded; they are no longer among `parts`.

        Captions can still be counted. Drawing encodes its prompts, so samples want theirs encoded before.
        """
        ...

    def free_autoencoder(self) -> None:
        """Give the autoencoder's memory back, once all latents are made; drawing needs it for its pictures."""
        ...


class Family(Protocol):
    """The class of a family's bases."""

    family: str

    @classmethod
    def open(cls, description: Description, dtype: torch.dtype, device: str = "cpu", quantize: Quantize = "none") -> Self:
        """Open a base; weights are read straight to `dtype` and `device`, or packed there, the autoencoder's always to float32."""
        ...
