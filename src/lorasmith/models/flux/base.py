"""Flux.1 (Black Forest Labs 2024): a transformer over 2 x 2 patches of latents, flow matching, T5 and CLIP.

T5 gives the states that the transformer attends to, CLIP its pooled state. The latents go in packed, each token 2 x 2 latent pixels
with all their channels, and each token knows its row and column. `dev` is guidance-distilled: it takes the guidance as an input, where other
models are run twice. As the model was made, T5's padding is read like text; `TextOptions.mask_t5` hides it, in T5 and in the
transformer, as sd-scripts' `apply_t5_attn_mask` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lorasmith.errors import BaseModelError
from lorasmith.models.architectures.clip import Clip
from lorasmith.models.architectures.flow_base import FlowBase
from lorasmith.models.architectures.t5 import T5, refuse_options_of_clip
from lorasmith.models.base import SizeConditioning
from lorasmith.models.description import Description
from lorasmith.models.flux.family import FLUX
from lorasmith.models.patches import image_ids, pack, unpack
from lorasmith.models.texts import USUAL, EncodedTexts, TextOptions
from lorasmith.models.transfer import to_device


class Flux(FlowBase):
    """An opened base of this family; see `models.base.Base`."""

    record = FLUX

    def take_parts(self, modules: Mapping[str, Any], tokenizers: Mapping[str, Any]) -> None:
        super().take_parts(modules, tokenizers)
        self.clip = Clip(modules["text_encoder"], tokenizers["tokenizer"])
        self.t5 = T5(modules["text_encoder_2"], tokenizers["tokenizer_2"])
        self.text_encoders += [self.clip, self.t5]
        self.has_guidance: bool = self.transformer.config.guidance_embeds

    @classmethod
    def refuse_special(cls, description: Description, modules: Mapping[str, Any]) -> None:
        transformer, vae = modules["transformer"], modules["vae"]
        if transformer.config.in_channels != 4 * vae.config.latent_channels:
            raise BaseModelError(
                f"The base {description.source} is a special model of Flux ({transformer.config.in_channels} input channels, where a plain "
                f"one has {4 * vae.config.latent_channels}); give a plain one."
            )

    def __repr__(self) -> str:
        return f"Flux({'dev' if self.has_guidance else 'schnell'}, {self.native_resolution} pixels, {self.transformer.dtype}, {self.transformer.device})"

    def count_tokens(self, caption: str, options: TextOptions = USUAL) -> int:
        """Tokens of T5."""
        return self.t5.count(caption)

    def max_tokens(self, options: TextOptions) -> int:
        return self.t5.length(options, self.defaults.max_token_lengths[0]) - 1

    def encode_texts(self, captions: Sequence[str], options: TextOptions) -> EncodedTexts:
        """States of T5 (n, tokens, width), the pooled state of CLIP (n, width), and T5's mask where it is asked for."""
        refuse_options_of_clip("Flux", options)
        ids, words = self.t5.tokenize(captions, self.t5.length(options, self.defaults.max_token_lengths[0]))
        mask = words if options.mask_t5 else None
        states = self.t5.run(ids, mask)
        if mask is not None:
            mask = mask.to(states.device)
            states = states * mask[..., None]
        chunks = self.clip.tokenize(captions, TextOptions())
        return EncodedTexts(states, self.clip.pooled(self.clip.run(chunks.ids, hidden_states=False)), mask)

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
        guidance = self.defaults.guidance if guidance is None else guidance
        given = torch.full((len(noisy),), guidance, device=device) if self.has_guidance and guidance is not None else None
        attention = None if texts.mask is None else {"attention_mask": attention_mask(texts.mask, self.tokens(height, width))}
        packed = self.transformer(
            hidden_states=pack(to_device(noisy, device, dtype)),
            timestep=to_device(timesteps, device) / 1000,
            guidance=given,
            pooled_projections=texts.pooled,
            encoder_hidden_states=texts.states,
            txt_ids=torch.zeros(texts.states.shape[1], 3, device=device),
            img_ids=to_device(image_ids(height, width), device),
            joint_attention_kwargs=attention,
        ).sample
        return unpack(packed, height, width)


# -- pure functions of the latents' shape -------------------------------------------------------------------------------------


def attention_mask(text_mask: torch.Tensor, image_tokens: int) -> torch.Tensor:
    """(n, 1, 1, text + image) bool: what may be read: all of the picture, and the text without its padding."""
    image = torch.ones(len(text_mask), image_tokens, dtype=torch.bool, device=text_mask.device)
    return torch.cat([text_mask, image], dim=1)[:, None, None]
