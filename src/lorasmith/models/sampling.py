"""Pictures from a base model: DDIM steps with classifier-free guidance, each from its own seed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image

from lorasmith.draws import generator_for
from lorasmith.models.family import Base


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
    clip_skip: int = 1,
) -> torch.Tensor:
    """Denoise `latents` (n, ...) towards `prompts` (n) in `steps` DDIM steps (Song et al. 2020, eta 0)."""
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler.from_config(base.scheduler_config)
    scheduler.set_timesteps(steps)
    states = base.encode_texts([*([negative_prompt] * len(prompts)), *prompts], clip_skip)
    latents = latents * scheduler.init_noise_sigma
    for timestep in scheduler.timesteps:
        if cfg_scale == 1:
            prediction = base.predict(latents, timestep.expand(len(prompts)), states[len(prompts) :])
        else:
            both = base.predict(torch.cat([latents, latents]), timestep.expand(2 * len(prompts)), states)
            away, towards = both.chunk(2)
            prediction = away + cfg_scale * (towards - away)
        latents = scheduler.step(prediction.float().to(latents.device), timestep, latents).prev_sample
    return latents


def to_pictures(pixels: torch.Tensor) -> list[Image.Image]:
    """(n, 3, h, w) in [-1, 1] to RGB pictures."""
    array = ((pixels.float() / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(a) for a in array]


def sample(
    base: Base, prompts: Sequence[str], seeds: Sequence[int], *, width: int | None = None, height: int | None = None, steps: int = 20,
    cfg_scale: float = 7.0, negative_prompt: str = "", clip_skip: int = 1, batch_size: int = 16,
) -> list[Image.Image]:  # fmt: skip
    """One picture per prompt and seed; `width` and `height` in pixels, the base's native size where left out."""
    width, height = width or base.native_resolution, height or base.native_resolution
    pictures: list[Image.Image] = []
    for first in range(0, len(prompts), batch_size):
        part = slice(first, first + batch_size)
        latents = sample_latents(
            base, prompts[part], initial_latents(base, seeds[part], width, height),
            steps=steps, cfg_scale=cfg_scale, negative_prompt=negative_prompt, clip_skip=clip_skip,
        )  # fmt: skip
        pictures.extend(to_pictures(base.decode_latents(latents)))
    return pictures
