"""Z-Image (Tongyi Lab 2025): one transformer over the picture's patches and the caption's tokens, flow matching, Qwen3 4B.

The transformer reads the language model's last but one hidden state, each caption at its own length, and pads it itself. It is told how
much picture there is (1 - sigma), and says picture - noise.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lorasmith.models.architectures.language_model_base import LanguageModelBase
from lorasmith.models.base import SizeConditioning
from lorasmith.models.texts import EncodedTexts
from lorasmith.models.transfer import to_device
from lorasmith.models.zimage.family import ZIMAGE


class ZImage(LanguageModelBase):
    """An opened base of this family; see `models.base.Base`."""

    record = ZIMAGE

    def predict(
        self,
        noisy: torch.Tensor,
        timesteps: torch.Tensor,
        texts: EncodedTexts,
        sizes: Sequence[SizeConditioning] | None = None,
        guidance: float | None = None,
    ) -> torch.Tensor:
        device, dtype = self.transformer.device, self.transformer.dtype
        captions = [states[:length] for states, length in zip(texts.to(device, dtype).states, texts.lengths(), strict=True)]
        pictures = to_device(noisy, device, dtype)[:, :, None].unbind()  # with an axis of frames
        answers = self.transformer(list(pictures), 1 - to_device(timesteps, device) / 1000, captions).sample
        return -torch.stack(answers)[:, :, 0]
