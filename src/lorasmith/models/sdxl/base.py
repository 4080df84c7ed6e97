"""Stable Diffusion XL (Podell et al. 2023): two text encoders, and a U-Net with an input for where its pictures come from.

The U-Net attends to the penultimate states of CLIP-L and OpenCLIP bigG, side by side, neither through its final norm. The pooled
state of the second and the picture's size, crop and target size go in beside the timestep. Pony, Illustrious and NoobAI are this
family; those that predict v with zero terminal SNR say so in their schedule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lorasmith.errors import SettingsError
from lorasmith.models.architectures.clip import Clip
from lorasmith.models.architectures.unet_base import UnetBase, refuse_t5
from lorasmith.models.base import SizeConditioning
from lorasmith.models.sdxl.family import SDXL
from lorasmith.models.texts import EncodedTexts, TextOptions
from lorasmith.models.transfer import to_device


class StableDiffusionXL(UnetBase):
    """An opened base of this family; see `models.base.Base`."""

    record = SDXL

    def take_parts(self, modules: Mapping[str, Any], tokenizers: Mapping[str, Any]) -> None:
        super().take_parts(modules, tokenizers)
        self.clip_2 = Clip(modules["text_encoder_2"], tokenizers["tokenizer_2"])
        self.text_encoders.append(self.clip_2)

    def encode_texts(self, captions: Sequence[str], options: TextOptions) -> EncodedTexts:
        """(n, tokens, width of both); clip skip 1 and 2 mean the same, since the penultimate layers are the ones it was made with."""
        if options.clip_skip not in (1, 2):
            raise SettingsError(
                f"base.clip_skip is {options.clip_skip}, but SDXL always reads the penultimate layer (clip skip 2); set it to 2 or leave it out."
            )
        refuse_t5(options)
        states = []
        pooled = None
        for clip in (self.clip, self.clip_2):
            texts = clip.tokenize(captions, options)
            output = clip.run(texts.ids, hidden_states=True)
            states.append(clip.join(output.hidden_states[-2], texts))
            if clip is self.clip_2:
                pooled = clip.pooled(output, texts.ids.shape[1])
        return EncodedTexts(torch.cat(states, dim=-1), pooled)

    def _conditions(self, noisy: torch.Tensor, texts: EncodedTexts, sizes: Sequence[SizeConditioning] | None) -> dict[str, torch.Tensor]:
        assert texts.pooled is not None, "captions of SDXL have a pooled state"
        if sizes is None:
            height, width = (side * self.latent_step for side in noisy.shape[-2:])
            sizes = [SizeConditioning.uncropped(width, height)] * len(noisy)
        return {"text_embeds": texts.pooled, "time_ids": to_device(time_ids(sizes), texts.pooled.device)}


def time_ids(sizes: Sequence[SizeConditioning]) -> torch.Tensor:
    """(n, 6) float32, in the order that SDXL was trained with: heights before widths, top before left."""
    return torch.tensor([(*one.original[::-1], *one.crop[::-1], *one.target[::-1]) for one in sizes], dtype=torch.float32)
