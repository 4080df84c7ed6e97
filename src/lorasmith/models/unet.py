"""What the families with a U-Net share: latents, sizes, and the U-Net's answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import torch

from lorasmith.errors import BaseModelError
from lorasmith.models.autoencoder import Autoencoder
from lorasmith.models.clip import CHUNK, Clip, chunk_count
from lorasmith.models.description import Description
from lorasmith.models.diffusion import Ddpm
from lorasmith.models.family import FamilyDefaults, SizeConditioning
from lorasmith.models.files.weights import load_parts
from lorasmith.models.memory import Freeable, checkpoint_blocks
from lorasmith.models.parts import Part
from lorasmith.models.quantize import fingerprints_as_opened
from lorasmith.models.settings import Quantize
from lorasmith.models.texts import EncodedTexts, TextOptions
from lorasmith.models.tokenizers import load_tokenizer


class UnetBase:
    """A base with a U-Net; a family adds how it reads captions. See `models.family.Base`."""

    family: ClassVar[str]
    defaults: FamilyDefaults
    part_kinds: ClassVar[Mapping[str, Part]]
    tokenizers: ClassVar[Mapping[str, tuple[str, Any]]]
    denoiser = "unet"

    def __init__(self, modules: Mapping[str, Any], tokenizers: Mapping[str, Any], diffusion: Ddpm, fingerprints: Mapping[str, str]):
        self.parts: dict[str, Any] = {name: module for name, module in modules.items() if name != "vae"}
        self.unet = modules["unet"]
        self.diffusion = diffusion
        self.fingerprints = fingerprints
        self._autoencoder = Freeable(Autoencoder(modules["vae"]), "autoencoder")
        self.clip = Clip(modules["text_encoder"], tokenizers["tokenizer"])
        self.clips = [self.clip]
        self.latent_channels = self.autoencoder.channels
        self.latent_step = self.autoencoder.step
        self.pixel_step: int = self.latent_step * 2 ** (len(self.unet.config.block_out_channels) - 1)
        self.native_resolution: int = self.unet.config.sample_size * self.latent_step

    @classmethod
    def open(cls, description: Description, dtype: torch.dtype, device: str = "cpu", quantize: Quantize = "none") -> Self:
        modules = load_parts(description, cls.part_kinds, dtype, device, quantize)
        unet, vae = modules["unet"], modules["vae"]
        if unet.config.in_channels != vae.config.latent_channels:
            raise BaseModelError(
                f"the base {description.source} is a special model ({unet.config.in_channels} input channels for {vae.config.latent_channels} "
                f"of its autoencoder); give a plain one"
            )
        tokenizers = {name: load_tokenizer(description, name) for name in cls.tokenizers}
        return cls(modules, tokenizers, Ddpm.from_config(description.scheduler[1]), fingerprints_as_opened(description, quantize))

    @property
    def autoencoder(self) -> Autoencoder:
        """Raises RunError once it is freed."""
        return self._autoencoder.module

    def checkpoint_gradients(self) -> None:
        for part in self.parts.values():
            checkpoint_blocks(part)

    def free_text_encoders(self) -> None:
        self.parts = {"unet": self.unet}
        for clip in self.clips:
            clip.free()

    def free_autoencoder(self) -> None:
        self._autoencoder.free()

    def encode_pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.autoencoder.encode(pixels)

    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        return self.autoencoder.decode(latents)

    def count_tokens(self, caption: str) -> int:
        return len(self.clip.content(caption))

    def max_tokens(self, options: TextOptions) -> int:
        return CHUNK * chunk_count(options.max_token_length)

    def predict(
        self,
        noisy: torch.Tensor,
        timesteps: torch.Tensor,
        texts: EncodedTexts,
        sizes: Sequence[SizeConditioning] | None = None,
        guidance: float | None = None,
    ) -> torch.Tensor:
        device, dtype = self.unet.device, self.unet.dtype
        texts = texts.to(device, dtype)
        conditions = self._conditions(noisy, texts, sizes)
        return self.unet(noisy.to(device, dtype), timesteps.to(device), texts.states, added_cond_kwargs=conditions).sample

    def _conditions(
        self, noisy: torch.Tensor, texts: EncodedTexts, sizes: Sequence[SizeConditioning] | None
    ) -> dict[str, torch.Tensor] | None:
        """What the U-Net is told besides the captions' states."""
        return None
