"""Anima (CircleStone 2026): the transformer of Cosmos-Predict2, a small language model, and a conditioner between the two.

A caption is read twice, by the tokenizers of Qwen3 and of T5. The conditioner takes T5's tokens as its queries and attends with them to the
states of Qwen3; T5 itself is not there. What it says is filled up with zeros to 512 tokens, which the transformer reads as it reads the
others; a longer caption is read whole. Latents are those of a model for videos of one frame, with one channel of zeros more: nothing of
the picture is filled up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lorasmith.models.anima.family import ANIMA
from lorasmith.models.architectures.language_model import Tokens, read
from lorasmith.models.architectures.language_model_base import LanguageModelBase
from lorasmith.models.autoencoder import ChannelwiseAutoencoder
from lorasmith.models.base import SizeConditioning
from lorasmith.models.memory import Freeable
from lorasmith.models.texts import USUAL, EncodedTexts, TextOptions
from lorasmith.models.transfer import to_device


class Anima(LanguageModelBase):
    """An opened base of this family; see `models.base.Base`."""

    record = ANIMA
    normalise = ChannelwiseAutoencoder

    def take_parts(self, modules: Mapping[str, Any], tokenizers: Mapping[str, Any]) -> None:
        super().take_parts(modules, tokenizers)
        self.t5_tokenizer = tokenizers["t5_tokenizer"]
        self.least_tokens: int = modules["text_conditioner"].config.min_sequence_length
        self._conditioner = Freeable(modules["text_conditioner"], "text encoders")
        self.text_encoders.append(self._conditioner)

    def count_tokens(self, caption: str, options: TextOptions = USUAL) -> int:
        """Tokens of the tokenizer that makes more of it."""
        return max(super().count_tokens(caption, options), len(self.t5_tokenizer(caption, add_special_tokens=False).input_ids))

    def max_tokens(self, options: TextOptions) -> int:
        """T5's tokenizer ends with a mark."""
        return self.length(options) - 1

    def encode_texts(self, captions: Sequence[str], options: TextOptions) -> EncodedTexts:
        """What the conditioner says (n, tokens of T5, width), each caption at its own length."""
        length = self.length(options)
        states, mask = self._read(captions, length)
        t5 = self.t5_tokenizer(list(captions), padding="longest", max_length=length, truncation=True, return_tensors="pt").to(states.device)
        conditioned = self._conditioner.module(states, t5.input_ids, t5.attention_mask, mask)
        return EncodedTexts(conditioned[:, : t5.input_ids.shape[1]], mask=t5.attention_mask.bool(), ragged=True)

    def _read(self, captions: Sequence[str], length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The language model's states (n, tokens, width), zero where captions are filled up, and their mask; one token at least."""
        tokens = self.language_model.tokenize(captions, length)
        if tokens.ids.shape[1] == 0:
            tokens = Tokens(tokens.ids.new_zeros(len(captions), 1), tokens.mask.new_zeros(len(captions), 1))
        return read(self.states(self.language_model.run(tokens)), tokens)

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
        whole = torch.nn.functional.pad(to_device(noisy, device, dtype), (0, 0, 0, 0, 0, 1))
        return self.transformer(
            hidden_states=whole[:, :, None],
            timestep=to_device(timesteps, device, dtype) / 1000,
            encoder_hidden_states=filled(texts.states, self.least_tokens),
            attention_mask=self._unequal(texts),
        ).sample[:, :, 0]

    def _unequal(self, texts: EncodedTexts) -> torch.Tensor | None:
        """(n, tokens) bool: what each caption has, zeros up to the least number of tokens included; None where all have the same."""
        tokens = texts.states.shape[1]
        if len(texts) == 1 or tokens <= self.least_tokens:
            return None
        assert texts.mask is not None
        own = texts.mask.sum(1, keepdim=True).clamp_min(self.least_tokens)
        return torch.arange(tokens, device=own.device) < own


def filled(states: torch.Tensor, least: int) -> torch.Tensor:
    """States (n, tokens, width) with zeros behind them up to `least` tokens."""
    return torch.nn.functional.pad(states, (0, 0, 0, max(0, least - states.shape[1])))
