"""Qwen-Image (Alibaba 2025, https://arxiv.org/abs/2508.02324): a transformer over 2 x 2 patches of latents, flow matching, Qwen2.5-VL.

The language model reads a caption in a template that asks it to describe a picture; its last states, without those of the template's
beginning, are what the transformer attends to. Latents are those of a model for videos of one frame. Guidance keeps the length that
each token's prediction has for the prompt alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lorasmith.models.architectures.language_model_base import LanguageModelBase
from lorasmith.models.autoencoder import ChannelwiseAutoencoder
from lorasmith.models.base import SizeConditioning
from lorasmith.models.guidance import norm_kept
from lorasmith.models.patches import pack, unpack
from lorasmith.models.qwen_image.family import QWEN_IMAGE
from lorasmith.models.texts import EncodedTexts
from lorasmith.models.transfer import to_device


class QwenImage(LanguageModelBase):
    """An opened base of this family; see `models.base.Base`."""

    record = QWEN_IMAGE
    normalise = ChannelwiseAutoencoder
    guided = staticmethod(norm_kept)

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
        packed = self.transformer(
            hidden_states=pack(to_device(noisy, device, dtype)),
            timestep=to_device(timesteps, device) / 1000,
            encoder_hidden_states=texts.states,
            # One caption has no padding, and attention without a mask is faster.
            encoder_hidden_states_mask=texts.mask if len(texts) > 1 else None,
            img_shapes=[[(1, height // 2, width // 2)]] * len(noisy),
        ).sample
        return unpack(packed, height, width)
