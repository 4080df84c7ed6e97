"""Lumina 2 (Alpha-VLLM 2025, https://arxiv.org/abs/2503.21758): one transformer over 2 x 2 patches of latents and the caption's tokens, flow
matching, Gemma 2 2B.

The caption comes after a sentence that tells the language model what it is for, and its last but one hidden state is read; a negative prompt
comes alone, and a caption with such a sentence of its own (up to `<Prompt Start>`) is read with that. Two blocks work on the caption and two
on the picture before the others have both in one row. The transformer is told how much picture there is (1 - sigma), and says picture -
noise. Captions of one length go through it together, so that nothing has to be masked.

Guidance is plain, as the programs that most draw with have it; diffusers' pipeline scales each row of latents back to its length
(`cfg_normalization`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from lorasmith.models.architectures.language_model_base import LanguageModelBase
from lorasmith.models.architectures.one_length import each_length
from lorasmith.models.base import SizeConditioning
from lorasmith.models.lumina2.family import LUMINA2
from lorasmith.models.texts import EncodedTexts
from lorasmith.models.transfer import to_device


class Lumina2(LanguageModelBase):
    """An opened base of this family; see `models.base.Base`."""

    record = LUMINA2
    uncheckpointed = ("noise_refiner", "context_refiner")

    def take_parts(self, modules: Mapping[str, Any], tokenizers: Mapping[str, Any]) -> None:
        super().take_parts(modules, tokenizers)
        rotary = self.transformer.rope_embedder
        rotary.freqs_cis = [table.to(self.transformer.device) for table in rotary.freqs_cis]  # else copied in every step
        for block in self.transformer.context_refiner:
            block.attn.set_processor(Unmasked(block.attn.processor))

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
        return each_length(self._predict, noisy, timesteps, texts)

    def _predict(self, noisy: torch.Tensor, timesteps: torch.Tensor, texts: EncodedTexts) -> torch.Tensor:
        """The prediction for captions of one length."""
        device, dtype = self.transformer.device, self.transformer.dtype
        answer: torch.Tensor = self.transformer(
            hidden_states=to_device(noisy, device, dtype),
            timestep=1 - to_device(timesteps, device) / 1000,
            encoder_hidden_states=to_device(texts.states, device, dtype),
            # The transformer counts the tokens in it, on the CPU without waiting for the GPU.
            encoder_attention_mask=torch.ones(texts.states.shape[:2], dtype=torch.bool),
        ).sample
        return -answer


class Unmasked:
    """An attention of diffusers over captions of one length: the mask, which hides nothing, stays out of it."""

    def __init__(self, attend: Callable[..., torch.Tensor]):
        self.attend = attend

    def __call__(
        self,
        attn: torch.nn.Module,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        image_rotary_emb: torch.Tensor | None = None,
    ) -> torch.Tensor:
        return self.attend(attn, hidden_states, encoder_hidden_states, None, image_rotary_emb)
