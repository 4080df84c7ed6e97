"""What the guides would say about a run before it begins: each lint is one of their rules, told from settings and pictures alone.

A lint is a small pure function from `Checked` to sentences with a fix, and `LINTS` names them. It speaks where a rule is clearly
left, not at every difference from a recipe: a run without a lint is usual, not necessarily good. What cannot work at all is an
error of `check_together` instead; what captions say about themselves is looked at in `captions.advice`.

The sources S0 to S4 are the guides of `training.recipes.GUIDES`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from lorasmith.adapters.settings import TAKES
from lorasmith.captions.caption import Caption
from lorasmith.captions.triggers import likely_triggers
from lorasmith.datasets.balance import MOST_PASSES, Share, balanced_repeats
from lorasmith.datasets.training_set import TrainingPicture, TrainingSet
from lorasmith.findings import Finding, Fix
from lorasmith.models.description import Description
from lorasmith.models.family import FamilyDefaults
from lorasmith.training.optim.optimizers import OPTIMIZERS, Optimizer
from lorasmith.training.optim.schedules import SCHEDULES, in_steps
from lorasmith.training.planning.check import CheckedRun
from lorasmith.training.planning.plan import Plan
from lorasmith.training.settings.tree import Settings

PARTS = ("denoiser", "text_encoder")
LookOfSet = Literal["multi-concept", "style", "subject"]


@dataclass(frozen=True)
class Lint:
    """Something that the guides advise against."""

    name: str
    """Its key in `LINTS`."""
    sentence: str
    """What is set or found, with the number, and why that matters."""
    fix: str
    """Which setting to change to which value, or what else to do."""
    source: str


@dataclass(frozen=True)
class BaseFacts:
    """What lints ask of a base; known before a weight is read."""

    family: str
    defaults: FamilyDefaults
    native_resolution: int
    """Side of the square it was made for, in pixels."""
    prediction_type: str


def facts_of(description: Description) -> BaseFacts:
    """The facts of a described base. A base of the family's size has the family's native resolution; a smaller one says its own."""
    defaults = description.record.defaults
    native = description.sizes.native if {description.denoiser, "vae"} <= description.parts.keys() else defaults.resolution
    return BaseFacts(description.family, defaults, native, description.prediction_type)


@dataclass(frozen=True)
class Checked:
    """A run that has not begun."""

    settings: Settings
    training_set: TrainingSet
    base: BaseFacts
    plan: Plan

    @cached_property
    def pictures(self) -> list[TrainingPicture]:
        """Without regularisation pictures."""
        return [item for item in self.training_set.pictures if not item.picture.is_reg]

    @cached_property
    def concepts(self) -> dict[str, Share]:
        """Folder -> what it gets, without regularisation; folders are told apart by their place on the disk."""
        places: dict[str, list[TrainingPicture]] = defaultdict(list)
        for item in self.pictures:
            places[str(item.picture.path.parent)].append(item)
        names = Counter(items[0].picture.folder for items in places.values())
        return {
            place if names[items[0].picture.folder] > 1 else items[0].picture.folder: Share(
                len(items), items[0].picture.repeats, self.plan.epochs
            )
            for place, items in places.items()
        }

    @property
    def looks_like(self) -> LookOfSet:
        """Several folders are several concepts; one without a word to call it, or with words left alone, is a style; else a subject."""
        if len(self.concepts) > 1:
            return "multi-concept"
        called = self.settings.captions.trigger is not None or bool(self.shared_first_tags)
        return "subject" if called and self.rate("text_encoder") > 0 else "style"

    @property
    def epochs(self) -> float:
        """Also where a number of steps ends the run inside an epoch."""
        return self.plan.steps / self.plan.steps_per_epoch

    @property
    def passes(self) -> float:
        """How often a picture is seen in the whole run, on average."""
        return self.showings / len(self.pictures)

    @property
    def showings(self) -> float:
        """Pictures shown in the whole run: steps at batch size 1."""
        return sum(item.picture.repeats for item in self.pictures) * self.epochs

    @cached_property
    def captions(self) -> list[Caption]:
        """Those that say something."""
        return [Caption(text.encode()) for item in self.pictures if (text := (item.picture.caption or "").strip())]

    @cached_property
    def caption_style(self) -> Literal["tags", "sentences", ""]:
        """What most captions are; "" where they are too short to tell."""
        kinds = Counter("sentences" if c.parts[1] else "tags" if len(c.tags) >= 4 else "" for c in self.captions)
        style, count = kinds.most_common(1)[0] if kinds else ("", 0)
        return style if 2 * count > len(self.captions) else ""  # type: ignore[return-value]  # one of the three above

    @cached_property
    def shared_first_tags(self) -> tuple[str, ...]:
        """What the captions begin with and seems to be meant as triggers."""
        return likely_triggers(self.captions)

    @property
    def lacks_trigger(self) -> bool:
        """Whether one concept's captions name it by no common word; in a few captions that says nothing."""
        named = self.settings.captions.trigger is not None or bool(self.shared_first_tags)
        return not named and len(self.concepts) == 1 and len(self.captions) >= 5

    @property
    def optimizer(self) -> Optimizer | None:
        """None where it is a dotted path, of which nothing is known."""
        return OPTIMIZERS.get(self.settings.optimizer.type)

    @property
    def learning_rate_free(self) -> bool:
        return self.optimizer is not None and self.optimizer.learning_rate_free

    @property
    def largest_side(self) -> tuple[str, float]:
        """The setting with the largest area to train at, and the side of a square of that area."""
        found = {"buckets.resolution": self.settings.buckets.size}
        for number, dataset in enumerate(self.settings.datasets):
            if dataset.resolution is not None:
                own = dataset.resolution
                found[f"datasets.{number}.resolution"] = own if isinstance(own, tuple) else (own, own)
        name = max(found, key=lambda each: math.prod(found[each]))
        return name, math.sqrt(math.prod(found[name]))

    @property
    def largest_batch(self) -> tuple[str, int]:
        """The setting with the largest batch size, and that."""
        found = {"training.batch_size": self.settings.training.batch_size}
        found |= {f"datasets.{n}.batch_size": own for n, dataset in enumerate(self.settings.datasets) if (own := dataset.batch_size)}
        name = max(found, key=lambda each: found[each])
        return name, found[name]

    def rate(self, part: str) -> float:
        """Learning rate of the denoiser or of the (first) text encoder; 0 where it does not train."""
        return self.settings.lr_of("unet" if part == "denoiser" else part, self.base.family)

    def rate_setting(self, part: str) -> str:
        """The setting that gives a part its rate."""
        own = "unet_lr" if part == "denoiser" else "text_encoder_lr"
        return f"optimizer.{own}" if getattr(self.settings.optimizer, own) is not None else "optimizer.learning_rate"


