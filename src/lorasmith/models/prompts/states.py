"""Prompts as the states that a base reads, each encoded once for as long as the text encoders stay as they are."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lorasmith.models.architectures.emphasis import unescape
from lorasmith.models.base import Base
from lorasmith.models.families import FAMILIES
from lorasmith.models.prompts.request import PictureRequest
from lorasmith.models.texts import EncodedTexts, TextOptions


class PromptStates:
    """Prompts to states: `states(["red cat", "blurry"])`.

    Each is encoded by itself, so that a picture does not depend on the others of its batch. Where a text encoder is trained or carries
    another LoRA, new ones have to be made.
    """

    def __init__(self, base: Base, options: TextOptions) -> None:
        self._base, self._options = base, options
        self._kept: dict[tuple[str, int | None], EncodedTexts] = {}

    def __call__(self, asked: Sequence[str]) -> EncodedTexts:
        """The states of prompts in their order, all as long as the longest."""
        longest = max(asked, key=self.length)
        return EncodedTexts.cat([self._beside(prompt, longest) for prompt in asked])

    def length(self, prompt: str) -> int:
        """Tokens that the denoiser reads for a prompt that is alone."""
        return self._alone(prompt).states.shape[1]

    def encode(self, request: PictureRequest) -> int:
        """Encode what a picture asks for; afterwards the text encoders may be freed. Returns the tokens that its prompts take."""
        asked = [request.prompt, *([self._base.as_negative(request.negative_prompt)] if request.cfg_scale != 1 else [])]
        return self(asked).states.shape[1]

    def _alone(self, prompt: str) -> EncodedTexts:
        key = (prompt, None)
        if key not in self._kept:
            self._kept[key] = self._encoded([prompt])
        return self._kept[key]

    def _beside(self, prompt: str, longest: str) -> EncodedTexts:
        """A prompt with as many tokens as a longer one; lengths that differ in themselves (`ragged`) are filled up where they meet."""
        alone, length = self._alone(prompt), self.length(longest)
        if alone.ragged or alone.states.shape[1] == length:
            return alone
        key = (prompt, length)
        if key not in self._kept:
            self._kept[key] = self._encoded([prompt, longest])[:1]
        return self._kept[key]

    def _encoded(self, prompts: Sequence[str]) -> EncodedTexts:
        # A tokenizer refuses a prompt that was cut within an emoji.
        texts = [prompt.encode("utf-8", "replace").decode() for prompt in prompts]
        if not FAMILIES[self._base.family].reads_emphasis:
            texts = list(map(unescape, texts))
        with torch.no_grad():
            return self._base.encode_texts(texts, self._options).cpu()
