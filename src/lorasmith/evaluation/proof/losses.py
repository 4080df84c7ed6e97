"""Losses of real pictures in each band of noise, with a LoRA on the base or without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from lorasmith.datasets.latents import bucket_pixels
from lorasmith.evaluation.measures.losses import BandErrors, loss_measures
from lorasmith.evaluation.measures.measured import Measure
from lorasmith.evaluation.proof.denoising import Question, denoising_errors
from lorasmith.evaluation.proof.plan import RealPicture
from lorasmith.evaluation.proof.work import Work
from lorasmith.models.base import Base, SizeConditioning
from lorasmith.models.texts import TextOptions
from lorasmith.training.validation.bands import BANDS

Sides = dict[str, BandErrors]
"""Errors of "trained" and of "held_out" pictures."""


def questions_of(base: Base, pictures: Sequence[RealPicture]) -> list[Question]:
    """What losses ask: each picture in its bucket, with its caption, at both noises of every band."""
    questions = []
    for real in pictures:
        latent = base.encode_pixels(bucket_pixels(real.request)[None])[0].float().cpu().contiguous()
        fit = real.request.fit
        size = SizeConditioning(fit.resized, fit.crop, fit.bucket)
        content = real.request.content or real.name
        questions += [Question(latent, real.caption, sigma, content, size) for band in BANDS.values() for sigma in band.sigmas]
    return questions


@torch.no_grad()
def side_errors(
    base: Base, questions: Sequence[Question], trained: Sequence[RealPicture], held_out: Sequence[RealPicture], options: TextOptions,
    batch_size: int, work: Work,
) -> Sides:  # fmt: skip
    """The errors on both sides with the weights of this moment; `questions` are of the training pictures, then the held-out ones."""
    errors = iter(denoising_errors(base, questions, options, batch_size, work))
    sides: dict[str, dict[str, dict[str, tuple[float, ...]]]] = {}
    for side, pictures in (("trained", trained), ("held_out", held_out)):
        sides[side] = {band: {} for band in BANDS}
        for real in pictures:
            for band, about in BANDS.items():
                sides[side][band][real.name] = tuple(next(errors) for _ in about.sigmas)
    return dict(sides)


def measures_of_losses(own: Mapping[str, BandErrors], of_base: Mapping[str, BandErrors]) -> dict[str, Measure]:
    """See `measures.losses`."""
    return loss_measures(own["trained"], of_base["trained"], own["held_out"], of_base["held_out"])