Found = Iterator[tuple[str, str, str]]
"""Sentence, fix and source of what a rule finds."""
Rule = Callable[[Checked], Found]


def lint(run: CheckedRun) -> list[Finding]:
    """What all rules find in a run, in the order of `LINTS`."""
    found = lints_of(run.settings, run.training_set, facts_of(run.description), run.plan)
    return [
        Finding(code=f"lint.{each.name}", severity="warning", message=each.sentence, about="setting", fix=Fix(each.fix), source=each.source)
        for each in found
    ]


def lints_of(settings: Settings, training_set: TrainingSet, base: BaseFacts, plan: Plan) -> list[Lint]:
    """What all rules find, in the order of `LINTS`."""
    checked = Checked(settings, training_set, base, plan)
    if not checked.pictures:
        return []
    return [Lint(name, *found) for name, rule in LINTS.items() for found in rule(checked)]


# -- pictures ---------------------------------------------------------------------------------------------------------

FEWEST = {"subject": (15, "S1: at least 15, though 8 has worked"), "style": (30, "S0, S4"), "multi-concept": (15, "S1")}
MOST = {"subject": (100, "S0, S1, S4"), "style": (400, "S0, S1, S4")}


def few_pictures(checked: Checked) -> Found:
    least, source = FEWEST[checked.looks_like]
    what = {"subject": "one subject", "style": "a style", "multi-concept": "a concept"}[checked.looks_like]
    short = {name: share.pictures for name, share in checked.concepts.items() if share.pictures < least}
    if short:
        where = ", ".join(f"{name} has {count}" for name, count in short.items())
        yield (
            f"{where} pictures, and {what} needs {least} or so: what a few pictures share by chance is learnt with it",
            "add pictures",
            source,
        )


def many_pictures(checked: Checked) -> Found:
    most, source = MOST.get(checked.looks_like, (0, ""))
    if most and len(checked.pictures) > most:
        yield (
            f"{len(checked.pictures)} pictures are more than {checked.looks_like} LoRAs gain from ({most} at most): a bad picture among so many goes unseen",
            f"keep the best {most // 2} to {most}, or hold some out",
            source,
        )


def small_pictures(checked: Checked) -> Found:
    small = [item for item in checked.pictures if item.fit.resized[0] > 1.25 * item.picture.size[0]]
    if 10 * len(small) >= len(checked.pictures):
        side = int(math.sqrt(min(math.prod(item.picture.size) for item in small)))
        yield (
            f"{len(small)} of {len(checked.pictures)} pictures are enlarged by more than a quarter to reach buckets.resolution: the LoRA learns their blur",
            f"upscale them with a good upscaler, set buckets.bucket_no_upscale to true, or buckets.resolution to {max(64, side // 64 * 64)}",
            "S1, S4",
        )


