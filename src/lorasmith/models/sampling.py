"""Pictures from a base model: DDIM or Euler steps, with classifier-free guidance, each picture from its own seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from PIL import Image

from lorasmith.draws import generator_for
from lorasmith.models.base import Base
from lorasmith.models.texts import EncodedTexts, TextOptions

TextSource = Callable[[Sequence[str]], EncodedTexts]
"""Captions to their states, where a base's own text encoders are not to be asked: they may have left the memory."""


def initial_latents(base: Base, seeds: Sequence[int], width: int, height: int) -> torch.Tensor:
    """Normal noise, float32 (n, channels, height / step, width / step); a seed gives the same noise in any batch."""
    shape = (base.latent_channels, height // base.latent_step, width // base.latent_step)
    return torch.stack([torch.randn(shape, generator=generator_for("sample", seed)) for seed in seeds])


@torch.no_grad()
def sample_latents(
    base: Base,
    prompts: Sequence[str],
    latents: torch.Tensor,
    *,
    steps: int,
    cfg_scale: float,
    negative_prompt: str = "",
    guidance: float | None = None,
    texts: TextOptions | TextSource | None = None,
) -> torch.Tensor:
    """Denoise `latents` (n, ...) towards `prompts` (n) in `steps` steps of the family's scheduler, without new noise.

    `cfg_scale` 1 draws without a negative prompt, in half the time; `guidance` is for models that are told one. `texts` says how the
    base reads the prompts, or gives their states itself; with a source only `prompts` and `negative_prompt` are asked for.
    """
    count = len(prompts)
    scheduler = base.diffusion.scheduler(steps, base.tokens(*latents.shape[-2:]))
    wanted = [*([negative_prompt] * count if cfg_scale != 1 else []), *prompts]
    states = base.encode_texts(wanted, texts or TextOptions()) if isinstance(texts, TextOptions | None) else texts(wanted)
    for timestep in scheduler.timesteps:
        if cfg_scale == 1:
            prediction = base.predict(latents, timestep.expand(count), states, guidance=guidance)
        else:
            both = base.predict(torch.cat([latents, latents]), timestep.expand(2 * count), states, guidance=guidance)
            negative, positive = both.chunk(2)
            prediction = base.guided(negative, positive, cfg_scale)
        latents = scheduler.step(prediction.float().to(latents.device), timestep, latents).prev_sample
    return latents


def to_pictures(pixels: torch.Tensor) -> list[Image.Image]:
    """(n, 3, h, w) in [-1, 1] to RGB pictures."""
    array = ((pixels.float() / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(a) for a in array]


def sample(
    base: Base, prompts: Sequence[str], seeds: Sequence[int], *, width: int | None = None, height: int | None = None,
    steps: int | None = None, cfg_scale: float | None = None, negative_prompt: str = "", guidance: float | None = None,
    texts: TextOptions | TextSource | None = None, batch_size: int = 16,
) -> list[Image.Image]:  # fmt: skip
    """One picture per prompt and seed; `width` and `height` in pixels. What is left out is as usual for the base."""
    width, height = width or base.native_resolution, height or base.native_resolution
    pictures: list[Image.Image] = []
    for first in range(0, len(prompts), batch_size):
        part = slice(first, first + batch_size)
        latents = sample_latents(
            base, prompts[part], initial_latents(base, seeds[part], width, height), steps=steps or base.defaults.steps,
            cfg_scale=base.defaults.cfg_scale if cfg_scale is None else cfg_scale, negative_prompt=negative_prompt, guidance=guidance,
            texts=texts,
        )  # fmt: skip
        pictures.extend(to_pictures(base.decode_latents(latents)))
    return pictures
