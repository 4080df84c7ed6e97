"""Chroma (lodestones 2025): Flux.1 schnell with fewer parameters, trained on, with classifier-free guidance in place of a distilled one.

The transformer has Flux.1's blocks. What modulates them is computed by one small network, the approximator, from the time and the
modulation's place. T5's padding is hidden from T5 and, but for its first token, from the transformer. So a caption is kept at its own length
with that one token, and captions of one length go through the transformer together: nothing has to be masked there, attention is computed
by the fastest kernels, and a caption has the same prediction alone and in any batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lorasmith.models.architectures.flow_base import FlowBase
from lorasmith.models.architectures.one_length import each_length
from lorasmith.models.architectures.t5 import T5, refuse_options_of_clip
from lorasmith.models.base import SizeConditioning
from lorasmith.models.chroma.family import CHROMA
from lorasmith.models.patches import image_ids, pack, unpack
from lorasmith.models.texts import USUAL, EncodedTexts, TextOptions
from lorasmith.models.transfer import to_device


class Chroma(FlowBase):
    """An opened base of this family; see `models.base.Base`."""

    record = CHROMA

    def take_parts(self, modules: Mapping[str, Any], tokenizers: Mapping[str, Any]) -> None:
        super().take_parts(modules, tokenizers)
        self.t5 = T5(modules["text_encoder"], tokenizers["tokenizer"])
        self.text_encoders.append(self.t5)

    def count_tokens(self, caption: str, options: TextOptions = USUAL) -> int:
        """Tokens of T5."""
        return self.t5.count(caption)

    def max_tokens(self, options: TextOptions) -> int:
        return self.t5.length(options, self.defaults.max_token_lengths[0]) - 1

    def encode_texts(self, captions: Sequence[str], options: TextOptions) -> EncodedTexts:
        """States of T5 (n, tokens, width), of each caption its own tokens and one of padding, whether `options.mask_t5` says so or not."""
        refuse_options_of_clip(self.record.title, options)
        length = self.t5.length(options, self.defaults.max_token_lengths[0])
        ids, words = self.t5.tokenize(captions, length)
        lengths = (words.sum(1) + 1).clamp(max=length)
        longest = int(lengths.max())
        states = self.t5.run(ids[:, :longest], words[:, :longest])
        mask = torch.arange(longest) < lengths[:, None]
        return EncodedTexts(states * to_device(mask, states.device)[..., None], mask=mask, ragged=True)

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
        texts = texts.to(device, dtype)
        height, width = noisy.shape[-2:]
        packed = self.transformer(
            hidden_states=pack(to_device(noisy, device, dtype)),
            timestep=to_device(timesteps, device) / 1000,
            encoder_hidden_states=texts.states,
            txt_ids=torch.zeros(texts.states.shape[1], 3, device=device),
            img_ids=to_device(image_ids(height, width), device),
        ).sample
        return unpack(packed, height, width)
