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
from lorasmith.models.family import Family, FamilyDefaults
from lorasmith.models.widths import FULL_SIZE, SOURCE, Width, Widths
from lorasmith.registry import nearest
from lorasmith.sentences import Sentence
from lorasmith.training.recipes.reasons import because, because_of_family, because_of_width

Kind = Literal["character", "style", "concept", "multi-concept"]
Level = Literal["quick", "standard", "competition"]


@dataclass(frozen=True)
class Choice:
    """One setting of a recipe."""

    setting: str
    """Its dotted name: network.rank."""
    value: Any
    why: Sentence
    source: str

    @property
    def reason(self) -> str:
        """Why, in English."""
        return self.why.english

    @property
    def as_data(self) -> dict[str, Any]:
        """For `--json` and the API, without codes."""
        return {"setting": self.setting, "value": self.value, "reason": self.reason, "source": self.source}


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
    resolution, why = native, because("native_size")
    if request.level == "quick" and native > 768:
        resolution, why = 768, because("smaller_size")
    if request.level == "competition" and larger is not None:
        resolution, why = larger, because_of_family("larger_size", "family_size", request.family)
    yield Choice("buckets.resolution", resolution, why, guides(CRASH_COURSE, COLAB, BOOTCAMP, FUNDAMENTALS))
    yield Choice("buckets.max_bucket_reso", 2 * resolution, because("wide_pictures"), MEASURED)
    source = guides(CRASH_COURSE, BOOTCAMP)
    yield Choice("buckets.bucket_reso_steps", request.family.defaults.bucket_step, because("bucket_step"), source)


def _captions(request: Request) -> Iterable[Choice]:
    if request.kind == "multi-concept":
        yield Choice("captions.keep_tokens", 2, because("two_in_front"), guides(CRASH_COURSE))
    else:
        source = guides(SEAART, COLAB, BOOTCAMP, FUNDAMENTALS)
        yield Choice("captions.keep_tokens", 1, because("trigger_in_front"), source)
    yield Choice("captions.shuffle_caption", True, because("shuffled"), guides())
    if request.kind == "style":
        yield Choice("captions.caption_dropout_rate", 0.05, because("without_words"), guides(BOOTCAMP))


def _network(request: Request) -> Iterable[Choice]:
    rank, reason, source = {
        "character": (32, "rank_of_character", guides(CRASH_COURSE, BOOTCAMP)),
        "style": (64, "rank_of_style", guides(BOOTCAMP)),
        "concept": (32, "rank_of_concept", guides(BOOTCAMP)),
        "multi-concept": (32, "rank_of_several", guides(CRASH_COURSE)),
    }[request.kind]
    why = because(reason)
    own = request.defaults.network
    if own is not None:
        rank, why, source = own.rank, because_of_family("rank_of_family", "family_rank", request.family), own.source
    if request.level == "quick":
        rank, why = rank // 2, because("half_rank")
    yield Choice("network.rank", rank, why, source)
    if request.learning_rate_free:
        yield Choice("network.alpha", 1.0, because("small_alpha"), guides(CRASH_COURSE))
    elif own is not None:
        yield Choice("network.alpha", float(rank), because("alpha_as_rank"), own.source)
    else:
        yield Choice("network.alpha", rank / 2, because("half_alpha"), guides(SEAART, BOOTCAMP))
    if request.defaults.text_encoder_lr == 0:
        why = because_of_family("texts_left_alone", "family_texts", request.family)
        yield Choice("network.train_text_encoder", False, why, f"measured by others: most LoRAs for {request.family.title}")
    elif request.kind == "style":
        yield Choice("network.train_text_encoder", False, because("no_new_words"), guides(BOOTCAMP))
    if request.level == "competition" and request.kind in ("character", "concept"):
        yield Choice("network.dora", True, because("dora"), guides(SEAART))


def _augmentation(request: Request) -> Iterable[Choice]:
    if request.kind == "style":
        source = guides(CRASH_COURSE, COLAB, BOOTCAMP)
        yield Choice("datasets.flip_aug", True, because("mirrored"), source)


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
    why = because("passes_of_style" if request.kind == "style" else "passes_of_others")
    source = guides(CRASH_COURSE)
    least, most, range_source = SAMPLES[request.kind]
    if request.level == "quick":
        least, most = least // 2, most // 2
    samples = min(max(passes * request.images, least), most)
    fitted = samples / request.images
    epochs = min(20 if request.level == "competition" else 10, max(1, round(fitted)))
    repeats = max(1, round(fitted / epochs))
    if samples != passes * request.images:
        why, source = because("held_within", passes=why, least=least, most=most), f"{source}; {range_source}"
    why = because("passes", passes=why, pictures=request.images, repeats=repeats, epochs=epochs)
    yield Choice("datasets.repeats", repeats, why, source)
    on_epochs = guides(SEAART, CRASH_COURSE, COLAB, BOOTCAMP)
    yield Choice("training.epochs", epochs, because("candidates"), on_epochs)
    if request.kind == "multi-concept":
        yield Choice("training.batch_size", 1, because("one_at_a_time"), guides(CRASH_COURSE))
    else:
        steps = math.ceil(request.images * repeats / 2) * epochs
        yield Choice("training.batch_size", 2, because("two_at_a_time", steps=steps), guides(BOOTCAMP))
    precision = guides(CRASH_COURSE, BOOTCAMP)
    yield Choice("training.mixed_precision", "bf16", because("bf16"), precision)


