"""Captions through a T5 text encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from lorasmith.errors import SettingsError
from lorasmith.models.memory import Freeable
from lorasmith.models.texts import TextOptions
from lorasmith.models.transfer import to_device


class T5:
    """A T5 text encoder with its tokenizer."""

    def __init__(self, encoder: Any, tokenizer: Any):
        self._encoder, self.tokenizer = Freeable(encoder, "text encoders"), tokenizer

    @property
    def encoder(self) -> Any:
        """The module; raises RunError once it is freed."""
        return self._encoder.module

    def free(self) -> None:
        """Free the encoder; texts can still be counted."""
        self._encoder.free()

    def count(self, caption: str) -> int:
        """The tokens that a caption takes, without the end token."""
        return len(self.tokenizer(caption, add_special_tokens=False, truncation=False).input_ids)

    def length(self, options: TextOptions, most: int) -> int:
        """The tokens of a caption that are read, with the end token; `most` is what the family reads.

        Raises SettingsError where the options ask for more than can be read.
        """
        return length_read(options, min(most, self.tokenizer.model_max_length))

    def tokenize(self, captions: Sequence[str], length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids (n, length), filled up with padding, and which of them are no padding (bool)."""
        found = self.tokenizer(list(captions), padding="max_length", max_length=length, truncation=True, return_tensors="pt")
        return found.input_ids, found.attention_mask.bool()

    def run(self, ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """The last states (n, tokens, width); tokens outside the mask are hidden from the others."""
        device = self.encoder.device
        padded = None if mask is None or bool(mask.all()) else to_device(mask, device)
        states: torch.Tensor = self.encoder(to_device(ids, device), attention_mask=padded).last_hidden_state
        return states


def length_read(options: TextOptions, most: int) -> int:
    """The tokens of a caption that are read, with the end token, of `most` that can be. Raises as `T5.length`."""
    length = options.max_token_length or most
    if not 2 <= length <= most:
        raise SettingsError(f"base.max_token_length is {length}, but this base reads 2 to {most} tokens; change it or leave it out.")
    return length


def refuse_options_of_clip(title: str, options: TextOptions) -> None:
    """Raises SettingsError where an option is for families that read CLIP's states."""
    if options.clip_skip != 1:
        raise SettingsError(f"base.clip_skip is {options.clip_skip}, but {title} reads no hidden layer of CLIP; leave it at 1.")
    if options.weighted:
        raise SettingsError(f"base.weighted_captions is on, but {title} does not know (emphasis:1.2); switch it off.")
