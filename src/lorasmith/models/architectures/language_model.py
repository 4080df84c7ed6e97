"""Captions through a language model: written into a template, cut, and read as the states of some of its layers.

A caption's states are those that it has alone. The models are causal, so that what fills up the shorter captions of a batch, on the right,
is seen by no word before it; it is masked, and goes away with the batch (`EncodedTexts.ragged`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from lorasmith.models.memory import Freeable
from lorasmith.models.template import Template


@dataclass(frozen=True, eq=False)
class Tokens:
    """Captions in their template: `ids` int64 (n, tokens), `mask` bool (n, tokens), False where a shorter one is filled up.

    The first `hidden` tokens are for the language model alone.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    hidden: int = 0


class LanguageModel:
    """A language model with its tokenizer and the template of a family."""

    def __init__(self, encoder: Any, tokenizer: Any, template: Template):
        self._encoder, self.tokenizer, self.template = Freeable(encoder, "text encoders"), tokenizer, template
        self.before, self.after = (len(self._ids([text])[0]) for text in (template.beginning, template.after))

    @property
    def encoder(self) -> Any:
        """The module; raises RunError once it is freed."""
        return self._encoder.module

    def free(self) -> None:
        """Free the encoder; texts can still be counted."""
        self._encoder.free()

    @property
    def around(self) -> int:
        """Tokens of the template that the denoiser reads."""
        return self.after + (self.before if self.template.before_is_read else 0)

    def count(self, caption: str) -> int:
        """The tokens that a caption takes in its template."""
        return max(0, len(self._ids([self.template.begun(caption)])[0]) - self.before)

    def tokenize(self, captions: Sequence[str], length: int, filled: bool = False) -> Tokens:
        """Captions in their template, at most `length` tokens of each for the denoiser; all of them `length` where `filled`."""
        template, hidden = self.template, 0 if self.template.before_is_read else self.before
        room, after = hidden + length, self._ids([template.after])[0]
        most = room - len(after) if template.cut == "caption" else room
        rows = [[*ids[:most], *after][:room] for ids in self._ids(list(map(template.begun, captions)), most)]
        longest = room if filled else max(map(len, rows), default=0)
        ids = torch.tensor([row + [self.tokenizer.pad_token_id] * (longest - len(row)) for row in rows], dtype=torch.int64)
        mask = torch.arange(longest) < torch.tensor([len(row) for row in rows], dtype=torch.int64)[:, None]
        return Tokens(ids, mask, hidden)

    def run(self, tokens: Tokens) -> tuple[torch.Tensor, ...]:
        """The hidden states, (n, tokens, width) each: k is what enters layer k, the last has the final norm.

        A token attends to those before it that are not fill, and so does the fill, whose states some denoisers read.
        """
        device = self.encoder.device
        seen = torch.ones(tokens.ids.shape[1], tokens.ids.shape[1], dtype=torch.bool).tril() & tokens.mask[:, None, None]
        if self.encoder.config._attn_implementation == "eager":  # which adds the mask to its scores
            seen = torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(self.encoder.dtype).min).to(self.encoder.dtype)
        found = self.encoder(tokens.ids.to(device), attention_mask=seen.to(device), output_hidden_states=True, use_cache=False)
        return found.hidden_states

    def _ids(self, texts: list[str], most: int | None = None) -> list[list[int]]:
        options = {} if most is None else {"truncation": True, "max_length": most}
        return self.tokenizer(texts, add_special_tokens=False, **options).input_ids


def read(states: torch.Tensor, tokens: Tokens) -> tuple[torch.Tensor, torch.Tensor]:
    """States (n, tokens, ...) without the hidden tokens, zero where captions are filled up, and the mask of what is left."""
    mask = tokens.mask[:, tokens.hidden :].to(states.device)
    return states[:, tokens.hidden :] * mask.view(*mask.shape, *[1] * (states.ndim - 2)), mask
