"""FLUX.2 klein (Black Forest Labs 2026): Flux.1's two kinds of blocks with shared modulation, an autoencoder of 16 pixels a token, and Qwen3.

The transformer reads three hidden states of the language model side by side, from its layers 9, 18 and 27. Captions are filled up to
one length, and what fills them is read like text: there is no mask. A token knows its place on four axes: the picture's its row and
column, the text's its place in the text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch

from lorasmith.models.architectures.language_model_base import LanguageModelBase
from lorasmith.models.autoencoder import Autoencoder, PatchedAutoencoder
from lorasmith.models.base import SizeConditioning
from lorasmith.models.diffusion import Flow
from lorasmith.models.klein.family import KLEIN
from lorasmith.models.texts import EncodedTexts, TextOptions
from lorasmith.models.transfer import to_device


class Klein(LanguageModelBase):
    """An opened base of this family; see `models.base.Base`."""

    record = KLEIN
    normalise: ClassVar[Callable[[Any], Autoencoder]] = PatchedAutoencoder

    @classmethod
    def diffusion_of(cls, scheduler: Mapping[str, Any]) -> Flow:
        return Flow(scheduler, shift=KLEIN.defaults.shift)

    def tokens(self, height: int, width: int) -> int:
        """A token is one latent, which holds 2 x 2 of the autoencoder's."""
        return height * width

    def encode_texts(self, captions: Sequence[str], options: TextOptions) -> EncodedTexts:
        """States of the language model (n, tokens, 3 x width), all filled up to the same length."""
        tokens = self.language_model.tokenize(captions, self.length(options), filled=True)
        return EncodedTexts(self.states(self.language_model.run(tokens)))

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
            hidden_states=to_device(noisy, device, dtype).flatten(2).transpose(1, 2),
            timestep=to_device(timesteps, device) / 1000,
            encoder_hidden_states=texts.states,
            txt_ids=to_device(text_ids(texts.states.shape[1]), device),
            img_ids=to_device(latent_ids(height, width), device),
        ).sample
        return packed.transpose(1, 2).unflatten(2, (height, width))


# -- pure functions of the sizes ----------------------------------------------------------------------------------------------


def text_ids(tokens: int) -> torch.Tensor:
    """(tokens, 4) float32: (0, 0, 0, place)."""
    return torch.nn.functional.pad(torch.arange(tokens, dtype=torch.float32)[:, None], (3, 0))


def latent_ids(height: int, width: int) -> torch.Tensor:
    """(height * width, 4) float32: (0, row, column, 0)."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    nothing = torch.zeros_like(rows)
    return torch.stack([nothing, rows, columns, nothing], dim=-1).flatten(0, 1).float()
