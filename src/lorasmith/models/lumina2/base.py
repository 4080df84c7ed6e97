"""Lumina 2 (Alpha-VLLM 2025, https://arxiv.org/abs/2503.21758): one transformer over 2 x 2 patches of latents and the caption's tokens, flow
matching, Gemma 2 2B.

The caption comes after a sentence that tells the language model what it is for, and its last but one hidden state is read; a negative prompt
comes alone, and a caption with such a sentence of its own (up to `<Prompt Start>`) is read with that. Two blocks work
on the caption and two on the picture before the others have both in one row. The transformer is told how much picture there is (1 - sigma),
and says picture - noise. Guidance is plain, as the programs that most draw with have it; diffusers' pipeline scales each row of latents
back to its length (`cfg_normalization`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lorasmith.models.architectures.language_model_base import LanguageModelBase
from lorasmith.models.base import SizeConditioning
from lorasmith.models.lumina2.family import LUMINA2
from lorasmith.models.texts import EncodedTexts
from lorasmith.models.transfer import to_device


class Lumina2(LanguageModelBase):
    """An opened base of this family; see `models.base.Base`."""

    record = LUMINA2

    def as_negative(self, prompt: str) -> str:
        return self.language_model.template.start + prompt

    def predict(
        self,
        noisy: torch.Tensor,
        timesteps: torch.Tensor,
        texts: EncodedTexts,
        sizes: Sequence[SizeConditioning] | None = None,
        guidance: float | None = None,
    ) -> torch.Tensor:
        device, dtype = self.transformer.device, self.transformer.dtype
        mask = torch.arange(texts.states.shape[1]) < torch.tensor(texts.lengths())[:, None]
        answer = self.transformer(
            hidden_states=to_device(noisy, device, dtype),
            timestep=1 - to_device(timesteps, device) / 1000,
            encoder_hidden_states=to_device(texts.states, device, dtype),
            encoder_attention_mask=mask if device.type == "meta" else to_device(mask, device),  # the transformer counts what is in it
        ).sample
        return -answer
