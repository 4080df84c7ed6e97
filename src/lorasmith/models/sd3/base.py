"""Stable Diffusion 3 (Esser et al. 2024, https://arxiv.org/abs/2403.03206) and 3.5: a transformer over latents, flow matching, three text encoders.

The transformer attends to the last but one states of CLIP-L and OpenCLIP bigG, side by side and filled up with zeros to the width of T5's,
and behind them to the last states of T5. The pooled states of both CLIPs go in beside the timestep. As the model was made, T5's padding
is read like text; `TextOptions.mask_t5` hides it from T5 and makes its states zeros, as sd-scripts' `apply_t5_attn_mask` does. In training
T5 was left out now and then, its states being zeros, so a base without it is one that reads captions less well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lorasmith.captions.breaks import CHUNK
from lorasmith.errors import BaseModelError, SettingsError
from lorasmith.models.architectures.clip import Clip
from lorasmith.models.architectures.flow_base import FlowBase
from lorasmith.models.architectures.t5 import T5, length_read
from lorasmith.models.base import SizeConditioning
from lorasmith.models.description import Description
from lorasmith.models.diffusion import Flow
from lorasmith.models.sd3.family import SD3
from lorasmith.models.shift import shift_of
from lorasmith.models.sigmas import shifted_noise
from lorasmith.models.texts import USUAL, EncodedTexts, TextOptions
from lorasmith.models.transfer import to_device


class StableDiffusion3(FlowBase):
    """An opened base of this family; see `models.base.Base`."""

    record = SD3

    def take_parts(self, modules: Mapping[str, Any], tokenizers: Mapping[str, Any]) -> None:
        super().take_parts(modules, tokenizers)
        self.clips = [Clip(modules[f"text_encoder{end}"], tokenizers[f"tokenizer{end}"]) for end in ("", "_2")]
        self.t5 = T5(modules["text_encoder_3"], tokenizers["tokenizer_3"]) if "text_encoder_3" in modules else None
        self.text_encoders += [*self.clips, *([self.t5] if self.t5 else [])]

    @classmethod
    def diffusion_of(cls, scheduler: Mapping[str, Any]) -> Flow:
        """diffusers' pipeline draws down to the first timestep of the schedule, which is shifted there and then once more."""
        lowest = shifted_noise(1 / scheduler.get("num_train_timesteps", 1000), shift_of(scheduler).mu(0))
        return Flow(scheduler, last=lowest)

    @classmethod
    def refuse_special(cls, description: Description, modules: Mapping[str, Any]) -> None:
        channels, latents = modules["transformer"].config.in_channels, modules["vae"].config.latent_channels
        if channels != latents:
            raise BaseModelError(
                f"The base {description.source} is a special model ({channels} input channels for {latents} of its autoencoder); give a plain one.",
                code="base.special_model",
                path=str(description.source),
            )

    def count_tokens(self, caption: str, options: TextOptions = USUAL) -> int:
        """Tokens of T5, or of CLIP where there is no T5."""
        return self.t5.count(caption) if self.t5 else self.clips[0].count(caption, CHUNK)

    def max_tokens(self, options: TextOptions) -> int:
        return self._length(options) - 1 if self.t5 else CHUNK

    def _length(self, options: TextOptions) -> int:
        """Tokens that T5 reads of a caption, with the end token, whether there is a T5 or zeros in its place."""
        most = self.defaults.max_token_lengths[0]
        return self.t5.length(options, most) if self.t5 else length_read(options, most)

    def encode_texts(self, captions: Sequence[str], options: TextOptions) -> EncodedTexts:
        """States (n, 77 + tokens of T5, width of T5), and the pooled states of both CLIPs (n, width of both).

        Clip skip 1 and 2 mean the same, since the last but one layers are the ones it was made with.
        """
        self._refuse(options)
        states, pooled = [], []
        for clip in self.clips:
            texts = clip.tokenize(captions, TextOptions())
            output = clip.run(texts.ids, hidden_states=True)
            states.append(output.hidden_states[-2])
            pooled.append(clip.pooled(output))
        both, of_t5 = torch.cat(states, dim=-1), self._states_of_t5(captions, options)
        filled = torch.nn.functional.pad(both, (0, self.transformer.config.joint_attention_dim - both.shape[-1]))
        if of_t5 is None:
            of_t5 = filled.new_zeros(len(filled), self._length(options), filled.shape[-1])
        return EncodedTexts(torch.cat([filled, of_t5], dim=1), torch.cat(pooled, dim=-1))

    def _states_of_t5(self, captions: Sequence[str], options: TextOptions) -> torch.Tensor | None:
        if self.t5 is None:
            return None
        ids, words = self.t5.tokenize(captions, self._length(options))
        if not options.mask_t5:
            return self.t5.run(ids, None)
        states = self.t5.run(ids, words)
        return states * to_device(words, states.device)[..., None]

    def _refuse(self, options: TextOptions) -> None:
        """Raises SettingsError where an option is not for this base."""
        title = self.record.title
        if options.clip_skip not in (1, 2):
            raise SettingsError(
                f"base.clip_skip is {options.clip_skip}, but {title} always reads the last but one layer (clip skip 2); set it to 2 or leave it out."
            )
        if options.weighted:
            raise SettingsError(f"base.weighted_captions is on, but {title} does not know (emphasis:1.2); switch it off.")
        if options.mask_t5 and self.t5 is None:
            raise SettingsError("base.t5_attention_mask is on, but this base was opened without T5; switch it off.")

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
        prediction: torch.Tensor = self.transformer(
            hidden_states=to_device(noisy, device, dtype),
            timestep=to_device(timesteps, device),
            encoder_hidden_states=texts.states,
            pooled_projections=texts.pooled,
        ).sample
        return prediction
