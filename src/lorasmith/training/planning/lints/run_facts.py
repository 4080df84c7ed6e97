"""What lints look at: a run that has not started, and what its settings, pictures and captions say about it."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from lorasmith.captions.caption import Caption
from lorasmith.captions.triggers import likely_triggers
from lorasmith.datasets.balance import Share
from lorasmith.datasets.training_set import TrainingPicture, TrainingSet
from lorasmith.models.description import Description
from lorasmith.models.family import Family, FamilyDefaults
from lorasmith.models.widths import FULL_SIZE, Widths, widths_of
from lorasmith.training.optim.optimizers import Optimizer, optimizer_of
from lorasmith.training.planning.check import CheckedRun
from lorasmith.training.planning.plan import Plan
from lorasmith.training.settings.tree import Settings

DENOISER, TEXT_ENCODER = "denoiser", "text_encoder"
LookOfSet = Literal["multi-concept", "style", "subject"]


@dataclass(frozen=True)
class BaseFacts:
    """What lints ask of a base; known before a weight is read."""

    family: Family
    defaults: FamilyDefaults
    native_resolution: int
    """Side of the square it was made for, in pixels."""
    prediction_type: str
    distilled: bool = False
    """Whether it is known to be distilled to few steps."""
    widths: Widths = FULL_SIZE

    @property
    def full_size(self) -> bool:
        """Whether it has its family's native size; small bases have habits of their own."""
        return self.native_resolution == self.defaults.resolution


def facts_of(description: Description) -> BaseFacts:
    """The facts of a described base."""
    return BaseFacts(
        description.record,
        description.form.defaults,
        description.native.side,
        description.prediction_type,
        description.form.distilled is True,
        widths_of(description),
    )


@dataclass(frozen=True)
class RunFacts:
    """A run that has not started."""

    settings: Settings
    training_set: TrainingSet
    base: BaseFacts
    plan: Plan

    @classmethod
    def of(cls, checked: CheckedRun) -> RunFacts:
        """Those of a checked run."""
        return cls(checked.settings, checked.training_set, facts_of(checked.description), checked.plan)

    # -- the pictures

    @cached_property
    def pictures(self) -> list[TrainingPicture]:
        """The training images, without regularisation pictures; of a manifest or shards as many as are looked at."""
        return [item for item in self.training_set.looked_at if not item.picture.is_reg]

    @cached_property
    def concepts(self) -> dict[str, Share]:
        """Folder -> its share, without regularisation; folders of one name are told apart by their paths."""
        places: dict[str, list[TrainingPicture]] = defaultdict(list)
        for item in self.training_set.listed:
            if not item.picture.is_reg:
                places[str(item.picture.path.parent)].append(item)
        names = Counter(items[0].picture.folder for items in places.values())
        of_rows = {
            str(rows.path): Share(len(rows), max(1, round(float(rows.columns.repeats.mean()))), self.plan.epochs)
            for rows in self.training_set.rows
            if not rows.dataset.is_reg
        }
        return of_rows | {
            place if names[items[0].picture.folder] > 1 else items[0].picture.folder: Share(
                len(items), items[0].picture.repeats, self.plan.epochs
            )
            for place, items in places.items()
        }

    @property
    def looks_like(self) -> LookOfSet:
        """Several folders are several concepts; one without a trigger word, or with text encoders left alone, is a style; else a subject."""
        if len(self.concepts) > 1:
            return "multi-concept"
        called = self.settings.captions.trigger is not None or bool(self.shared_first_tags)
        return "subject" if called and self.rate(TEXT_ENCODER) > 0 else "style"

    # -- the length

    @property
    def epochs(self) -> float:
        """Also where a number of steps ends the run inside an epoch."""
        return self.plan.steps / self.plan.steps_per_epoch

    @property
    def samples(self) -> float:
        """Training images in the whole run, each as often as it is repeated: steps at batch size 1."""
        return self.training_set.training_samples_per_epoch * self.epochs

    @property
    def passes(self) -> float:
        """How often a picture is seen in the whole run, on average."""
        return self.samples / self.training_set.training_pictures

    def length_for(self, samples: int) -> tuple[str, int]:
        """The setting of the run's length, and its value for about this many samples."""
        epochs = max(1, round(self.epochs * samples / self.samples))
        if self.settings.training.epochs is not None:
            return "training.epochs", epochs
        return "training.max_train_steps", epochs * self.plan.steps_per_epoch

    # -- the captions

    @cached_property
    def captions(self) -> list[Caption]:
        """Those that are not empty."""
        return [Caption(text.encode()) for item in self.pictures if (text := (item.picture.caption or "").strip())]

    @cached_property
    def caption_style(self) -> Literal["tags", "sentences", ""]:
        """What most captions are; "" where they are too short to tell."""
        kinds = Counter("sentences" if c.parts[1] else "tags" if len(c.tags) >= 4 else "" for c in self.captions)
        style, count = kinds.most_common(1)[0] if kinds else ("", 0)
        return style if 2 * count > len(self.captions) else ""  # type: ignore[return-value]  # one of the three above

    @cached_property
    def shared_first_tags(self) -> tuple[str, ...]:
        """What the captions start with and seems to be meant as trigger words."""
        return likely_triggers(self.captions)

    @property
    def lacks_trigger(self) -> bool:
        """Whether one concept's captions share no word that calls it; in a few captions that says nothing."""
        named = self.settings.captions.trigger is not None or bool(self.shared_first_tags)
        return not named and len(self.concepts) == 1 and len(self.captions) >= 5

    # -- optimizer and rates

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer's entry; of one given by its path little is known."""
        return optimizer_of(self.settings.optimizer.type)

    def rate(self, part: str) -> float:
        """Learning rate of the denoiser or of the (first) text encoder; 0 where it does not train."""
        return self.settings.lr_of(self.base.family.denoiser if part == DENOISER else part, self.base.family.name)

    def rate_setting(self, part: str) -> str:
        """The setting that gives a part its rate."""
        own = "unet_lr" if part == DENOISER else "text_encoder_lr"
        return f"optimizer.{own}" if getattr(self.settings.optimizer, own) is not None else "optimizer.learning_rate"

    # -- sizes

    @property
    def largest_side(self) -> tuple[str, float]:
        """The setting with the largest area to train at, and the side of a square of that area in pixels."""
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

    def folders_with(self, setting: str) -> list[str]:
        """The folders of training images that have a setting on, as the settings name them."""
        datasets = self.settings.datasets
        return [f"datasets.{n}" for n, dataset in enumerate(datasets) if getattr(dataset, setting) and not dataset.is_reg]