def unbalanced_concepts(checked: Checked) -> Found:
    showings = {name: share.samples for name, share in checked.concepts.items()}
    if len(showings) < 2 or max(showings.values()) <= 1.5 * min(showings.values()):
        return
    most, least = max(showings, key=lambda name: showings[name]), min(showings, key=lambda name: showings[name])
    fair = balanced_repeats({name: share.pictures for name, share in checked.concepts.items()}, epochs=checked.plan.epochs)
    yield (
        f"{most} is shown {showings[most]} times an epoch and {least} {showings[least]} times: the first grows at the other's cost",
        "set the folders' repeats to " + ", ".join(f"{share.repeats} ({name})" for name, share in fair.items()),
        "S1",
    )


def over_baked_folders(checked: Checked) -> Found:
    for name, share in checked.concepts.items():
        passes = share.repeats * checked.epochs
        if passes > MOST_PASSES:
            yield (
                f"each of {name}'s {share.pictures} pictures is seen {passes:.0f} times: the LoRA learns these pictures rather than what they show",
                f"find more pictures for {name}, or lower its repeats to {max(1, int(MOST_PASSES / 2 / checked.epochs))} or training.epochs",
                "S1",
            )


# -- sizes ------------------------------------------------------------------------------------------------------------


def resolution_over_native(checked: Checked) -> Found:
    name, side = checked.largest_side
    native = checked.base.native_resolution
    most = 768 if (checked.base.family, native) == ("sd1", 512) else native  # SD 1.5 still draws 768 without doubling
    if side > 1.01 * most:
        later = (
            "; Illustrious 1.0 and later were made for 1536, there it is right" if checked.base.family == "sdxl" and side <= 1536 else ""
        )
        yield (
            f"{name} {side:.0f} is over the base's native {native}: it draws doubled or stretched pictures there{later}",
            f"set {name} to {native}",
            "S1-S4",
        )


def resolution_far_under_native(checked: Checked) -> Found:
    native, side = checked.base.native_resolution, math.sqrt(math.prod(checked.settings.buckets.size))
    if side <= 0.5 * native:
        yield (
            f"buckets.resolution {side:.0f} is half of the base's native {native} or less: details are lost, and the base is worse at that size",
            f"set buckets.resolution to {native}, or {3 * native // 4} to save time",
            "S1-S4",
        )


def bucket_area_lost(checked: Checked) -> Found:
    buckets = checked.settings.buckets
    if not buckets.enable_bucket or buckets.bucket_no_upscale or buckets.max_bucket_reso > max(buckets.size):
        return
    shrunk = [item for item in checked.pictures if math.prod(item.fit.bucket) < 0.9 * math.prod(buckets.size)]
    if shrunk:
        worst = min((item.fit.bucket for item in shrunk), key=math.prod)
        yield (
            f"buckets.max_bucket_reso {buckets.max_bucket_reso} is no longer than the resolution: {len(shrunk)} of {len(checked.pictures)} pictures train "
            f"smaller than they could, the worst at {worst[0]} x {worst[1]}, {math.prod(worst) / math.prod(buckets.size):.0%} of the area",
            f"set buckets.max_bucket_reso to {2 * max(buckets.size)}",
            "sd-scripts' own buckets, measured",
        )


def no_buckets(checked: Checked) -> Found:
    cropped = [item for item in checked.pictures if item.fit.lost > 0.1]
    if not checked.settings.buckets.enable_bucket and cropped:
        yield (
            f"without buckets {len(cropped)} of {len(checked.pictures)} pictures lose more than a tenth at their edges: heads and feet are cut off",
            "set buckets.enable_bucket to true",
            "S1, S3",
        )


# -- augmentation and noise -------------------------------------------------------------------------------------------


def _folders_with(checked: Checked, setting: str) -> list[str]:
    """The folders whose pictures to learn have a setting on, as the settings name them."""
    return [f"datasets.{n}" for n, dataset in enumerate(checked.settings.datasets) if getattr(dataset, setting) and not dataset.is_reg]


def flipped_subject(checked: Checked) -> Found:
    folders = _folders_with(checked, "flip_aug")
    if folders and checked.looks_like != "style":
        yield (
            f"{folders[0]}.flip_aug shows half of the pictures mirrored: a parting, a scar, one earring, letters or a logo come out on both sides",
            f"set {folders[0]}.flip_aug to false, unless nothing about it has a left and a right",
            "S1-S3",
        )


def changed_colours(checked: Checked) -> Found:
    folders = _folders_with(checked, "color_aug")
    if folders:
        yield (
            f"{folders[0]}.color_aug shifts hue and brightness: eyes, hair and palettes are learned less exactly",
            f"set {folders[0]}.color_aug to false",
            "S3",
        )


