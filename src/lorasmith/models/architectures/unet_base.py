"""What the opened bases with a U-Net share: latents, sizes, the U-Net's answer, and captions through one CLIP text encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import torch

from lorasmith.captions.breaks import CHUNK
from lorasmith.errors import BaseModelError, SettingsError
from lorasmith.models.architectures.clip import Clip, chunk_count
from lorasmith.models.autoencoder import Autoencoder, ScaledAutoencoder
from lorasmith.models.base import SizeConditioning
from lorasmith.models.description import Description
from lorasmith.models.diffusion import Ddpm
from lorasmith.models.family import Family
from lorasmith.models.files.hashes import fingerprints
from lorasmith.models.files.weights import load_parts
from lorasmith.models.guidance import classifier_free
from lorasmith.models.memory import Freeable, checkpoint_blocks
from lorasmith.models.settings import Quantize
from lorasmith.models.texts import USUAL, EncodedTexts, TextOptions
from lorasmith.models.tokenizers import load_tokenizer
from lorasmith.models.transfer import to_device
from lorasmith.pages.numbers import count


class UnetBase:
    """A base with a U-Net and one CLIP text encoder; a family adds its record. See `models.base.Base`."""

    record: ClassVar[Family]
    guided = staticmethod(classifier_free)

    def __init__(
        self,
        modules: Mapping[str, Any],
        tokenizers: Mapping[str, Any],
        diffusion: Ddpm,
        fingerprints: Mapping[str, str],
        variant: str = "",
    ):
        self.family, self.denoiser, self.defaults = self.record.name, self.record.denoiser, self.record.variant(variant).defaults
        self.parts: dict[str, Any] = {name: module for name, module in modules.items() if name != "vae"}
        self.unet = modules["unet"]
        self.diffusion = diffusion
        self.fingerprints = fingerprints
        self._autoencoder: Freeable[Autoencoder] = Freeable(ScaledAutoencoder(modules["vae"]), "autoencoder")
        self.clip = Clip(modules["text_encoder"], tokenizers["tokenizer"])
        self.clips = [self.clip]
        self.latent_channels = self.autoencoder.channels
        self.latent_step = self.autoencoder.step
        sizes = self.record.sizes({"unet": self.unet.config, "vae": modules["vae"].config})
        self.pixel_step, self.native_resolution = sizes.pixel_step, sizes.native

    @classmethod
    def open(
        cls, description: Description, dtype: torch.dtype, device: str = "cpu", quantize: Quantize = "none", blocks_to_swap: int = 0
    ) -> Self:
        """Open a base; weights are read straight to `dtype` and `device`, or quantised there, the autoencoder's always to float32."""
        modules = load_parts(description, cls.record.usual.parts, dtype, device, quantize, blocks_to_swap)
        unet, vae = modules["unet"], modules["vae"]
        if unet.config.in_channels != vae.config.latent_channels:
            raise BaseModelError(
                f"The base {description.source} is a special model ({unet.config.in_channels} input channels for {vae.config.latent_channels} "
                f"of its autoencoder); give a plain one."
            )
        tokenizers = {name: load_tokenizer(description, name) for name in cls.record.tokenizers}
        return cls(
            modules, tokenizers, Ddpm.from_config(description.scheduler[1]), fingerprints(description, quantize), description.variant
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.diffusion.prediction_type}, {self.native_resolution} pixels, {self.unet.dtype}, {self.unet.device})"

    @property
    def autoencoder(self) -> Autoencoder:
        """Raises RunError once it is freed."""
        return self._autoencoder.module

    def checkpoint_gradients(self) -> None:
        for part in self.parts.values():
            checkpoint_blocks(part)

    def free_text_encoders(self) -> None:
        self.parts = {self.denoiser: self.unet}
        for clip in self.clips:
            clip.free()

    def free_autoencoder(self) -> None:
        self._autoencoder.free()

    def encode_pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.autoencoder.encode(pixels)

    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        return self.autoencoder.decode(latents)

    def tokens(self, height: int, width: int) -> int:
        """Each latent pixel."""
        return height * width

    def count_tokens(self, caption: str, options: TextOptions = USUAL) -> int:
        """With a BREAK the rest of its chunk counts too."""
        return self.clip.count(caption, self.max_tokens(options))

    def max_tokens(self, options: TextOptions) -> int:
        return CHUNK * chunk_count(options.max_token_length)

    def encode_texts(self, captions: Sequence[str], options: TextOptions) -> EncodedTexts:
        """(n, tokens, width); clip skip k reads the k-th last layer, through the final norm (as the UIs do)."""
        encoder = self.clip.encoder
        layers: int = encoder.config.num_hidden_layers
        if not 1 <= options.clip_skip <= layers:
            raise SettingsError(
                f"base.clip_skip is {options.clip_skip}, but the text encoder has {count(layers, 'layer')}: use 1 to {layers}."
            )
        refuse_t5(options)
        texts = self.clip.tokenize(captions, options)
        output = self.clip.run(texts.ids, hidden_states=options.clip_skip > 1)
        states = output.last_hidden_state
        if options.clip_skip > 1:
            states = encoder.final_layer_norm(output.hidden_states[-options.clip_skip])
        return EncodedTexts(self.clip.join(states, texts))

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
        return self.unet(to_device(noisy, device, dtype), to_device(timesteps, device), texts.states, added_cond_kwargs=conditions).sample

    def _conditions(
        self, noisy: torch.Tensor, texts: EncodedTexts, sizes: Sequence[SizeConditioning] | None
    ) -> dict[str, torch.Tensor] | None:
        """What the U-Net reads besides the captions' states."""
        return None


def refuse_t5(options: TextOptions) -> None:
    """Raises SettingsError where a T5 text encoder is to be masked: these bases have none."""
    if options.mask_t5:
        raise SettingsError("base.t5_attention_mask is on, but this base has no T5 text encoder; switch it off.")
