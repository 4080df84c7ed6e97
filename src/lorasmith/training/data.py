"""What the loop trains on: the batches of each step, with their latents and captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch

from lorasmith.captions.rules import CaptionRules, caption_for_training
from lorasmith.captions.variants import captions_needed, sampled_caption
from lorasmith.datasets.latent_source import LatentSource
from lorasmith.datasets.order import Batch, EpochOrder, Order
from lorasmith.datasets.training_set import TrainingPicture, TrainingSet
from lorasmith.draws import rng_for
from lorasmith.models.base import SizeConditioning
from lorasmith.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from lorasmith.training.objective.batch_loss import PreparedBatch
from lorasmith.training.planning.plan import Plan
from lorasmith.training.settings.tree import Settings


@dataclass
class TrainingData:
    """The pictures of a run with their latents, in the order in which they are trained on."""

    settings: Settings
    training_set: TrainingSet
    plan: Plan
    latents: LatentSource
    process_group: ProcessGroup = SINGLE_PROCESS
    _rules: dict[tuple[int, bool], CaptionRules] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"TrainingData({len(self.training_set.pictures)} images, {self.plan.batches_per_epoch} batches per epoch)"

    @cached_property
    def order(self) -> Order:
        """The order of all epochs."""
        return self.training_set.order(self.settings.training.batch_size, self.settings.training.seed)

    def epoch(self, number: int) -> EpochOrder:
        """The batches of epoch `number` (from 1), in their order."""
        return self.order.epoch(number)

    def batches(self, epoch: int, step_in_epoch: int, step: int) -> list[PreparedBatch]:
        """What this process trains on in a step. The pictures of the next step are read while this one is computed."""
        share = self._share(epoch, step_in_epoch)
        prepared = [self.prepare(batch, epoch, step, first_sample) for first_sample, batch in share]
        for _, batch in self._share(epoch, step_in_epoch + 1):
            self.latents.expect(batch.samples, epoch)
        return prepared

    def _share(self, epoch: int, step_in_epoch: int) -> list[tuple[int, Batch]]:
        return self.plan.batches_of(step_in_epoch, self.epoch(epoch), self.process_group.rank, self.process_group.count)

    def samples_in(self, epoch: int, step_in_epoch: int) -> int:
        """How many samples all processes train on in a step."""
        return self.plan.samples_in(step_in_epoch, self.epoch(epoch))

    def prepare(self, batch: Batch, epoch: int, step: int, first_sample: int = 0) -> PreparedBatch:
        """A batch as it is trained on in `epoch`, with its captions as they are at `step`."""
        latents = self.latents(batch.samples, epoch)
        items = [self.training_set.pictures[s.picture] for s in batch.samples]
        captions = [self._caption(item, s.picture, s.repeat, epoch, step) for item, s in zip(items, batch.samples, strict=True)]
        return PreparedBatch(
            latents.latents, tuple(captions), tuple(item.picture.path.name for item in items),
            tuple(SizeConditioning(*sizes) for sizes in latents.sizes), self._weights(items), latents.masks, first_sample,
        )  # fmt: skip

    def _weights(self, items: Sequence[TrainingPicture]) -> torch.Tensor | None:
        """How much each sample counts; None where all count alike."""
        prior = self.settings.loss.prior_loss_weight
        weights = [self.settings.datasets[item.dataset].loss_weight * (prior if item.picture.is_reg else 1.0) for item in items]
        return None if set(weights) == {1.0} else torch.tensor(weights)

    def _caption(self, item: TrainingPicture, picture: int, repeat: int, epoch: int, step: int) -> str:
        """A picture's caption; what is drawn for it depends on (seed, epoch, picture, repeat)."""
        caption, rules, seed = item.picture.caption or "", self._rules_for(item), self.settings.training.seed
        if variants := self.settings.captions.cached_variants:
            return sampled_caption(caption, rules, variants, seed, epoch=epoch, picture=picture, repeat=repeat)
        rng = rng_for("caption", seed, epoch, picture, repeat)
        return caption_for_training(caption, rules, rng, epoch=epoch, step=step, max_train_steps=self.plan.steps)

    def all_captions(self) -> list[str]:
        """Every caption that the run may train on, where they are drawn beforehand (`captions.cached_variants`)."""
        return captions_of(self.training_set, self.settings)

    def _rules_for(self, item: TrainingPicture) -> CaptionRules:
        kind = item.dataset, item.picture.is_reg
        if kind not in self._rules:
            self._rules[kind] = rules_for(item, self.settings)
        return self._rules[kind]


def captions_of(training_set: TrainingSet, settings: Settings) -> list[str]:
    """Every caption that a run may train on, where they are drawn beforehand (`captions.cached_variants`)."""
    rules: dict[tuple[int, bool], CaptionRules] = {}
    for item in training_set.pictures:
        if (item.dataset, item.picture.is_reg) not in rules:
            rules[item.dataset, item.picture.is_reg] = rules_for(item, settings)
    pictures = [(item.picture.caption or "", rules[item.dataset, item.picture.is_reg]) for item in training_set.pictures]
    return captions_needed(pictures, settings.captions.cached_variants, settings.training.seed)


def rules_for(item: TrainingPicture, settings: Settings) -> CaptionRules:
    """The rules for a picture's caption: the run's, with those that its dataset has of its own.

    Regularisation pictures get no trigger: they show what the base does without the LoRA.
    """
    rules = settings.captions.rules
    if item.picture.is_reg:
        rules = replace(rules, trigger=None, keep_tokens=0)
    return settings.datasets[item.dataset].caption_rules(rules)