def strong_noise_offset(checked: Checked) -> Found:
    offset, most = checked.settings.noise.noise_offset, 0.1 if checked.looks_like == "style" else 0.05
    if offset > most:
        yield (
            f"noise.noise_offset {offset:g} is over {most:g}: pictures turn out too dark or too bright, and contrast is burnt in",
            f"set noise.noise_offset to {most:g} or less",
            "S3",
        )


def multires_noise_for_subject(checked: Checked) -> Found:
    noise = checked.settings.noise
    if noise.multires_noise_iterations and checked.looks_like == "subject":
        yield (
            f"noise.multires_noise_iterations {noise.multires_noise_iterations} is for styles: it moves light and composition, which a subject should leave alone",
            "set noise.multires_noise_iterations to 0",
            "S3",
        )
    elif noise.multires_noise_iterations > 10:
        yield (
            f"noise.multires_noise_iterations {noise.multires_noise_iterations} lays very coarse noise over the pictures: 6 to 10 is usual",
            "set noise.multires_noise_iterations to 8",
            "S3",
        )


# -- captions ---------------------------------------------------------------------------------------------------------


def no_trigger(checked: Checked) -> Found:
    if checked.lacks_trigger:
        yield (
            "captions.trigger is not set and the captions begin with no common tag: the LoRA has no word that calls it and changes every picture alike",
            "set captions.trigger to a rare word",
            "S0, S1, S4",
        )


def one_trigger_for_several(checked: Checked) -> Found:
    if checked.settings.captions.trigger is not None and len(checked.concepts) > 1:
        yield (
            f"captions.trigger {checked.settings.captions.trigger!r} stands before the captions of {len(checked.concepts)} concepts: one word calls a mixture of them",
            "remove captions.trigger and begin the captions of each folder with a word of its own",
            "S1",
        )


def sentences_shuffled(checked: Checked) -> Found:
    if checked.settings.captions.shuffle_caption and checked.caption_style == "sentences":
        yield (
            "captions.shuffle_caption is on, but most captions are sentences: they are torn apart at their commas",
            "set captions.shuffle_caption to false",
            "S0, S2",
        )


def tags_in_order(checked: Checked) -> Found:
    if not checked.settings.captions.shuffle_caption and checked.caption_style == "tags":
        yield (
            "captions.shuffle_caption is off, but the captions are tags: what stands first counts more for standing first",
            "set captions.shuffle_caption to true, and captions.keep_tokens to 1 with a trigger",
            "S0, S2, S3, S4",
        )


def trigger_shuffled(checked: Checked) -> Found:
    captions = checked.settings.captions
    kept = captions.keep_tokens or captions.trigger is not None or captions.keep_tokens_separator is not None
    if captions.shuffle_caption and not kept and (shared := checked.shared_first_tags):
        yield (
            f"the captions begin with {', '.join(shared)}, which looks like the trigger, but captions.keep_tokens is 0: it is shuffled among the others",
            f"set captions.keep_tokens to {len(shared)}, or captions.trigger to {shared[0]!r}",
            "S0, S2, S3, S4",
        )


def tokens_kept_without_trigger(checked: Checked) -> Found:
    captions = checked.settings.captions
    if captions.shuffle_caption and captions.keep_tokens and checked.lacks_trigger:
        yield (
            f"captions.keep_tokens is {captions.keep_tokens}, but there is no trigger: whatever stands first is kept there",
            "set captions.keep_tokens to 0, or captions.trigger",
            "S0, S2, S3, S4",
        )


def second_tag_shuffled(checked: Checked) -> Found:
    captions = checked.settings.captions
    if len(checked.concepts) > 1 and captions.shuffle_caption and captions.keep_tokens < 2 and captions.keep_tokens_separator is None:
        yield (
            f"captions.keep_tokens is {captions.keep_tokens} with {len(checked.concepts)} concepts: a character's tag and its outfit's should both stay in front",
            "set captions.keep_tokens to 2",
            "S1",
        )


def many_captions_dropped(checked: Checked) -> Found:
    rate, most = checked.settings.captions.caption_dropout_rate, 0.1 if checked.looks_like == "style" else 0.05
    if rate > most:
        yield (
            f"captions.caption_dropout_rate {rate:g} leaves so many captions empty that the LoRA also works uncalled; up to {most:g} is usual here",
            f"set captions.caption_dropout_rate to {most:g}",
            "S3",
        )


def epochs_without_captions(checked: Checked) -> Found:
    if every := checked.settings.captions.caption_dropout_every_n_epochs:
        yield (
            f"captions.caption_dropout_every_n_epochs is {every}: whole epochs teach nothing about words, and their checkpoints are judged unfairly",
            "set captions.caption_dropout_every_n_epochs to 0",
            "S0, S2-S4",
        )


def weighted_captions(checked: Checked) -> Found:
    if checked.settings.base.weighted_captions:
        yield (
            "base.weighted_captions is on: emphasis belongs in prompts; in captions it teaches the base another strength of a word",
            "take the (word:1.2) out of the captions and set base.weighted_captions to false",
            "S3",
        )


