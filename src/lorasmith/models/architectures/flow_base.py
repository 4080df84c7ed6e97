"""What the opened bases with a transformer that was trained by flow matching share: latents, sizes, memory, and how one is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, Self

import torch

from lorasmith.models.autoencoder import Autoencoder, ScaledAutoencoder
from lorasmith.models.description import Description
from lorasmith.models.diffusion import Flow
from lorasmith.models.family import Family
from lorasmith.models.files.hashes import fingerprints
from lorasmith.models.files.weights import load_parts
from lorasmith.models.guidance import classifier_free
from lorasmith.models.memory import Freeable, checkpoint_blocks
from lorasmith.models.settings import Quantize
from lorasmith.models.tokenizers import load_tokenizer


class TextEncoder(Protocol):
    """A text encoder of an opened base, with or without its tokenizer."""

    def free(self) -> None:
        """Free the module's memory."""
        ...


class FlowBase:
    """A base with a transformer; a family adds its record, how it reads captions and what it gives the transformer. See `models.base.Base`."""

    record: ClassVar[Family]
    normalise: ClassVar[Callable[[Any], Autoencoder]] = ScaledAutoencoder
    """The autoencoder's module -> with the normalisation of its latents."""
    guided = staticmethod(classifier_free)

    def __init__(
        self,
        modules: Mapping[str, Any],
        tokenizers: Mapping[str, Any],
        diffusion: Flow,
        fingerprints: Mapping[str, str],
        variant: str = "",
    ):
        self.family, self.denoiser, self.defaults = self.record.name, self.record.denoiser, self.record.variant(variant).defaults
        self.parts: dict[str, Any] = {name: module for name, module in modules.items() if name != "vae"}
        self.transformer = modules[self.denoiser]
        self.diffusion, self.fingerprints = diffusion, fingerprints
        self.text_encoders: list[TextEncoder] = []
        self._autoencoder: Freeable[Autoencoder] = Freeable(type(self).normalise(modules["vae"]), "autoencoder")
        self.latent_channels, self.latent_step = self.autoencoder.channels, self.autoencoder.step
        sizes = self.record.sizes({name: module.config for name, module in modules.items()})
        self.pixel_step, self.native_resolution = sizes.pixel_step, sizes.native

    @classmethod
    def open(
        cls, description: Description, dtype: torch.dtype, device: str = "cpu", quantize: Quantize = "none", blocks_to_swap: int = 0
    ) -> Self:
        """Open a base; weights are read straight to `dtype` and `device`, or quantised there, the autoencoder's always to float32."""
        modules = load_parts(description, cls.record.usual.parts, dtype, device, quantize, blocks_to_swap)
        cls.refuse_special(description, modules)
        tokenizers = {name: load_tokenizer(description, name) for name in cls.record.tokenizers}
        return cls(modules, tokenizers, Flow(description.scheduler[1]), fingerprints(description, quantize), description.variant)

    @classmethod
    def refuse_special(cls, description: Description, modules: Mapping[str, Any]) -> None:
        """Raises BaseModelError where the parts are not those of a plain base of the family."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.native_resolution} pixels, {self.transformer.dtype}, {self.transformer.device})"

    @property
    def autoencoder(self) -> Autoencoder:
        """Raises RunError once it is freed."""
        return self._autoencoder.module

    def checkpoint_gradients(self) -> None:
        for part in self.parts.values():
            checkpoint_blocks(part)

    def free_text_encoders(self) -> None:
        self.parts = {self.denoiser: self.transformer}
        for encoder in self.text_encoders:
            encoder.free()

    def free_autoencoder(self) -> None:
        self._autoencoder.free()

    def encode_pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.autoencoder.encode(pixels)

    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        return self.autoencoder.decode(latents)

    def tokens(self, height: int, width: int) -> int:
        """Patches of 2 x 2 latents."""
        return (height // 2) * (width // 2)
