"""Stable Diffusion 1.x: one CLIP text encoder, a U-Net over VAE latents, epsilon or v-prediction."""

from __future__ import annotations

from collections.abc import Sequence

from lorasmith.errors import SettingsError
from lorasmith.models.sd1 import config
from lorasmith.models.texts import EncodedTexts, TextOptions
from lorasmith.models.unet import UnetBase


class StableDiffusion1(UnetBase):
    """An opened base of this family; see `models.family.Base`."""

    family = "sd1"
    defaults = config.DEFAULTS
    part_kinds = config.PARTS
    tokenizers = config.TOKENIZERS

    def encode_texts(self, captions: Sequence[str], options: TextOptions) -> EncodedTexts:
        """(n, tokens, width); clip skip k reads the k-th last layer, through the final norm (as the UIs do)."""
        encoder = self.clip.encoder
        layers: int = encoder.config.num_hidden_layers
        if not 1 <= options.clip_skip <= layers:
            raise SettingsError(f"base.clip_skip is {options.clip_skip}, but the text encoder has {layers} layers; use 1 to {layers}")
        refuse_t5(options)
        texts = self.clip.tokenize(captions, options)
        output = self.clip.run(texts.ids, hidden_states=options.clip_skip > 1)
        states = output.last_hidden_state
        if options.clip_skip > 1:
            states = encoder.final_layer_norm(output.hidden_states[-options.clip_skip])
        return EncodedTexts(self.clip.join(states, texts))


def refuse_t5(options: TextOptions) -> None:
    """Raises SettingsError where a family without T5 is told to mask it."""
    if options.mask_t5:
        raise SettingsError("base.t5_attention_mask is on, but this base has no T5 text encoder; switch it off")