def _memory(request: Request) -> Iterable[Choice]:
    if (kept := request.defaults.memory_per_image) is not None:
        why = because("checkpointing", kept=kept, side=request.defaults.resolution)
        source = f"{guides(CRASH_COURSE)}; measured (docs/guide/performance.md)"
        yield Choice("training.gradient_checkpointing", True, why, source)


def _optimizer(request: Request) -> Iterable[Choice]:
    if request.learning_rate_free:
        source = guides(SEAART, CRASH_COURSE, BOOTCAMP, FUNDAMENTALS)
        yield Choice("optimizer.type", "Prodigy", because("finds_rate"), source)
        yield Choice("optimizer.learning_rate", 1.0, because("rate_found"), guides(CRASH_COURSE, BOOTCAMP))
        args = {"weight_decay": 0.1, "betas": [0.9, 0.99]}
        yield Choice("optimizer.args", args, because("usual_arguments"), guides(BOOTCAMP))
        yield Choice("schedule.lr_scheduler", "cosine", because("no_restart"), guides(CRASH_COURSE, BOOTCAMP))
        return
    rate = request.defaults.rates_for.get(request.kind, request.defaults.rate)
    yield Choice("optimizer.type", "AdamW", because("adam"), guides(SEAART, CRASH_COURSE, BOOTCAMP))
    own_kind = request.kind if request.kind in request.defaults.rates_for else ""
    why = because_of_family("rate", "family_rate", request.family, own_kind)
    yield rate_choice("optimizer.unet_lr", rate.value, why, rate.source, request.widths.denoiser)
    if request.trains_text_encoder:
        share, reason = (10, "tenth") if request.kind == "character" else (5, "fifth")
        of_encoder = float(f"{rate.value / share:.3g}")
        source = guides(COLAB, BOOTCAMP)
        yield rate_choice("optimizer.text_encoder_lr", of_encoder, because(reason), source, request.widths.text_encoder)
    yield Choice("schedule.lr_scheduler", "cosine_with_restarts", because("usual_schedule"), guides())
    yield Choice("schedule.lr_scheduler_num_cycles", 3 if request.level == "competition" else 1, because("cycles"), guides())
    warmup = 0.1 if request.kind == "style" else 0.05
    yield Choice("schedule.lr_warmup_steps", warmup, because("warmup"), guides(BOOTCAMP))


def _loss(request: Request) -> Iterable[Choice]:
    if request.family.is_flow:
        yield Choice("loss.min_snr_gamma", 0.0, because("flow_weighting"), "measured: it has no effect")
        defaults, why = request.family.defaults, because("as_mostly", title=request.family.title)
        yield Choice("flow.timestep_sampling", defaults.timestep_sampling, why, defaults.timesteps_by)
        yield Choice("flow.model_prediction_type", defaults.model_prediction_type, why, defaults.timesteps_by)
    else:
        yield Choice("loss.min_snr_gamma", 5.0, because("min_snr"), guides())


def _checkpoints(request: Request) -> Iterable[Choice]:
    yield Choice("checkpoints.save_every_n_epochs", 1, because("every_epoch"), guides(CRASH_COURSE, COLAB, BOOTCAMP))
    precision = request.defaults.save_precision
    yield Choice("checkpoints.save_precision", precision, because("half_size"), guides(CRASH_COURSE, BOOTCAMP))


PARTS: tuple[Callable[[Request], Iterable[Choice]], ...] = (
    _pictures, _captions, _network, _augmentation, _length, _memory, _optimizer, _loss, _checkpoints,
)  # fmt: skip


def rate_choice(setting: str, usual: float, why: Sentence, source: str, width: Width) -> Choice:
    """A learning rate for a part of this width, from the one that is usual at full size."""
    if width.is_usual:
        return Choice(setting, usual, why, source)
    return Choice(setting, width.rate(usual), because_of_width(why, width), f"{source}; {SOURCE}")


def settings_tree(choices: list[Choice]) -> dict[str, Any]:
    """The choices as nested sections; those of `datasets` apply to each of its folders, and come under "datasets"."""
    tree: dict[str, Any] = {}
    for choice in choices:
        section, _, name = choice.setting.partition(".")
        tree.setdefault(section, {})[name] = choice.value
    return tree
