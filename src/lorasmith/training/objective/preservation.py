"""Prior preservation without pictures: other things of the kind stay as the base generates them.

A LoRA of one dog, trained with captions `zorvex, dog`, soon makes every dog that one. The usual remedy is a second set of pictures: dogs
that the base generated. The base can be asked directly instead: it is shown the same noisy latents with the caption without its trigger
(`dog`), and what it predicts is the target of the trained model for that caption (as Ruiz et al. 2023, DreamBooth, section 4.2, with the
base's own prediction in place of its pictures). So the LoRA learns what the trigger means, and changes nothing where it is not named.

It costs a pass of the base without gradients, and one of the trained model with them. A caption that has no trigger (a regularisation
picture's, or one that was dropped) is left out: its picture is trained under that very caption.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import torch

from lorasmith.adapters.attach import AttachedAdapter
from lorasmith.models.base import Base
from lorasmith.models.texts import EncodedTexts
from lorasmith.models.transfer import to_device
from lorasmith.training.objective.batch_loss import BatchLoss, Noising, Objective, Predicted, PreparedBatch, loss_of, predict_batch
from lorasmith.training.objective.class_caption import class_caption, names_trigger


def preservation_loss(
    base: Base, adapters: Mapping[str, AttachedAdapter], batch: PreparedBatch, class_texts: EncodedTexts, noising: Noising,
    objective: Objective, base_texts: EncodedTexts | None = None,
) -> BatchLoss:  # fmt: skip
    """How far the trained model is from its base on the batch's `class_captions`, as much as `loss.prior_preservation` makes it count.

    `class_texts` are those captions as the trained text encoders read them, `base_texts` as the base's do (see `without`); they differ
    where text encoders train. `noising` is that of the batch's own loss; masks play no part.
    """
    counts = torch.tensor([float(names_trigger(caption, _trigger(objective))) for caption in batch.captions])
    if not counts.any():
        nothing = to_device(counts, next(base.parts[base.denoiser].parameters()).device)
        return BatchLoss(nothing.sum(), nothing, noising.timesteps)
    with without(adapters), torch.no_grad():
        by_base = predict_batch(base, batch, noising, base_texts or class_texts, objective.flow)
    trained = predict_batch(base, batch, noising, class_texts, objective.flow)
    weights = objective.loss.prior_preservation * counts * (1.0 if batch.weights is None else batch.weights)
    return loss_of(Predicted(trained.prediction, by_base.prediction, trained.weight), noising, objective.loss, weights)


@contextmanager
def without(adapters: Mapping[str, AttachedAdapter]) -> Iterator[None]:
    """Within the block all parts give the base's outputs."""
    with ExitStack() as off:
        for adapter in adapters.values():
            off.enter_context(adapter.off())
        yield


def class_captions(captions: Iterable[str], objective: Objective) -> list[str]:
    """The captions without the trigger, for `preservation_loss`."""
    return [class_caption(caption, _trigger(objective), objective.loss.prior_preservation_class) for caption in captions]


def _trigger(objective: Objective) -> str:
    assert objective.trigger is not None, "the settings are checked: no prior preservation without a trigger"
    return objective.trigger
