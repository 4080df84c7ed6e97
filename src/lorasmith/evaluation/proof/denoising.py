"""How well a base, or a base with a LoRA, denoises pictures under given words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from lorasmith.draws import generator_for
from lorasmith.evaluation.proof.work import Work
from lorasmith.models.base import Base, SizeConditioning
from lorasmith.models.diffusion import TARGETS, Ddpm, add_noise
from lorasmith.models.texts import EncodedTexts, TextOptions


@dataclass(frozen=True, eq=False)
class Question:
    """One prediction: `latent` (c, h, w) with noise at `sigma`, noise over signal, under a caption.

    The noise is the same for all questions of one `noise` and sigma, so that their errors can be compared.
    """

    latent: torch.Tensor
    caption: str
    sigma: float
    noise: str
    size: SizeConditioning


@torch.no_grad()
def denoising_errors(base: Base, questions: Sequence[Question], options: TextOptions, batch_size: int, work: Work) -> list[float]:
    """The mean square error of each prediction, in the order of the questions."""
    captions = list(dict.fromkeys(question.caption for question in questions))
    texts = {caption: base.encode_texts([caption], options) for caption in captions}
    errors = [0.0] * len(questions)
    for numbers in _batches(questions, batch_size):
        work.check()
        part = [questions[number] for number in numbers]
        states = EncodedTexts.cat([texts[question.caption] for question in part])
        for number, error in zip(numbers, _errors(base, part, states), strict=True):
            errors[number] = error
        work.did(len(part))
    return errors


def timesteps_at(base: Base, sigmas: Sequence[float]) -> torch.Tensor:
    """What the model is given as timesteps at noise over signal; the nearest ones where they are discrete."""
    timesteps = torch.tensor([base.diffusion.timestep(sigma) for sigma in sigmas])
    return timesteps.round().long() if isinstance(base.diffusion, Ddpm) else timesteps


def _errors(base: Base, part: Sequence[Question], texts: EncodedTexts) -> list[float]:
    latents = torch.stack([question.latent for question in part])
    noise = torch.stack([torch.randn(q.latent.shape, generator=generator_for("proof noise", q.noise, f"{q.sigma:.4f}")) for q in part])
    timesteps = timesteps_at(base, [question.sigma for question in part])
    levels = base.diffusion.levels(timesteps)
    prediction = base.predict(add_noise(latents, noise, levels), timesteps, texts, [question.size for question in part]).float().cpu()
    target = TARGETS[base.diffusion.prediction_type](latents, noise, levels)
    found: list[float] = (prediction - target).square().flatten(1).mean(1).tolist()
    return found


def _batches(questions: Sequence[Question], batch_size: int) -> Iterator[list[int]]:
    """Numbers of questions that are answered together: neighbours of one shape."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for number, question in enumerate(questions):
        by_shape.setdefault(tuple(question.latent.shape), []).append(number)
    for numbers in by_shape.values():
        for first in range(0, len(numbers), batch_size):
            yield numbers[first : first + batch_size]
