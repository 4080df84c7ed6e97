"""Plans for a run, whose settings and hold-out are known, and for any LoRA with a folder of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lorasmith.captions.rules import CaptionRules
from lorasmith.datasets.settings import BucketSettings, DatasetSettings
from lorasmith.datasets.training_set import TrainingPicture, TrainingSet, open_training_set
from lorasmith.errors import InputError
from lorasmith.evaluation.prompts import Group, PromptSet, make_prompts
from lorasmith.evaluation.proof.plan import EFFORTS, DrawingSettings, ProofPlan, RealPicture
from lorasmith.images.picture_cache import PICTURES
from lorasmith.models.description import Description
from lorasmith.models.open import describe
from lorasmith.models.settings import BaseModelSettings
from lorasmith.registry import nearest
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.settings.sections import SampleSettings, ValidationSettings
from lorasmith.training.settings.tree import Settings
from lorasmith.training.validation.validation_set import caption_for_validation, choose, open_held_out

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
        settings.datasets, settings.buckets, batch_size=settings.training.batch_size, balance_reg=settings.training.balance_reg,
        cache=settings.cache_folder / PICTURES,
    )  # fmt: skip
    return plan_for_training_set(settings, training_set, effort, seed)


def plan_for_training_set(settings: Settings, training_set: TrainingSet, effort: str = "standard", seed: int = 0) -> ProofPlan:
    """The same where the run's pictures are open already."""
    held_out = open_held_out(settings.validation, settings.datasets, settings.buckets, training_set, settings.cache_folder / PICTURES)
    rules = settings.captions.rules
    trained = [item for item in training_set.looked_at if not item.picture.is_reg]
    return _plan(
        _real(trained, settings.datasets, rules), _real(held_out.pictures, held_out.datasets, rules) if held_out else {},
        [item.picture.caption or "" for item in training_set.looked_at if item.picture.is_reg],
        settings.captions.trigger, settings.base, settings.samples, effort, seed,
    )  # fmt: skip


def plan_for_pictures(
    base: BaseModelSettings, pictures: str | Path, *, trigger: str | None = None, held_out: str | Path | None = None,
    effort: str = "standard", seed: int = 0, samples: SampleSettings | None = None, cache: Path | None = None,
) -> ProofPlan:  # fmt: skip
    """The plan for LoRAs that anybody trained on the captioned `pictures`: a folder, a manifest or shards.

    `held_out` is where pictures are that they were not trained on; None: the hold-out of `pictures`, if there is one. `cache` keeps what was
    seen of pictures, and has to be given for manifests and shards, whose indices are beside it.

    Raises InputError where pictures or base cannot be read.
    """
    native = describe(base.path, **base.open_options).native
    step = native.bucket_step
    shortest = max(step, native.side // 2 // step * step)
    buckets = BucketSettings(
        resolution=native.side, min_bucket_reso=shortest, max_bucket_reso=2 * native.side, bucket_reso_steps=step
    )  # fmt: skip
    folders, rules = [DatasetSettings(path=Path(pictures), repeats=1)], CaptionRules(trigger=trigger)
    training_set = open_training_set(folders, buckets, cache=cache)
    unseen = open_held_out(ValidationSettings(path=held_out and Path(held_out)), folders, buckets, training_set, cache)
    return _plan(
        _real(training_set.looked_at, folders, rules), _real(unseen.pictures, unseen.datasets, rules) if unseen else {}, (),
        trigger, base, samples or SampleSettings(), effort, seed,
    )  # fmt: skip


Pictures = dict[str, RealPicture]
"""By their names."""


def _plan(
    trained: Pictures, held_out: Pictures, regularisation: Sequence[str],
    trigger: str | None, base: BaseModelSettings, samples: SampleSettings, effort: str, seed: int,
) -> ProofPlan:  # fmt: skip
    if effort not in EFFORTS:
        raise InputError(f"There is no effort {effort!r}; {nearest(effort, EFFORTS)}", code="proof.unknown_effort", effort=effort)
    known, unseen = ({name: real.caption for name, real in some.items()} for some in (trained, held_out))
    prompts = make_prompts(known, unseen, EFFORTS[effort].counts, trigger=trigger, regularisation=regularisation, seed=seed)
    drawing = _drawing(describe(base.path, **base.open_options), samples, EFFORTS[effort].most_steps)
    first = _prompted_first(trained, prompts, "trained"), _prompted_first(held_out, prompts, "held_out")
    return ProofPlan(prompts, drawing, *first, base, effort)


def _real(items: Sequence[TrainingPicture], datasets: Sequence[DatasetSettings], rules: CaptionRules) -> Pictures:
    """Different pictures by their names, in an order that does not depend on what they are called."""
    return {
        name: RealPicture(name, caption_for_validation(item, datasets[item.dataset].caption_rules(rules)), item.latent_request)
        for item in choose(items, len(items))
        for name in [f"{item.picture.path.name} {item.picture.content[:8]}"]
    }


def _prompted_first(pictures: Pictures, prompts: PromptSet, group: Group) -> tuple[RealPicture, ...]:
    """Pictures whose captions are prompts, then others, `MOST_PICTURES` at most."""
    first = [prompt.picture for prompt in prompts.of(group)]
    return tuple(pictures[name] for name in dict.fromkeys((*first, *pictures)))[:MOST_PICTURES]


def _drawing(description: Description, samples: SampleSettings, most_steps: int | None) -> DrawingSettings:
    """As samples are drawn, in the base's native size where they have none; in fewer steps where the effort says so."""
    defaults, side = description.form.defaults, description.native.side
    steps = samples.steps or defaults.steps
    return DrawingSettings(
        samples.sampler, steps if most_steps is None else min(steps, most_steps),
        defaults.cfg_scale if samples.cfg_scale is None else samples.cfg_scale, samples.width or side, samples.height or side,
        samples.negative_prompt,
    )  # fmt: skip
