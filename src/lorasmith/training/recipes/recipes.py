"""Recipes: settings for a kind of LoRA on a family of base models, fitted to how many pictures there are.

Every value has its reason and its source, so that a person can see both and disagree. The sources are guides by people who train LoRAs
(see `guides`), the papers, and our own measurements (docs/notebook.md). What differs from family to family is in the family's record.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from lorasmith.errors import SettingsError
from lorasmith.guides import BOOTCAMP, COLAB, CRASH_COURSE, FUNDAMENTALS, MEASURED, SEAART, guides
from lorasmith.models.families import FAMILIES
from lorasmith.models.family import Family, FamilyDefaults, Rate
from lorasmith.models.widths import FULL_SIZE, SOURCE, Width, Widths
from lorasmith.pages.numbers import count
from lorasmith.registry import nearest

Kind = Literal["character", "style", "concept", "multi-concept"]
Level = Literal["quick", "standard", "competition"]


@dataclass(frozen=True)
class Choice:
    """One setting of a recipe."""

    setting: str
    """Its dotted name: network.rank."""
    value: Any
    reason: str
    source: str


@dataclass(frozen=True)
class Request:
    """What a recipe is for."""

    kind: Kind
    family: Family
    level: Level
    images: int
    widths: Widths

    @property
    def defaults(self) -> FamilyDefaults:
        return self.family.defaults

    @property
    def learning_rate_free(self) -> bool:
        """Whether an optimizer finds the rate."""
        return self.level == "competition" and self.defaults.finds_its_own_rate

    @property
    def trains_text_encoder(self) -> bool:
        return self.kind != "style" and self.defaults.text_encoder_lr > 0


def recipe(kind: str, family: str, level: str, images: int, widths: Widths = FULL_SIZE) -> list[Choice]:
    """The choices for this many pictures, in the order of the settings file; `widths` are those of the base, without which it is of full size.

    Raises:
        SettingsError: there is no such kind, family or level, or no picture.
    """
    for value, known, what in ((kind, get_args(Kind), "kind"), (family, FAMILIES, "family"), (level, get_args(Level), "level")):
        if value not in known:
            raise SettingsError(f"There is no recipe for the {what} {value!r}; {nearest(value, known)}", code="recipe.unknown", what=what)
    if images < 1:
        raise SettingsError(f"A recipe for {images} pictures was asked for. Give the number of pictures.", code="recipe.no_pictures")
    request = Request(kind, FAMILIES[family], level, images, widths)  # type: ignore[arg-type]  # checked above
    return [choice for part in PARTS for choice in part(request)]


# -- the parts, in the order of the settings file ---------------------------------------------------------------------


def _pictures(request: Request) -> Iterable[Choice]:
    native, larger = request.defaults.resolution, request.defaults.largest_resolution
    resolution, reason = native, "the size the base was made for"
    if request.level == "quick" and native > 768:
        resolution, reason = 768, "smaller than the base's own size: faster, and enough to see whether the set is good"
    if request.level == "competition" and larger is not None:
        resolution, reason = larger, request.defaults.larger_resolution
    yield Choice("buckets.resolution", resolution, reason, guides(CRASH_COURSE, COLAB, BOOTCAMP, FUNDAMENTALS))
    yield Choice("buckets.max_bucket_reso", 2 * resolution, "equal to the resolution it would take area from wide pictures", MEASURED)
    source = guides(CRASH_COURSE, BOOTCAMP)
    yield Choice(
        "buckets.bucket_reso_steps", request.family.defaults.bucket_step, "what every program that uses the base was trained with", source
    )


def _captions(request: Request) -> Iterable[Choice]:
    if request.kind == "multi-concept":
        yield Choice("captions.keep_tokens", 2, "the character's and the outfit's tag stay in front", guides(CRASH_COURSE))
    else:
        source = guides(SEAART, COLAB, BOOTCAMP, FUNDAMENTALS)
        yield Choice("captions.keep_tokens", 1, "the trigger stays in front", source)
    yield Choice("captions.shuffle_caption", True, "for captions of tags: no tag counts more for being first; off for sentences", guides())
    if request.kind == "style":
        yield Choice("captions.caption_dropout_rate", 0.05, "a style should also be learnt without words", guides(BOOTCAMP))


def _network(request: Request) -> Iterable[Choice]:
    rank, reason, source = {
        "character": (32, "a likeness with its details; 8 is enough where the base nearly knows it", guides(CRASH_COURSE, BOOTCAMP)),
        "style": (64, "a look lies in many layers", guides(BOOTCAMP)),
        "concept": (32, "one thing, seen from all sides", guides(BOOTCAMP)),
        "multi-concept": (32, "several things share the file", guides(CRASH_COURSE)),
    }[request.kind]
    own = request.defaults.network
    if own is not None:
        rank, reason, source = own.rank, own.reason, own.source
    if request.level == "quick":
        rank, reason = rank // 2, "half of the usual: small and quick, for a first look"
    yield Choice("network.rank", rank, reason, source)
    if request.learning_rate_free:
        yield Choice("network.alpha", 1.0, "an optimizer that finds its own rate makes up for a small alpha", guides(CRASH_COURSE))
    elif own is not None:
        yield Choice("network.alpha", float(rank), "as large as the rank, for which the family's rate is meant", own.source)
    else:
        yield Choice("network.alpha", rank / 2, "half of the rank: strength grows calmly", guides(SEAART, BOOTCAMP))
    if request.defaults.text_encoder_lr == 0:
        why = request.defaults.text_encoders_left_alone
        yield Choice("network.train_text_encoder", False, why, f"measured by others: most LoRAs for {request.family.title}")
    elif request.kind == "style":
        yield Choice("network.train_text_encoder", False, "a style needs no new words", guides(BOOTCAMP))
    if request.level == "competition" and request.kind in ("character", "concept"):
        yield Choice("network.dora", True, "the best quality from few pictures, for more computing", guides(SEAART))


def _augmentation(request: Request) -> Iterable[Choice]:
    if request.kind == "style":
        source = guides(CRASH_COURSE, COLAB, BOOTCAMP)
        yield Choice("datasets.flip_aug", True, "mirrored pictures double the set, and a style has no left and right", source)


PASSES = {"style": {"quick": 20, "standard": 35, "competition": 40}}
"""Kind -> level -> how often each picture is seen in all; the other kinds:"""
PASSES_OF_OTHERS = {"quick": 50, "standard": 100, "competition": 120}
SAMPLES = {
    "character": (700, 3000, guides(SEAART, BOOTCAMP, FUNDAMENTALS)), "style": (1500, 6000, guides(BOOTCAMP, FUNDAMENTALS)),
    "concept": (1250, 4000, guides(BOOTCAMP)), "multi-concept": (1500, 6000, guides(CRASH_COURSE, BOOTCAMP)),
}  # fmt: skip
"""Kind -> least and most samples (steps at batch size 1) that the guides reach."""


def _length(request: Request) -> Iterable[Choice]:
    passes = PASSES.get(request.kind, PASSES_OF_OTHERS)[request.level]
    reason = "30 to 40 passes per picture" if request.kind == "style" else "about 100 passes per picture"
    source = guides(CRASH_COURSE)
    least, most, range_source = SAMPLES[request.kind]
    if request.level == "quick":
        least, most = least // 2, most // 2
    samples = min(max(passes * request.images, least), most)
    fitted = samples / request.images
    epochs = min(20 if request.level == "competition" else 10, max(1, round(fitted)))
    repeats = max(1, round(fitted / epochs))
    if samples != passes * request.images:
        reason, source = f"{reason}, held within {least} to {most} samples", f"{source}; {range_source}"
    yield Choice(
        "datasets.repeats",
        repeats,
        f"{reason}: {count(request.images, 'picture')} x {count(repeats, 'repeat')} x {count(epochs, 'epoch')}",
        source,
    )
    on_epochs = guides(SEAART, CRASH_COURSE, COLAB, BOOTCAMP)
    yield Choice("training.epochs", epochs, "as many checkpoints to choose from; the last is not always the best", on_epochs)
    if request.kind == "multi-concept":
        yield Choice("training.batch_size", 1, "one, so that no step mixes two things", guides(CRASH_COURSE))
    else:
        steps = math.ceil(request.images * repeats / 2) * epochs
        yield Choice("training.batch_size", 2, f"two average each other's noise; {steps} steps in all", guides(BOOTCAMP))
    precision = guides(CRASH_COURSE, BOOTCAMP)
    yield Choice("training.mixed_precision", "bf16", "half the memory; the trained weights stay float32", precision)


def _memory(request: Request) -> Iterable[Choice]:
    if (kept := request.defaults.memory_per_image) is not None:
        reason = f"without it a step keeps about {kept} for each picture of {request.defaults.resolution} pixels; a third more time"
        source = f"{guides(CRASH_COURSE)}; measured (docs/guide/performance.md)"
        yield Choice("training.gradient_checkpointing", True, reason, source)


def _optimizer(request: Request) -> Iterable[Choice]:
    if request.learning_rate_free:
        source = guides(SEAART, CRASH_COURSE, BOOTCAMP, FUNDAMENTALS)
        yield Choice("optimizer.type", "Prodigy", "finds the learning rate from the pictures", source)
        yield Choice("optimizer.learning_rate", 1.0, "what Prodigy expects", guides(CRASH_COURSE, BOOTCAMP))
        args = {"weight_decay": 0.1, "betas": [0.9, 0.99]}
        yield Choice("optimizer.args", args, "as Prodigy's users set it for LoRAs", guides(BOOTCAMP))
        why = "a restart would upset the rate that Prodigy has found"
        yield Choice("schedule.lr_scheduler", "cosine", why, guides(CRASH_COURSE, BOOTCAMP))
        return
    rate = request.defaults.rates_for.get(request.kind, request.defaults.rate)
    yield Choice("optimizer.type", "AdamW", "well understood, and exact on every machine", guides(SEAART, CRASH_COURSE, BOOTCAMP))
    yield rate_choice("optimizer.unet_lr", rate, request.widths.denoiser)
    if request.trains_text_encoder:
        share, in_words = (10, "tenth") if request.kind == "character" else (5, "fifth")
        why = f"a {in_words} of the denoiser's, or tags bleed"
        of_encoder = Rate(float(f"{rate.value / share:.3g}"), why, guides(COLAB, BOOTCAMP))
        yield rate_choice("optimizer.text_encoder_lr", of_encoder, request.widths.text_encoder)
    yield Choice("schedule.lr_scheduler", "cosine_with_restarts", "the guides' usual for Adam", guides())
    yield Choice("schedule.lr_scheduler_num_cycles", 3 if request.level == "competition" else 1, "1 to 3", guides())
    warmup = 0.1 if request.kind == "style" else 0.05
    yield Choice("schedule.lr_warmup_steps", warmup, "5 % of the steps; 10 % for a style", guides(BOOTCAMP))


def _loss(request: Request) -> Iterable[Choice]:
    if request.family.is_flow:
        yield Choice("loss.min_snr_gamma", 0.0, "a flow model weights by how timesteps are sampled", "measured: it has no effect")
        defaults, why = request.family.defaults, f"how {request.family.title} LoRAs are mostly trained"
        yield Choice("flow.timestep_sampling", defaults.timestep_sampling, why, defaults.timesteps_by)
        yield Choice("flow.model_prediction_type", defaults.model_prediction_type, why, defaults.timesteps_by)
    else:
        why = "keeps easy timesteps from dominating the loss; 5 is usual, 7 to 10 for photographs"
        yield Choice("loss.min_snr_gamma", 5.0, why, guides())


def _checkpoints(request: Request) -> Iterable[Choice]:
    yield Choice("checkpoints.save_every_n_epochs", 1, "every epoch is a candidate", guides(CRASH_COURSE, COLAB, BOOTCAMP))
    precision = request.defaults.save_precision
    yield Choice("checkpoints.save_precision", precision, "half the size, read everywhere", guides(CRASH_COURSE, BOOTCAMP))


PARTS: tuple[Callable[[Request], Iterable[Choice]], ...] = (
    _pictures, _captions, _network, _augmentation, _length, _memory, _optimizer, _loss, _checkpoints,
)  # fmt: skip


def rate_choice(setting: str, rate: Rate, width: Width) -> Choice:
    """A learning rate for a part of this width."""
    if width.is_usual:
        return Choice(setting, rate.value, rate.reason, rate.source)
    return Choice(setting, width.rate(rate.value), f"{rate.reason}; {width}", f"{rate.source}; {SOURCE}")


def settings_tree(choices: list[Choice]) -> dict[str, Any]:
    """The choices as nested sections; those of `datasets` apply to each of its folders, and come under "datasets"."""
    tree: dict[str, Any] = {}
    for choice in choices:
        section, _, name = choice.setting.partition(".")
        tree.setdefault(section, {})[name] = choice.value
    return tree
