"""An opened base of the made-up family; see `lorasmith.models.base.Base`."""

from dataclasses import replace

import torch

from lorasmith.models.architectures.language_model_base import LanguageModelBase
from lorasmith.models.autoencoder import ChannelwiseAutoencoder
from lorasmith.models.guidance import norm_kept
from tests.models.made_up.family import MADE_UP


class MadeUp(LanguageModelBase):
    record, normalise = MADE_UP, ChannelwiseAutoencoder
    guided = staticmethod(norm_kept)

    def states(self, hidden):
        return torch.stack([hidden[k] for k in self.states_read], dim=2)

    def encode_texts(self, captions, options):
        texts = super().encode_texts(captions, options)
        words = self.language_model.tokenize(captions, self.length(options)).ids.to(texts.mask.device)
        return replace(texts, extra={"words": words * texts.mask})

    def predict(self, noisy, timesteps, texts, sizes=None, guidance=None):
        device, dtype = self.transformer.device, self.transformer.dtype
        texts = texts.to(device, dtype)
        time = 1 - timesteps.to(device) / 1000
        return -self.transformer(noisy.to(device, dtype), time, texts.states, texts.extra["words"], texts.mask)