def clip_skip(checked: Checked) -> Found:
    skip, family = checked.settings.base.clip_skip, checked.base.family
    full_size = checked.base.native_resolution == checked.base.defaults.resolution  # small bases have habits of their own
    if family == "sd1" and full_size and skip == 1 and checked.caption_style == "tags":
        yield (
            "base.clip_skip is 1, but the captions are tags, as anime bases want them: those read the last but one layer",
            ("set base.clip_skip to 2 if the base is an anime model"),
            "S1, S3, S4",
        )
    if family == "sd1" and full_size and skip == 2 and checked.caption_style == "sentences":
        yield (
            "base.clip_skip is 2, but the captions are sentences, as realistic bases want them: those read the last layer",
            ("set base.clip_skip to 1 if the base is no anime model"),
            "S1, S3, S4",
        )
    if skip > {"sd1": 2, "sdxl": 2}.get(family, 1):
        yield f"base.clip_skip {skip} is used by no base of the family {family}", "set base.clip_skip to 1", "S1, S3, S4"


# -- network ----------------------------------------------------------------------------------------------------------

MOST_RANK: Mapping[str, tuple[int, str]] = {
    "lora": (64, "S1, S3: over 64 rarely helps, 128 bloats"), "loha": (32, "S1"), "glora": (64, "S1"), "dylora": (128, "S1"),
}  # fmt: skip
MOST_CONVOLUTION_RANK = 16


def rank_over_kind(checked: Checked) -> Found:
    network = checked.settings.network
    most, source = MOST_RANK.get(network.kind, (math.inf, ""))
    if network.rank > most:
        yield (
            f"network.rank {network.rank} is high for the kind {network.kind}: the file grows and it learns the pictures by heart",
            f"set network.rank to {most if network.kind != 'lora' else 32} and network.alpha to half of it",
            source,
        )


def convolutions_over_rank(checked: Checked) -> Found:
    network = checked.settings.network
    rank = network.conv_rank if network.conv_rank is not None else network.rank
    if network.effective_preset in ("convolutions", "full") and network.kind in ("lora", "loha") and rank > MOST_CONVOLUTION_RANK:
        yield (
            f"the 3x3 convolutions are trained with rank {rank}: they hold texture and burn in first",
            (f"set network.conv_rank to {MOST_CONVOLUTION_RANK} or less, and network.conv_alpha to 1"),
            "S1, S2",
        )


def low_rank_for_several(checked: Checked) -> Found:
    network = checked.settings.network
    if len(checked.concepts) > 1 and network.kind == "lora" and network.rank < 16:
        yield (
            f"network.rank {network.rank} has little room for {len(checked.concepts)} concepts: they run into each other",
            ("set network.rank to 32"),
            "S1",
        )


def alpha_over_rank(checked: Checked) -> Found:
    network = checked.settings.network
    if network.kind in TAKES["alpha"] and network.alpha_value > network.rank:
        yield (
            f"network.alpha {network.alpha_value:g} is over network.rank {network.rank}: it multiplies the learning rate by {network.alpha_value / network.rank:g}",
            f"set network.alpha to {network.rank / 2:g}, half of the rank, and raise the learning rate if you mean that",
            "S0, S1, S3",
        )


def alpha_far_under_rank(checked: Checked) -> Found:
    network = checked.settings.network
    takes = network.kind in TAKES["alpha"] and not network.rs_lora
    if takes and not checked.learning_rate_free and network.alpha_value < network.rank / 16:
        yield (
            f"network.alpha {network.alpha_value:g} is 1/{network.rank / network.alpha_value:.0f} of network.rank {network.rank}: learning is slowed as much, "
            f"and {checked.settings.optimizer.type} does not make up for it",
            f"set network.alpha to {network.rank / 2:g}",
            "S1: half of the rank without an adaptive optimizer",
        )


def dylora_in_batches(checked: Checked) -> Found:
    training = checked.settings.training
    if checked.settings.network.kind == "dylora" and training.batch_size > 1:
        yield (
            f"training.batch_size is {training.batch_size}: DyLoRA draws one rank for a whole batch, and learns slower of each",
            (f"set training.batch_size to 1 and training.gradient_accumulation_steps to {training.batch_size}"),
            "S1",
        )


def dylora_small(checked: Checked) -> Found:
    if checked.settings.network.kind == "dylora" and checked.settings.network.rank < 64:
        yield (
            f"network.rank {checked.settings.network.rank} leaves DyLoRA little to choose from: it finds the best rank below its own",
            ("set network.rank to 128 and network.alpha to 64"),
            "S1",
        )


