"""What every opened base has: its parts, the autoencoder with its latents, sizes, memory that can be freed, and how it is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, Self

import torch

from lorasmith.models.autoencoder import Autoencoder, ScaledAutoencoder
from lorasmith.models.description import Description
from lorasmith.models.family import Family
from lorasmith.models.files.hashes import fingerprints
from lorasmith.models.files.weights import load_parts
from lorasmith.models.guidance import classifier_free
from lorasmith.models.memory import Freeable, checkpoint_block, checkpoint_blocks
from lorasmith.models.settings import Quantize
from lorasmith.models.tokenizers import load_tokenizers


class TextEncoder(Protocol):
    """A text encoder of an opened base, with or without its tokenizer."""

    def free(self) -> None:
        """Free the module's memory."""
        ...


class OpenedBase:
    """A base whose weights are read. Those with a U-Net and those with a transformer add what they predict by, and a family the rest: its
    record, how it reads captions, and what it gives the denoiser. See `models.base.Base`."""

    record: ClassVar[Family]
    uncheckpointed: ClassVar[tuple[str, ...]] = ()
    """Paths of the denoiser's lists of blocks that the library's own gradient checkpointing leaves out."""
    normalise: ClassVar[Callable[..., Autoencoder]] = ScaledAutoencoder
    """The autoencoder's module -> with the normalisation of its latents."""
    guided = staticmethod(classifier_free)

    def __init__(
        self,
        modules: Mapping[str, Any],
        tokenizers: Mapping[str, Any],
        diffusion: Any,
        fingerprints: Mapping[str, str],
        variant: str = "",
    ):
        self.family, self.denoiser, self.defaults = self.record.name, self.record.denoiser, self.record.variant(variant).defaults
        self.parts: dict[str, Any] = {name: module for name, module in modules.items() if name != "vae"}
        self.diffusion, self.fingerprints = diffusion, fingerprints
        self._autoencoder: Freeable[Autoencoder] = Freeable(type(self).normalise(modules["vae"]), "autoencoder")
        self.latent_channels, self.latent_step = self.autoencoder.channels, self.autoencoder.step
        sizes = self.record.sizes({name: module.config for name, module in modules.items()})
        self.pixel_step, self.native_resolution = sizes.pixel_step, sizes.native
        self.text_encoders: list[TextEncoder] = []
        self.take_parts(modules, tokenizers)

    def take_parts(self, modules: Mapping[str, Any], tokenizers: Mapping[str, Any]) -> None:
        """Take what a kind of base has besides: its denoiser by its own name, and its text encoders with their tokenizers."""

    @classmethod
    def open(
        cls, description: Description, dtype: torch.dtype, device: str = "cpu", quantize: Quantize = "none", blocks_to_swap: int = 0
    ) -> Self:
        """Open a base; weights are read straight to `dtype` and `device`, or quantised there, the autoencoder's always to float32."""
        modules = load_parts(description, description.needed_parts, dtype, device, quantize, blocks_to_swap)
        cls.refuse_special(description, modules)
        tokenizers = load_tokenizers(description)
        diffusion = cls.diffusion_of(description.scheduler[1])
        return cls(modules, tokenizers, diffusion, fingerprints(description, quantize), description.variant)

    @classmethod
    def diffusion_of(cls, scheduler: Mapping[str, Any]) -> Any:
        """The process that a base was trained for, by the settings of its noise scheduler."""
        raise NotImplementedError

    @classmethod
    def refuse_special(cls, description: Description, modules: Mapping[str, Any]) -> None:
        """Raises BaseModelError where the parts are not those of a plain base of the family."""

    @property
    def autoencoder(self) -> Autoencoder:
        """Raises RunError once it is freed."""
        return self._autoencoder.module

    def checkpoint_gradients(self) -> None:
        for part in self.parts.values():
            checkpoint_blocks(part)
        for path in self.uncheckpointed:
            for block in self.parts[self.denoiser].get_submodule(path).children():
                checkpoint_block(block)

    def free_text_encoders(self) -> None:
        self.parts = {self.denoiser: self.parts[self.denoiser]}
        for encoder in self.text_encoders:
            encoder.free()

    def free_autoencoder(self) -> None:
        self._autoencoder.free()

    def as_negative(self, prompt: str) -> str:
        return prompt

    def encode_pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.autoencoder.encode(pixels)

    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        return self.autoencoder.decode(latents)
