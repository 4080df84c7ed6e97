"""What the loop trains on: samples become latents and captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from lorasmith.captions.rules import CaptionRules, caption_for_training
from lorasmith.captions.variants import captions_needed, shown_caption
from lorasmith.datasets.latent_source import LatentSource
from lorasmith.datasets.order import Batch
from lorasmith.datasets.training_set import TrainingPicture, TrainingSet
from lorasmith.draws import rng_for
from lorasmith.models.base import SizeConditioning
from lorasmith.training.objective.batch_loss import PreparedBatch
from lorasmith.training.planning.plan import Plan
from lorasmith.training.settings.tree import Settings


@dataclass
class TrainingData:
    """The pictures of a run with their latents, ready to be shown."""

    settings: Settings
    training_set: TrainingSet
    plan: Plan
    latents: LatentSource
    process: int = 0
    """Which of the processes that share the run."""
    _epoch: tuple[int, list[Batch]] = (0, [])
    _rules_by_kind: dict[tuple[int, bool], CaptionRules] = field(default_factory=dict)

    def epoch(self, number: int) -> list[Batch]:
        """The batches of epoch `number` (from 1), in their order."""
        if self._epoch[0] != number:
            training = self.settings.training
            self._epoch = number, self.training_set.epoch(number, training.batch_size, training.seed)
        return self._epoch[1]

    def prepare(self, batch: Batch, epoch: int, step: int) -> PreparedBatch:
        """A batch as it is trained on in `epoch`, with its captions as they read at `step`."""
        read = self.latents(batch.samples, epoch)
        items = [self.training_set.pictures[s.picture] for s in batch.samples]
        captions = [self._caption(item, s.picture, s.repeat, epoch, step) for item, s in zip(items, batch.samples, strict=True)]
        return PreparedBatch(
            read.latents, tuple(captions), tuple(item.picture.path.name for item in items),
            tuple(SizeConditioning(*sizes) for sizes in read.sizes), self._weights(items), read.masks,
        )  # fmt: skip

    def share_of(self, epoch: int, place: int) -> list[tuple[int, Batch]]:
        """What this process trains on in the step at `place` in its epoch: batches with the numbers of their first samples in the step."""
        return self.plan.batches_of(place, self.epoch(epoch), self.process)

    def expect(self, epoch: int, place: int) -> None:
        """Let the pictures of the step at `place` be read while the step before it is computed."""
        for _, batch in self.share_of(epoch, place):
            self.latents.expect(batch.samples, epoch)

    def _weights(self, items: Sequence[TrainingPicture]) -> torch.Tensor | None:
        """How much each sample counts; None where all count alike."""
        prior = self.settings.loss.prior_loss_weight
        weights = [self.settings.datasets[item.dataset].loss_weight * (prior if item.picture.is_reg else 1.0) for item in items]
        return None if set(weights) == {1.0} else torch.tensor(weights)

    def _caption(self, item: TrainingPicture, picture: int, repeat: int, epoch: int, step: int) -> str:
        """The caption of one sample; what is drawn for it depends on (seed, epoch, picture, repeat)."""
        caption, rules, seed = item.picture.caption or "", self._rules(item), self.settings.training.seed
        if variants := self.settings.captions.cached_variants:
            return shown_caption(caption, rules, variants, seed, epoch=epoch, picture=picture, repeat=repeat)
        rng = rng_for("caption", seed, epoch, picture, repeat)
        return caption_for_training(caption, rules, rng, epoch=epoch, step=step, max_train_steps=self.plan.steps)

    def all_captions(self) -> list[str]:
        """Every text that may be shown, where captions are drawn beforehand (`captions.cached_variants`)."""
        pictures = [(item.picture.caption or "", self._rules(item)) for item in self.training_set.pictures]
        return captions_needed(pictures, self.settings.captions.cached_variants, self.settings.training.seed)

    def _rules(self, item: TrainingPicture) -> CaptionRules:
        kind = item.dataset, item.picture.is_reg
        if kind not in self._rules_by_kind:
            self._rules_by_kind[kind] = rules_for(item, self.settings)
        return self._rules_by_kind[kind]


def rules_for(item: TrainingPicture, settings: Settings) -> CaptionRules:
    """The rules for a picture's caption: the run's, but what its dataset says otherwise.

    Regularisation pictures get no trigger: they show what the base does without the LoRA.
    """
    rules = settings.captions.rules
    if item.picture.is_reg:
        rules = replace(rules, trigger=None, keep_tokens=0)
    own = settings.datasets[item.dataset].caption_dropout_rate
    return rules if own is None else replace(rules, dropout=own)