def ia3_rate(checked: Checked) -> Found:
    if checked.settings.network.kind == "ia3" and not checked.learning_rate_free and 0 < checked.rate("denoiser") < 1e-3:
        yield (
            f"{checked.rate_setting('denoiser')} {checked.rate('denoiser'):g} is too low for (IA)^3, whose few numbers must move far",
            (f"set {checked.rate_setting('denoiser')} to 0.005"),
            "S1: 5e-3 to 1e-2",
        )


def strong_dropout(checked: Checked) -> Found:
    network, most = checked.settings.network, 0.1 if checked.looks_like == "style" else 0.05
    for field, limit, source in (("dropout", most, "S3"), ("rank_dropout", 0.3, "sd-scripts"), ("module_dropout", 0.3, "sd-scripts")):
        if (value := getattr(network, field)) > limit:
            yield f"network.{field} {value:g} is strong: details do not get learnt", f"set network.{field} to {limit:g} or less", source


def small_set_high_rank(checked: Checked) -> Found:
    network = checked.settings.network
    if len(checked.pictures) < 15 and network.kind == "lora" and network.rank >= 64 and not (network.dropout or network.rank_dropout):
        yield (
            f"{len(checked.pictures)} pictures and network.rank {network.rank} without dropout: the network has room to learn each picture by heart",
            "set network.rank to 16, or network.dropout to 0.05",
            "S1, S3",
        )


# -- who learns, and how fast -----------------------------------------------------------------------------------------

FASTEST, SLOWEST = 8.0, 0.1  # times the family's usual rate


def idle_text_encoder(checked: Checked) -> Found:
    if checked.settings.network.train_text_encoder and checked.rate("text_encoder") == 0:
        yield (
            "network.train_text_encoder is on, but its learning rate is 0: it is in the settings and does not train",
            ("set network.train_text_encoder to false, or optimizer.text_encoder_lr to a tenth of the U-Net's"),
            "S3",
        )


def text_encoder_of_family(checked: Checked) -> Found:
    if checked.base.defaults.text_encoder_lr == 0 and checked.rate("text_encoder") > 0:
        yield (
            f"the text encoder is trained, but that of {checked.base.family} is usually left alone: the base understands sentences as it is",
            ("set network.train_text_encoder to false"),
            "the family's users",
        )


def text_encoder_without_word(checked: Checked) -> Found:
    if checked.looks_like == "style" and len(checked.captions) >= 5 and checked.rate("text_encoder") > 0:
        yield (
            "the text encoder is trained, but there is no trigger for it to learn: it changes what all words mean",
            ("set network.train_text_encoder to false, or captions.trigger"),
            "S3",
        )


def text_encoder_too_fast(checked: Checked) -> Found:
    denoiser, encoder = checked.rate("denoiser"), checked.rate("text_encoder")
    if denoiser and encoder > 0.5 * denoiser and not checked.learning_rate_free:
        yield (
            f"the text encoder's learning rate {encoder:g} is over half of the denoiser's {denoiser:g}: words bleed into each other, and every picture "
            f"looks like the training set",
            f"set optimizer.text_encoder_lr to {denoiser / 10:g}",
            "S2, S3",
        )


def rate_far_from_usual(checked: Checked) -> Found:
    defaults, rate = checked.base.defaults.denoiser_lr, checked.rate("denoiser")
    if not rate or checked.learning_rate_free or not _steps_like_adam(checked) or checked.settings.network.kind == "ia3":
        return
    setting = checked.rate_setting("denoiser")
    if rate > FASTEST * defaults:
        yield (
            f"{setting} {rate:g} is {rate / defaults:.0f} times what {checked.base.family} is usually trained with: colours burn, shapes break",
            (f"set {setting} to {defaults:g}, at most {4 * defaults:g}"),
            "S2, S3",
        )
    if rate < SLOWEST * defaults:
        yield (
            f"{setting} {rate:g} is {rate / defaults:.2g} of what {checked.base.family} is usually trained with: little is learnt",
            (f"set {setting} to {defaults:g}"),
            "S2, S3",
        )


def _steps_like_adam(checked: Checked) -> bool:
    return checked.optimizer is not None and checked.optimizer.steps_like_adam


def rate_of_finders(checked: Checked) -> Found:
    if not checked.learning_rate_free:
        return
    for setting in dict.fromkeys(checked.rate_setting(part) for part in PARTS if checked.rate(part)):
        value = getattr(checked.settings.optimizer, setting.removeprefix("optimizer."))
        if not 0.5 <= value <= 2:
            yield (
                f"{setting} is {value:g}, but {checked.settings.optimizer.type} finds the rate itself and multiplies it by this",
                (f"set {setting} to 1"),
                "S1, S3",
            )


def schedule_of_finders(checked: Checked) -> Found:
    schedule = checked.settings.schedule
    if checked.learning_rate_free and SCHEDULES[schedule.lr_scheduler].restarts and (schedule.lr_scheduler_num_cycles or 1) > 1:
        yield (
            f"schedule.lr_scheduler restarts, which upsets the rate that {checked.settings.optimizer.type} has found",
            ("set schedule.lr_scheduler to 'cosine' or 'constant'"),
            "S0, S1, S3",
        )


