"""What the opened bases share that read captions with one language model, each at its own length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lorasmith.errors import SettingsError
from lorasmith.models.architectures.flow_base import FlowBase
from lorasmith.models.architectures.language_model import LanguageModel, read
from lorasmith.models.texts import USUAL, EncodedTexts, TextOptions


class LanguageModelBase(FlowBase):
    """A transformer that reads captions with a language model; its template and which states are read is in the record."""

    def take_parts(self, modules: Mapping[str, Any], tokenizers: Mapping[str, Any]) -> None:
        super().take_parts(modules, tokenizers)
        assert self.record.template is not None
        self.language_model = LanguageModel(modules["text_encoder"], tokenizers["tokenizer"], self.record.template)
        self.text_encoders.append(self.language_model)
        assert self.record.states_read is not None, f"{self.record.name} has a language model"
        self.states_read = self.record.states_read(modules["text_encoder"].config.num_hidden_layers, self.transformer.config)

    def states(self, hidden: Sequence[torch.Tensor]) -> torch.Tensor:
        """What the transformer reads of the language model's hidden states (n, tokens, width): those that are read side by side."""
        return torch.cat([hidden[k] for k in self.states_read], dim=-1)

    def count_tokens(self, caption: str, options: TextOptions = USUAL) -> int:
        return self.language_model.count(caption)

    def max_tokens(self, options: TextOptions) -> int:
        """What the template leaves."""
        return self.length(options) - self.language_model.around

    def length(self, options: TextOptions) -> int:
        """Tokens of a caption in its template, as the transformer reads them, at most.

        Raises SettingsError where an option is not for bases of this kind.
        """
        refuse_clip_options(self.record.title, options)
        lengths, least = self.defaults.max_token_lengths, self.language_model.around + 1
        length, most = options.max_token_length or lengths[0], max(lengths)
        if not least <= length <= most:
            raise SettingsError(
                f"base.max_token_length is {length}, but this base reads {least} to {most} tokens; change it or leave it out."
            )
        return length

    def encode_texts(self, captions: Sequence[str], options: TextOptions) -> EncodedTexts:
        """States of the language model (n, tokens, ...), each caption at its own length."""
        tokens = self.language_model.tokenize(captions, self.length(options))
        states, mask = read(self.states(self.language_model.run(tokens)), tokens)
        return EncodedTexts(states, mask=mask, ragged=True)


def refuse_clip_options(title: str, options: TextOptions) -> None:
    """Raises SettingsError where an option is for CLIP or T5 text encoders: these bases have none."""
    if options.clip_skip != 1:
        raise SettingsError(f"base.clip_skip is {options.clip_skip}, but {title} has no CLIP text encoder; leave it at 1.")
    if options.weighted:
        raise SettingsError(f"base.weighted_captions is on, but {title} does not know (emphasis:1.2); switch it off.")
    if options.mask_t5:
        raise SettingsError(f"base.t5_attention_mask is on, but {title} has no T5 text encoder; switch it off.")
