"""Prior preservation without pictures: other things of the kind stay as the base draws them.

A LoRA of one dog, trained with captions `zorvex, dog`, soon makes every dog that one. The usual remedy is a second set of pictures, of
dogs as the base draws them. The base can be asked directly instead: the same noisy latents, with the caption but for its trigger (`dog`),
are shown to the base alone, and what it predicts is what the trained model has to predict for that caption (as Ruiz et al. 2023, DreamBooth,
section 4.2, with the base's own prediction in place of its pictures). So the LoRA is taught with the trigger, and held where it is not named.

It costs a pass of the base without gradients, and one of the trained model with them. A caption that has no trigger (a regularisation
picture's, one that was dropped) is left out: what it shows is taught under that very caption.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import torch

from lorasmith.adapters.attach import AttachedAdapter
from lorasmith.captions.caption import join_tags, split_tags
from lorasmith.models.base import Base
from lorasmith.models.texts import EncodedTexts
from lorasmith.training.objective.batch_loss import Answer, BatchLoss, PreparedBatch, ask_batch, loss_of, question_for
from lorasmith.training.settings.tree import Settings


def preservation_loss(
    base: Base, adapters: Mapping[str, AttachedAdapter], batch: PreparedBatch, class_texts: EncodedTexts, settings: Settings,
    step: int, first_sample: int, own_texts: EncodedTexts | None = None,
) -> BatchLoss:  # fmt: skip
    """How far the trained model is from its base on the batch's `class_captions`, as far as `loss.prior_preservation` makes it count.

    `class_texts` are those captions as the trained model reads them, `own_texts` as the base alone does (see `without`); they differ where
    text encoders train. Noise, timesteps, kind of loss and weights are those of `batch_loss` for the same step; masks have no part in it.
    """
    counts = torch.tensor([float(_names(caption, _trigger(settings))) for caption in batch.captions])
    question = question_for(base, batch.latents, settings, step, first_sample)
    if not counts.any():
        nothing = counts.to(next(base.parts[base.denoiser].parameters()).device)
        return BatchLoss(nothing.sum(), nothing, question.timesteps)
    with without(adapters), torch.no_grad():
        own = ask_batch(base, batch, question, own_texts or class_texts, settings.flow)
    trained = ask_batch(base, batch, question, class_texts, settings.flow)
    weights = settings.loss.prior_preservation * counts * (1.0 if batch.weights is None else batch.weights)
    return loss_of(Answer(trained.prediction, own.prediction, trained.weight), question, settings.loss, weights)


@contextmanager
def without(adapters: Mapping[str, AttachedAdapter]) -> Iterator[None]:
    """Within the block all parts give the base's outputs."""
    with ExitStack() as off:
        for adapter in adapters.values():
            off.enter_context(adapter.off())
        yield


def class_captions(batch: PreparedBatch, settings: Settings) -> tuple[str, ...]:
    """The batch's captions without the trigger, for `preservation_loss`."""
    return tuple(all_class_captions(batch.captions, settings))


def all_class_captions(captions: Iterable[str], settings: Settings) -> list[str]:
    """The same of any captions, for who encodes them ahead."""
    return [class_caption(caption, _trigger(settings), settings.loss.prior_preservation_class) for caption in captions]


def class_caption(caption: str, trigger: str, class_word: str | None = None) -> str:
    """The caption with `class_word` in the trigger's place; without one, or where that is one of its tags already, the trigger is left out.

    The trigger is found as a tag and as a word in a sentence, whatever its case, also within (emphasis:1.2), and never inside of a
    longer word. A caption without it comes back as it is.
    """
    if not _names(caption, trigger):
        return caption
    if class_word is not None and class_word.lower() not in (tag.lower() for tag in split_tags(caption)):
        return _pattern(trigger).sub(lambda found: class_word, caption)
    kept = []
    for tag in split_tags(caption):
        if _names(tag, trigger):
            tag = re.sub(r"\s+", " ", _pattern(trigger).sub("", tag)).strip()
            tag = "" if _ONLY_EMPHASIS.fullmatch(tag) else tag
        kept.append(tag)
    return join_tags(tag for tag in kept if tag)


_ONLY_EMPHASIS = re.compile(r"[()\[\]\s]*(:\s*[\d.]*)?[()\[\]\s]*")


def _pattern(trigger: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(trigger)}(?!\w)", re.IGNORECASE)


def _names(caption: str, trigger: str) -> bool:
    return _pattern(trigger).search(caption) is not None


def _trigger(settings: Settings) -> str:
    trigger = settings.captions.trigger
    assert trigger is not None, "check_together refuses prior preservation without a trigger"
    return trigger