def many_restarts(checked: Checked) -> Found:
    cycles = checked.settings.schedule.lr_scheduler_num_cycles or 1
    if not checked.learning_rate_free and cycles > 3:
        yield (
            f"schedule.lr_scheduler_num_cycles is {cycles}: so many restarts leave little time to settle in each",
            ("set schedule.lr_scheduler_num_cycles to 1, at most 3"),
            "S0-S4",
        )


def long_warmup(checked: Checked) -> Found:
    warmup = in_steps(checked.settings.schedule.lr_warmup_steps, checked.plan.steps)
    if warmup > 0.2 * checked.plan.steps:
        yield (
            f"schedule.lr_warmup_steps takes {warmup} of {checked.plan.steps} steps; 5 % is usual for a character, 10 % for a style",
            ("set schedule.lr_warmup_steps to 0.05"),
            "S3",
        )


# -- how long ---------------------------------------------------------------------------------------------------------

# Showings in the whole run (steps at batch size 1), from the least to the most that a guide gives; and passes over each picture.
SHOWINGS: Mapping[LookOfSet, tuple[int, int, str]] = {
    "subject": (700, 3000, "S0, S3, S4"), "style": (1500, 6000, "S3, S4"), "multi-concept": (1250, 6000, "S0, S1, S3"),
}  # fmt: skip
PASSES: Mapping[LookOfSet, int] = {"subject": 100, "style": 35, "multi-concept": 100}  # S1


def short_training(checked: Checked) -> Found:
    least, _, source = SHOWINGS[checked.looks_like]
    defaults = PASSES[checked.looks_like]
    if checked.showings < least / 2 and checked.passes < defaults / 2:
        yield (
            f"pictures are shown {checked.showings:.0f} times in all, {checked.passes:.0f} times each: {least} and {defaults} are usual, so it likely does little",
            f"set training.{_longer(checked, least)}",
            source,
        )


def long_training(checked: Checked) -> Found:
    _, most, source = SHOWINGS[checked.looks_like]
    defaults = PASSES[checked.looks_like]
    if checked.showings > 2 * most and checked.passes > defaults:
        yield (
            f"pictures are shown {checked.showings:.0f} times in all, {checked.passes:.0f} times each: {most} and {defaults} are usual, so the end is likely over-trained",
            f"set training.{_longer(checked, most)}",
            source,
        )


def _longer(checked: Checked, showings: int) -> str:
    """The setting of the run's length, for about so many showings."""
    epochs = max(1, round(checked.epochs * showings / checked.showings))
    if checked.settings.training.epochs is not None:
        return f"epochs to {epochs}"
    return f"max_train_steps to {epochs * checked.plan.steps_per_epoch}"


def large_batch(checked: Checked) -> Found:
    name, size = checked.largest_batch
    if size > 4:
        yield (
            f"{name} is {size}: over 4 details average out, and a higher learning rate is needed",
            (f"set {name} to 4 or less"),
            "S1",
        )


def concepts_in_batches(checked: Checked) -> Found:
    name, size = checked.largest_batch
    if len(checked.concepts) > 1 and size > 1:
        yield (
            f"{name} is {size} with {len(checked.concepts)} concepts: a step mixes them",
            (f"set {name} to 1"),
            "S1",
        )


def repeats_instead_of_epochs(checked: Checked) -> Found:
    repeats = min(share.repeats for share in checked.concepts.values())
    if checked.plan.epochs < 4 and repeats >= 4:
        yield (
            f"{checked.plan.epochs} epochs of {repeats} repeats leave {checked.plan.epochs} checkpoints to choose from",
            (f"divide the repeats by {repeats} and multiply training.epochs by it"),
            "S0-S3",
        )


def few_checkpoints(checked: Checked) -> Found:
    checkpoints = checked.settings.checkpoints
    every = checkpoints.save_every_n_epochs
    kept = math.ceil(checked.plan.epochs / every) if every else 1
    if every != 1 and kept < 4 and checkpoints.save_every_n_steps is None:
        yield (
            f"checkpoints.save_every_n_epochs {every} keeps {kept} of {checked.plan.epochs} epochs; the best is not always the last",
            ("set checkpoints.save_every_n_epochs to 1"),
            "S0-S3",
        )


# -- loss, precision, samples -----------------------------------------------------------------------------------------


def min_snr_gamma_unusual(checked: Checked) -> Found:
    gamma = checked.settings.loss.min_snr_gamma
    if checked.base.prediction_type != "flow" and gamma and not 1 <= gamma <= 20:
        yield (
            f"loss.min_snr_gamma {gamma:g} is outside of what anyone uses: 5 is usual, 3 stronger, 7 to 10 for photographs, up to 20 for soft styles",
            ("set loss.min_snr_gamma to 5"),
            "S0-S4",
        )


