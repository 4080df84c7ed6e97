"""Krea 2 (Krea 2026): a transformer over 2 x 2 patches of latents and the caption's tokens, flow matching, Qwen3-VL.

A small transformer in front of it makes one state of each token from those of many of the language model's layers. Latents are those of a
model for videos of one frame. Turbo moves its sigmas by the same factor at every size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from lorasmith.models.architectures.language_model_base import LanguageModelBase
from lorasmith.models.autoencoder import ChannelwiseAutoencoder
from lorasmith.models.base import SizeConditioning
from lorasmith.models.krea2.family import KREA2
from lorasmith.models.patches import image_ids, pack, unpack
from lorasmith.models.shift import FixedShift
from lorasmith.models.texts import EncodedTexts
from lorasmith.models.transfer import to_device


class Krea2(LanguageModelBase):
    """An opened base of this family; see `models.base.Base`."""

    record = KREA2
    normalise = ChannelwiseAutoencoder
    uncheckpointed = ("text_fusion.layerwise_blocks", "text_fusion.refiner_blocks")

    def take_parts(self, modules: Mapping[str, Any], tokenizers: Mapping[str, Any]) -> None:
        super().take_parts(modules, tokenizers)
        if isinstance(self.defaults.shift, FixedShift):  # Turbo's, whose scheduler has Raw's numbers
            self.diffusion = replace(self.diffusion, shift=self.defaults.shift)

    def states(self, hidden: Sequence[torch.Tensor]) -> torch.Tensor:
        """(n, tokens, layers, width)"""
        return torch.stack([hidden[k] for k in self.states_read], dim=2)

    def predict(
        self,
        noisy: torch.Tensor,
        timesteps: torch.Tensor,
        texts: EncodedTexts,
        sizes: Sequence[SizeConditioning] | None = None,
        guidance: float | None = None,
    ) -> torch.Tensor:
        device, dtype = self.transformer.device, self.transformer.dtype
        texts = texts.to(device, dtype)
        height, width = noisy.shape[-2:]
        places = torch.cat([torch.zeros(texts.states.shape[1], 3), image_ids(height, width)])
        packed = self.transformer(
            hidden_states=pack(to_device(noisy, device, dtype)),
            encoder_hidden_states=texts.states,
            timestep=to_device(timesteps, device, dtype) / 1000,
            position_ids=to_device(places, device),
            # One caption has no padding, and attention without a mask is faster.
            encoder_attention_mask=texts.mask if len(texts) > 1 else None,
        ).sample
        return unpack(packed, height, width)
