"""Images from a base model, by any sampler, with classifier-free guidance; each image from its own seed, whatever its batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from PIL import Image

from lorasmith.draws import generator_for
from lorasmith.models.base import Base
from lorasmith.models.diffusion import clean
from lorasmith.models.prompts.request import PictureRequest
from lorasmith.models.prompts.states import PromptStates
from lorasmith.models.samplers import sampler_for, usual_sampler
from lorasmith.models.texts import EncodedTexts, TextOptions

if TYPE_CHECKING:
    from lorasmith.models.samplers import Noise

TextSource = Callable[[Sequence[str]], EncodedTexts]
"""Captions to their states, for a base whose text encoders are no longer in memory."""


def initial_latents(base: Base, seeds: Sequence[int], width: int, height: int) -> torch.Tensor:
    """Normal noise, float32 (n, channels, height / step, width / step); a seed gives the same noise in any batch."""
    shape = (base.latent_channels, height // base.latent_step, width // base.latent_step)
    return torch.stack([torch.randn(shape, generator=generator_for("sample", seed)) for seed in seeds])


def noise_of(seeds: Sequence[int], latents: torch.Tensor) -> Noise:
    """The noise that samplers add to `latents` (n, ...) on the way: each image's from its own seed, for each step and part of it."""

    def noise(step: int, part: int) -> torch.Tensor:
        drawn = [torch.randn(latents.shape[1:], generator=generator_for("sampler", seed, step, part)) for seed in seeds]
        return torch.stack(drawn).to(latents)

    return noise


@torch.no_grad()
def sample_latents(
    base: Base,
    prompts: Sequence[str],
    latents: torch.Tensor,
    *,
    steps: int,
    cfg_scale: float,
    sampler: str | None = None,
    seeds: Sequence[int] | None = None,
    negative_prompt: str = "",
    guidance: float | None = None,
    texts: TextOptions | TextSource | None = None,
) -> torch.Tensor:
    """Denoise `latents` (n, ...), normal noise, towards `prompts` (n) in `steps` steps of a sampler (None: the base's usual one).

    `seeds` (n) are for samplers that add noise (None: 0, 1, ...). `cfg_scale` 1 samples without a negative prompt, in half the time;
    `guidance` is for guidance-distilled models. `texts` says how the base reads the prompts, or gives their states itself; with a source
    only `prompts` and `negative_prompt`, as the base reads it, are asked for. Raises SettingsError where the sampler does not fit the base.
    """
    diffusion = base.diffusion
    chosen = sampler_for(sampler or base.defaults.sampler or usual_sampler(diffusion.prediction_type), diffusion.prediction_type)
    sigmas = chosen.schedule(diffusion, steps, base.tokens(*latents.shape[-2:]))
    asked = [*([base.as_negative(negative_prompt)] * len(prompts) if cfg_scale != 1 else []), *prompts]
    states = base.encode_texts(asked, texts or TextOptions()) if isinstance(texts, TextOptions | None) else texts(asked)

    def model(x: torch.Tensor, sigma: float) -> torch.Tensor:
        signal = diffusion.signal(sigma)
        noisy = signal * x
        levels = (torch.full((len(x),), signal), torch.full((len(x),), signal * sigma))
        return clean(diffusion.prediction_type, noisy, predict(noisy, diffusion.timestep(sigma)), levels)

    def predict(noisy: torch.Tensor, timestep: float) -> torch.Tensor:
        if cfg_scale == 1:
            return base.predict(noisy, torch.full((len(noisy),), timestep), states, guidance=guidance).float().to(noisy.device)
        both = base.predict(torch.cat([noisy, noisy]), torch.full((2 * len(noisy),), timestep), states, guidance=guidance)
        negative, positive = both.chunk(2)
        return base.guided(negative, positive, cfg_scale).float().to(noisy.device)

    noise = noise_of(range(len(latents)) if seeds is None else seeds, latents)
    x = chosen.solve(model, latents / diffusion.signal(sigmas[0]), sigmas, noise)
    return diffusion.signal(sigmas[-1]) * x


def to_pictures(pixels: torch.Tensor) -> list[Image.Image]:
    """(n, 3, h, w) in [-1, 1] to RGB pictures."""
    array = ((pixels.float() / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(a) for a in array]


def sample(
    base: Base, prompts: Sequence[str], seeds: Sequence[int], *, width: int | None = None, height: int | None = None,
    steps: int | None = None, cfg_scale: float | None = None, sampler: str | None = None, negative_prompt: str = "",
    guidance: float | None = None, texts: TextOptions | TextSource | None = None, batch_size: int = 16,
) -> list[Image.Image]:  # fmt: skip
    """One image per prompt and seed; `width` and `height` in pixels, `sampler` a key of `samplers.SAMPLERS`.

    What is left out is as usual for the base. Raises SettingsError where the sampler does not fit the base.
    """
    width, height = width or base.native_resolution, height or base.native_resolution
    pictures: list[Image.Image] = []
    for first in range(0, len(prompts), batch_size):
        part = slice(first, first + batch_size)
        latents = sample_latents(
            base, prompts[part], initial_latents(base, seeds[part], width, height), steps=steps or base.defaults.steps,
            cfg_scale=base.defaults.cfg_scale if cfg_scale is None else cfg_scale, sampler=sampler, seeds=seeds[part],
            negative_prompt=negative_prompt, guidance=guidance, texts=texts,
        )  # fmt: skip
        pictures.extend(to_pictures(base.decode_latents(latents)))
    return pictures


def generate(
    base: Base, requests: Sequence[PictureRequest], states: Mapping[int, PromptStates], batch_size: int = 16
) -> Iterator[tuple[int, Image.Image]]:
    """The pictures of complete requests, each with its place among them, as they are done; those that are drawn alike in one batch.

    `states` has the prompts' states for each clip skip. A picture depends on its own request alone.
    """
    alike: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place, one in enumerate(requests):
        length = states[one.clip_skip].encode(one)
        drawn_with = (
            one.width,
            one.height,
            one.sampler,
            one.steps,
            one.cfg_scale,
            one.guidance,
            one.negative_prompt,
            one.clip_skip,
            length,
        )
        alike[drawn_with].append(place)
    for places in alike.values():
        for first in range(0, len(places), batch_size):
            batch = places[first : first + batch_size]
            one = requests[batch[0]]
            pictures = sample(
                base, [requests[place].prompt for place in batch], [requests[place].seed for place in batch], width=one.width,
                height=one.height, steps=one.steps, cfg_scale=one.cfg_scale, sampler=one.sampler, negative_prompt=one.negative_prompt,
                guidance=one.guidance, texts=states[one.clip_skip],
            )  # fmt: skip
            yield from zip(batch, pictures, strict=True)