def file_in_fp32(checked: Checked) -> Found:
    if checked.settings.checkpoints.save_precision == "fp32":
        yield (
            "checkpoints.save_precision fp32 makes files twice as large, and nothing that draws with them shows it",
            ("set checkpoints.save_precision to 'fp16'"),
            "S1, S3",
        )


def large_base_in_fp32(checked: Checked) -> Found:
    if checked.base.family in ("sdxl", "flux") and checked.settings.training.mixed_precision == "no":
        yield (
            f"training.mixed_precision 'no' holds {checked.base.family} in 32 bits: twice the memory, and slower",
            ("set training.mixed_precision to 'bf16'"),
            "S1, S3",
        )


def half_weights(checked: Checked) -> Found:
    if checked.settings.training.weight_dtype == "bf16":
        yield (
            "training.weight_dtype 'bf16' holds the trained weights with three digits: it saves some MB, and small steps arrive on average only",
            "set training.weight_dtype to 'fp32'",
            "S1, S3",
        )


def fp16_base(checked: Checked) -> Found:
    if checked.settings.training.mixed_precision == "fp16":
        yield (
            "training.mixed_precision 'fp16' can overflow; bf16 cannot, and cards from the RTX 30 series on compute it as fast",
            "set training.mixed_precision to 'bf16', unless the card is older",
            "S1, S3",
        )


def fast_retraining(checked: Checked) -> Found:
    rate = max(checked.rate("denoiser"), checked.rate("text_encoder"))
    if checked.settings.network.weights is not None and _steps_like_adam(checked) and rate > 5e-5:
        yield (
            f"the run goes on from a finished LoRA at the learning rate {rate:g}: what it knows is overwritten rather than mended",
            "set optimizer.learning_rate (unet_lr, text_encoder_lr) to 1e-5",
            "S3",
        )


def long_retraining(checked: Checked) -> Found:
    if checked.settings.network.weights is not None and checked.plan.steps > 1000:
        yield (
            f"the run goes on from a finished LoRA for {checked.plan.steps} steps: a repair takes 200 to 500",
            f"set training.{_longer(checked, 500 * checked.settings.training.batch_size)}",
            "S3",
        )


def zero_weight_of_last_step(checked: Checked) -> Found:
    zero = checked.settings.noise.zero_terminal_snr or checked.settings.base.zero_terminal_snr
    if zero and checked.base.prediction_type == "v_prediction" and checked.settings.loss.min_snr_gamma:
        yield (
            "with zero terminal SNR loss.min_snr_gamma gives the last timestep the weight 0, the very one that teaches dark and bright",
            "set loss.min_snr_gamma to 0",
            "from the formula (Hang et al. 2023) at SNR 0",
        )


def no_samples(checked: Checked) -> Found:
    samples, trigger = checked.settings.samples, checked.settings.captions.trigger
    if not samples.prompts:
        prompt = "{trigger}" if trigger else (checked.shared_first_tags or ("the words that call it",))[0]
        yield (
            "samples.prompts is empty: nobody sees what the run learns before it is over",
            f'set samples.prompts to ["{prompt}"]',
            "S0, S3, S4",
        )
    elif trigger and not any("{trigger}" in prompt or trigger in prompt for prompt in samples.prompts):
        yield (
            f"none of samples.prompts holds the trigger {trigger!r}: the pictures show the base rather than the LoRA",
            ("begin samples.prompts with {trigger}"),
            "S0, S3, S4",
        )


LINTS: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        few_pictures, many_pictures, small_pictures, unbalanced_concepts, over_baked_folders,
        resolution_over_native, resolution_far_under_native, bucket_area_lost, no_buckets,
        flipped_subject, changed_colours, strong_noise_offset, multires_noise_for_subject,
        no_trigger, one_trigger_for_several, sentences_shuffled, tags_in_order, trigger_shuffled, tokens_kept_without_trigger,
        second_tag_shuffled, many_captions_dropped, epochs_without_captions, weighted_captions, clip_skip,
        rank_over_kind, convolutions_over_rank, low_rank_for_several, alpha_over_rank, alpha_far_under_rank, dylora_in_batches, dylora_small,
        ia3_rate, strong_dropout, small_set_high_rank,
        idle_text_encoder, text_encoder_of_family, text_encoder_without_word, text_encoder_too_fast, rate_far_from_usual, rate_of_finders,
        schedule_of_finders, many_restarts, long_warmup,
        short_training, long_training, large_batch, concepts_in_batches, repeats_instead_of_epochs, few_checkpoints,
        min_snr_gamma_unusual, zero_weight_of_last_step, file_in_fp32, large_base_in_fp32, half_weights, fp16_base,
        fast_retraining, long_retraining, no_samples,
    )
}  # fmt: skip
