"""The kinds of noise beside the plain one, each with the settings of `noise` that shape it.

A base whose schedule ends short of pure noise (DDPM without zero terminal SNR) always sees a trace of each picture's mean, never learns
to make one up, and samples everything at middling brightness. Two remedies give the noise large forms of its own; a third is for
something else:

    noise_offset                 n + o g                          g normal, one number a channel (Guttenberg 2023, "offset noise"); the strength
                                                                  o may be drawn for each sample, or grow with the picture's own mean (adaptive)
    multires_noise_iterations    (n + sum of d^i up(g_i)) / std   g_i normal at coarser and coarser sizes (Whitaker 2023, "pyramid noise")
    ip_noise_gamma               the model sees n + gamma g, and is asked for n alone: while sampling it meets its own errors
                                                                  (Ning et al. 2023, https://arxiv.org/abs/2301.11706)

An entry of `NOISE_KINDS` is named after the setting that switches it on. What is drawn is drawn for one sample alone, sizes and strengths
too, and `multires` is scaled by that sample's own deviation, so that a sample's noise is the same in every batch and on every process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lorasmith.draws import generator_for, rng_for
from lorasmith.registry import register

if TYPE_CHECKING:
    from torch import Tensor

SampleKey = tuple[int, int, int]
"""(seed, step, sample): what a sample's draws are for."""


@dataclass(frozen=True)
class NoiseKind:
    """A kind of noise."""

    apply: Callable[[Tensor, Tensor, Mapping[str, float], SampleKey], Tensor]
    """(one sample's noise (1, c, h, w), its latents, this kind's settings by name, what to draw for) to its noise."""
    takes: tuple[str, ...]
    """Settings that have an effect where this kind is on."""
    usual: str
    """The usual value of the setting that switches it on, in words."""
    input_alone: bool = False
    """The model sees it and is not asked for it."""
    for_flow: bool = True


NOISE_KINDS: dict[str, NoiseKind] = {}


# -- pure functions of what was drawn -------------------------------------------------------------------------------------


def offset(noise: Tensor, gauss: Tensor, strength: float | Tensor) -> Tensor:
    """Noise (n, c, h, w) moved by strength * gauss (n, c, 1, 1)."""
    return noise + strength * gauss


def adapted_strength(strength: float, latents: Tensor, scale: float) -> Tensor:
    """strength + scale * |mean of the picture|, (n, c, 1, 1), never below 0: dark and bright pictures are moved more (less: scale < 0)."""
    return (strength + scale * latents.mean((2, 3), keepdim=True).abs()).clamp(min=0)


def level_sizes(height: int, width: int, drawn: Iterable[float]) -> list[tuple[int, int]]:
    """Sizes of the levels of multires noise, one for each number drawn from 0 to 1: level i is r^i times smaller, r = 2 + 2 drawn.

    Level 0 is as large as the latents. A level with a side of 1 is the last.
    """
    sizes = []
    for level, u in enumerate(drawn):
        smaller = (2 + 2 * u) ** level
        sizes.append((max(1, int(height / smaller)), max(1, int(width / smaller))))
        if 1 in sizes[-1]:
            break
    return sizes


def multires(noise: Tensor, levels: Sequence[Tensor], discount: float) -> Tensor:
    """Noise (n, c, h, w) plus its levels (n, c, smaller h, smaller w), level i times discount^i; scaled to a deviation of 1 over all n."""
    from torch.nn.functional import interpolate

    for level, coarse in enumerate(levels):
        noise = noise + discount**level * interpolate(coarse, size=noise.shape[2:], mode="bilinear")
    return noise / noise.std()


def perturbed(noise: Tensor, more: Tensor, gamma: float) -> Tensor:
    """Noise for the input alone, while the target keeps the clean one."""
    return noise + gamma * more


# -- drawn for each sample ------------------------------------------------------------------------------------------------


def _normal(shape: Sequence[int], like: Tensor, *purpose: str | int) -> Tensor:
    import torch

    return torch.randn(tuple(shape), generator=generator_for(*purpose)).to(like.device)


def _offset(noise: Tensor, latents: Tensor, settings: Mapping[str, float], key: SampleKey) -> Tensor:
    share = rng_for("noise offset strength", *key).random() if settings["noise_offset_random_strength"] else 1.0
    strength = adapted_strength(settings["noise_offset"] * share, latents, settings["adaptive_noise_scale"])
    return offset(noise, _normal((1, noise.shape[1], 1, 1), noise, "noise offset", *key), strength)


def _multires(noise: Tensor, latents: Tensor, settings: Mapping[str, float], key: SampleKey) -> Tensor:
    import torch

    channels, height, width = noise.shape[1:]
    sizes, generator = rng_for("multires noise sizes", *key), generator_for("multires noise", *key)
    drawn = (sizes.random() for _ in range(int(settings["multires_noise_iterations"])))
    levels = [torch.randn((1, channels, *size), generator=generator).to(noise.device) for size in level_sizes(height, width, drawn)]
    return multires(noise, levels, settings["multires_noise_discount"])


def _perturbed(noise: Tensor, latents: Tensor, settings: Mapping[str, float], key: SampleKey) -> Tensor:
    share = rng_for("input noise strength", *key).random() if settings["ip_noise_gamma_random_strength"] else 1.0
    return perturbed(noise, _normal(noise.shape, noise, "input noise", *key), settings["ip_noise_gamma"] * share)


register(NOISE_KINDS, "noise_offset", NoiseKind(_offset, ("noise_offset_random_strength", "adaptive_noise_scale"), "0.05", for_flow=False))
register(NOISE_KINDS, "multires_noise_iterations", NoiseKind(_multires, ("multires_noise_discount",), "6", for_flow=False))
register(NOISE_KINDS, "ip_noise_gamma", NoiseKind(_perturbed, ("ip_noise_gamma_random_strength",), "0.1", input_alone=True))
