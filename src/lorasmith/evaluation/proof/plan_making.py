"""Plans for a run, whose settings and hold-out are known, and for any LoRA with a folder of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lorasmith.captions.rules import CaptionRules
from lorasmith.dataset_folder import HOLDOUT, pictures_below
from lorasmith.datasets.settings import BucketSettings, DatasetSettings
from lorasmith.datasets.training_set import TrainingPicture, open_training_set
from lorasmith.errors import InputError
from lorasmith.evaluation.prompts import Group, PromptSet, make_prompts
from lorasmith.evaluation.proof.plan import EFFORTS, Drawing, ProofPlan, RealPicture
from lorasmith.models.description import Description
from lorasmith.models.open import describe
from lorasmith.models.settings import BaseModelSettings
from lorasmith.registry import nearest
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.settings.sections import SampleSettings
from lorasmith.training.settings.tree import Settings
from lorasmith.training.validation.validation import caption_for_validation
from lorasmith.training.validation.validation_set import choose, open_held_out

MOST_PICTURES = 64
"""Real pictures on each side that pictures are compared with."""


def plan_for_run(folder: str | Path, effort: str = "standard", seed: int = 0) -> ProofPlan:
    """The plan for a run's folder; pictures are drawn as its samples are."""
    return plan_for_settings(RunFolder(Path(folder)).read_settings(), effort, seed)


def plan_for_settings(settings: Settings, effort: str = "standard", seed: int = 0) -> ProofPlan:
    """The plan for a run with these settings, before it is trained or after.

    Raises InputError where its pictures or its base cannot be read.
    """
    training_set = open_training_set(
        settings.datasets, settings.buckets, batch_size=settings.training.batch_size, balance_reg=settings.training.balance_reg
    )
    held_out = open_held_out(settings.validation, settings.datasets, settings.buckets, training_set)
    return _plan(
        [item for item in training_set.pictures if not item.picture.is_reg], held_out.pictures if held_out else (),
        settings.captions.rules, settings.base, settings.samples, effort, seed,
        [item.picture.caption or "" for item in training_set.pictures if item.picture.is_reg],
    )  # fmt: skip


def plan_for_pictures(
    base: BaseModelSettings, pictures: str | Path, *, trigger: str | None = None, held_out: str | Path | None = None,
    effort: str = "standard", seed: int = 0, samples: SampleSettings | None = None,
) -> ProofPlan:  # fmt: skip
    """The plan for LoRAs that anybody trained on the captioned `pictures`.

    `held_out` is a folder of pictures that they were not trained on; None: the hold-out inside `pictures`, if there is one.

    Raises InputError where pictures or base cannot be read.
    """
    native = describe(base.path, **base.open_options).native
    step = native.bucket_step
    buckets = BucketSettings(
        resolution=native.side,
        min_bucket_reso=max(step, native.side // 2 // step * step),
        max_bucket_reso=2 * native.side,
        bucket_reso_steps=step,
    )
    folder = Path(held_out) if held_out is not None else Path(pictures) / HOLDOUT
    trained = open_training_set([DatasetSettings(path=Path(pictures), repeats=1)], buckets).pictures
    unseen: Sequence[TrainingPicture] = ()
    if held_out is not None or (folder.is_dir() and pictures_below(folder)):
        unseen = open_training_set([DatasetSettings(path=folder, repeats=1)], buckets).pictures
    rules = CaptionRules(trigger=trigger)
    return _plan(list(trained), unseen, rules, base, samples or SampleSettings(), effort, seed, ())


def _plan(
    trained: Sequence[TrainingPicture], held_out: Sequence[TrainingPicture], rules: CaptionRules, base: BaseModelSettings,
    samples: SampleSettings, effort: str, seed: int, regularisation: Sequence[str],
) -> ProofPlan:  # fmt: skip
    if effort not in EFFORTS:
        raise InputError(f"There is no effort {effort!r}; {nearest(effort, EFFORTS)}", code="proof.unknown_effort", effort=effort)
    known, unseen = ({real.name: real for real in _real(choose(some, len(some)), rules)} for some in (trained, held_out))
    prompts = make_prompts(
        {name: real.caption for name, real in known.items()}, {name: real.caption for name, real in unseen.items()},
        EFFORTS[effort].counts, trigger=rules.trigger, regularisation=regularisation, seed=seed,
    )  # fmt: skip
    drawing = _drawing(describe(base.path, **base.open_options), samples, EFFORTS[effort].most_steps)
    return ProofPlan(
        prompts, drawing, _prompted_first(known, prompts, "trained"), _prompted_first(unseen, prompts, "held_out"), base, effort
    )


def _real(items: Sequence[TrainingPicture], rules: CaptionRules) -> list[RealPicture]:
    return [
        RealPicture(f"{item.picture.path.name} {item.picture.content[:8]}", caption_for_validation(item, rules), item.latent_request)
        for item in items
    ]


def _prompted_first(pictures: dict[str, RealPicture], prompts: PromptSet, group: Group) -> tuple[RealPicture, ...]:
    """Pictures whose captions are prompts, then others, `MOST_PICTURES` at most."""
    first = [prompt.picture for prompt in prompts.of(group)]
    return tuple(pictures[name] for name in dict.fromkeys((*first, *pictures)))[:MOST_PICTURES]


def _drawing(description: Description, samples: SampleSettings, most_steps: int | None) -> Drawing:
    """As samples are drawn, in the base's native size where they have none; in fewer steps where the effort says so."""
    defaults, side = description.form.defaults, description.native.side
    steps = samples.steps or defaults.steps
    return Drawing(
        samples.sampler, steps if most_steps is None else min(steps, most_steps),
        defaults.cfg_scale if samples.cfg_scale is None else samples.cfg_scale, samples.width or side, samples.height or side,
        samples.negative_prompt,
    )  # fmt: skip
