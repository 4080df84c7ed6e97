"""What the opened bases with a U-Net share: latents, sizes, the U-Net's answer, and captions through one CLIP text encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lorasmith.captions.breaks import CHUNK
from lorasmith.errors import BaseModelError, SettingsError
from lorasmith.models.architectures.clip import Clip, chunk_count
from lorasmith.models.architectures.opened_base import OpenedBase
from lorasmith.models.base import SizeConditioning
from lorasmith.models.description import Description
from lorasmith.models.diffusion import Ddpm
from lorasmith.models.texts import USUAL, EncodedTexts, TextOptions
from lorasmith.models.transfer import to_device
from lorasmith.pages.numbers import count


class UnetBase(OpenedBase):
    """A base with a U-Net and one CLIP text encoder; a family adds its record."""

    def take_parts(self, modules: Mapping[str, Any], tokenizers: Mapping[str, Any]) -> None:
        super().take_parts(modules, tokenizers)
        self.unet = modules["unet"]
        self.clip = Clip(modules["text_encoder"], tokenizers["tokenizer"])
        self.text_encoders.append(self.clip)

    @classmethod
    def diffusion_of(cls, scheduler: Mapping[str, Any]) -> Ddpm:
        return Ddpm.from_config(scheduler)

    @classmethod
    def refuse_special(cls, description: Description, modules: Mapping[str, Any]) -> None:
        unet, vae = modules["unet"], modules["vae"]
        if unet.config.in_channels != vae.config.latent_channels:
            raise BaseModelError(
                f"The base {description.source} is a special model ({unet.config.in_channels} input channels for {vae.config.latent_channels} "
                f"of its autoencoder); give a plain one."
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.diffusion.prediction_type}, {self.native_resolution} pixels, {self.unet.dtype}, {self.unet.device})"

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
