"""What every checkpoint is measured against: the base's own pictures of the same prompts, and real pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from lorasmith.evaluation.measures import keeps
from lorasmith.evaluation.measures.probe import Probe, fit_probe
from lorasmith.evaluation.measures.spaces import Views
from lorasmith.evaluation.prompts import Group, Prompt
from lorasmith.evaluation.proof.denoising import Question, denoising_errors
from lorasmith.evaluation.proof.image_encoder import ImageEncoder
from lorasmith.evaluation.proof.plan import DrawingSettings, ProofPlan, RealPicture
from lorasmith.evaluation.proof.views import Seen, look_at
from lorasmith.evaluation.proof.work import Work
from lorasmith.images.read import read_picture
from lorasmith.models.base import Base, SizeConditioning


@dataclass(frozen=True, eq=False)
class Ruler:
    """Pictures of the base and real ones, and what follows from them alone. Views are by the numbers of the plan's prompts and pictures."""

    pictures: list[Image.Image]
    views: Views
    """Of the base's pictures."""
    trained: Views
    held_out: Views | None
    """None where nothing is held out."""
    probes: dict[str, Probe]
    """By space; those in which real pictures do not stand apart from the base's are left out."""
    margins: dict[str, float]
    """Prompt -> how well the base reads its own picture of it; of other prompts."""
    reference: np.ndarray
    """Features that all are scaled by."""


def make_ruler(
    base: Base, plan: ProofPlan, pictures: list[Image.Image], batch_size: int, work: Work, encoder: ImageEncoder | None = None
) -> Ruler:
    """From the base's pictures of the plan's prompts; no LoRA is on the base."""
    options = plan.base.text_options
    seen = look_at(base, pictures, options, batch_size, work, encoder)
    real = [
        look_at(base, _as_drawn(some, plan.drawing), options, batch_size, work, encoder) if some else None
        for some in (plan.trained, plan.held_out)
    ]
    trained, held_out = real
    assert trained is not None, "a plan has training pictures"
    against = numbers_of(plan, "new", "other")
    reference = np.concatenate([trained.features, seen.features[against]])
    views, of_trained = seen.views(reference), trained.views(reference)
    of_held_out = held_out.views(reference) if held_out is not None else None
    probes = {}
    for space in views:
        zero = views[space][numbers_of(plan, "new") or against]
        probe = fit_probe(of_trained[space], views[space][against], zero, of_held_out[space] if of_held_out is not None else None)
        if probe is not None:
            probes[space] = probe
    margins = margins_of(base, plan, seen, batch_size, work)
    return Ruler(pictures, views, of_trained, of_held_out, probes, margins, reference)


def margins_of(base: Base, plan: ProofPlan, seen: Seen, batch_size: int, work: Work) -> dict[str, float]:
    """How well the base reads pictures of the other prompts, by prompt; see `measures.keeps`. No LoRA is on the base."""
    numbers = numbers_of(plan, "other")
    if len(numbers) < 2:
        return {}
    prompts = [plan.prompts.prompts[number] for number in numbers]
    size = SizeConditioning.uncropped(plan.drawing.width, plan.drawing.height)
    compared = [(place, *keeps.other_prompts(place, len(prompts))) for place in range(len(prompts))]
    questions = [
        Question(seen.latents[number], prompts[words].text, sigma, prompt.name, size)
        for number, prompt, several in zip(numbers, prompts, compared, strict=True)
        for words in several
        for sigma in keeps.SIGMAS
    ]
    errors = np.array(denoising_errors(base, questions, plan.base.text_options, batch_size, work))
    by_prompt = errors.reshape(len(prompts), -1, len(keeps.SIGMAS))
    return {prompt.name: keeps.margin(own[0], own[1:]) for prompt, own in zip(prompts, by_prompt, strict=True)}


def numbers_of(plan: ProofPlan, *groups: Group) -> list[int]:
    """Which of the plan's prompts are of these groups."""
    return [number for number, prompt in enumerate(plan.prompts.prompts) if prompt.group in groups]


def names_of(prompts: Sequence[Prompt]) -> list[str]:
    return [prompt.name for prompt in prompts]


def _as_drawn(pictures: Sequence[RealPicture], drawing: DrawingSettings) -> list[Image.Image]:
    """Real pictures in the size of the drawn ones: scaled to cover it, cropped about the middle."""
    found = []
    for real in pictures:
        picture = read_picture(real.request.path)
        scale = max(drawing.width / picture.width, drawing.height / picture.height)
        left, top = (picture.width - drawing.width / scale) / 2, (picture.height - drawing.height / scale) / 2
        box = (left, top, picture.width - left, picture.height - top)
        found.append(picture.resize((drawing.width, drawing.height), Image.Resampling.LANCZOS, box=box))
    return found
