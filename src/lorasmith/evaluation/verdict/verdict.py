"""The verdict on a run, or on a LoRA file: what to use, what is as good, what is wrong with the others, and what to do next.

    verdict = verdict_on(checkpoints, weights, settings)
    verdict.sentences    # "Use epoch 7 at weight 1.", "Epochs 6 and 8 are as good.", ...

It may say that it cannot tell. Nothing here draws or measures; see `evaluation.proof` for that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lorasmith.evaluation.measures.measured import CheckpointMeasures
from lorasmith.evaluation.verdict.advice import Case, advice
from lorasmith.evaluation.verdict.checkpoint import CheckpointVerdict, names_of
from lorasmith.evaluation.verdict.labels import LABELS, NOT_DRAWN, clearest_of
from lorasmith.evaluation.verdict.picking import Pick, pick, pick_weight
from lorasmith.evaluation.verdict.wording import SENTENCES
from lorasmith.findings import Finding
from lorasmith.sentences import Sentence
from lorasmith.training.settings.tree import Settings


@dataclass(frozen=True)
class Verdict:
    """`recommended` and `as_good` are places in `checkpoints`; `recommended` is None where none can be."""

    checkpoints: tuple[CheckpointVerdict, ...]
    recommended: int | None
    as_good: tuple[int, ...]
    weight: float | None
    """None where no other weight was tried."""
    weights_as_good: tuple[float, ...]
    weights: tuple[CheckpointMeasures, ...]
    advice: tuple[Finding, ...]
    captioned: bool = True
    """Whether captions say something besides the trigger."""

    @property
    def said(self) -> tuple[Sentence, ...]:
        """The verdict in a few sentences, the recommendation first, each with its code and values."""
        return tuple(_said(self))

    @property
    def sentences(self) -> tuple[str, ...]:
        """The same in English."""
        return tuple(map(str, self.said))

    def as_data(self) -> dict[str, Any]:
        """For `--json`, files and pages."""
        return {
            "sentences": list(self.sentences),
            "said": [one.as_data for one in self.said],
            "recommended": None if self.recommended is None else self.checkpoints[self.recommended].measured.file,
            "as_good": [self.checkpoints[k].measured.file for k in self.as_good],
            "weight": self.weight,
            "weights_as_good": list(self.weights_as_good),
            "checkpoints": [one.as_data() for one in self.checkpoints],
            "weights": [one.json() for one in self.weights],
            "advice": [finding.as_data for finding in self.advice],
        }  # fmt: skip


def verdict_on(
    checkpoints: Sequence[CheckpointMeasures], weights: Sequence[CheckpointMeasures] = (), settings: Settings | None = None,
    captioned: bool = True,
) -> Verdict:  # fmt: skip
    """The verdict on checkpoints of one run in the order of training.

    `weights` are measurements of the recommended checkpoint at several weights; `settings` those it was trained with, where known, so that
    advice can name the change. `captioned` is whether captions say something besides the trigger.
    """
    picked = pick(checkpoints)
    named = zip(names_of(checkpoints), checkpoints, picked.scores, strict=True)
    clearest = clearest_of([one.measures for one in checkpoints])
    judged = tuple(CheckpointVerdict.of(name, one, score, clearest, captioned) for name, one, score in named)
    of_weight = pick_weight(weights) if weights else Pick(None, (), ())
    return Verdict(
        judged, picked.best, picked.equals,
        None if of_weight.best is None else weights[of_weight.best].weight, tuple(weights[k].weight for k in of_weight.equals),
        tuple(weights), tuple(advice(Case(judged, picked.best, settings))), captioned,
    )  # fmt: skip


# -- in words ---------------------------------------------------------------------------------------------------------


def _said(verdict: Verdict) -> Iterator[Sentence]:
    checkpoints = verdict.checkpoints
    if verdict.recommended is None:
        measured = any(math.isfinite(one.score.value) for one in checkpoints)
        yield _sentence("nothing_learnt" if measured else "cannot_tell")
    else:
        yield _recommendation(verdict, checkpoints[verdict.recommended])
        if not verdict.captioned and checkpoints[verdict.recommended].headline == "cannot tell":
            yield _sentence("trigger_alone")
        yield from _equals(verdict)
    yield from _where_it_goes_wrong([one for one in checkpoints if one.headline != NOT_DRAWN])
    if verdict.recommended is not None:
        chosen = checkpoints[verdict.recommended]
        if chosen.headline == "over-cooked" and chosen.judged["under-cooked"].holds:
            yield _sentence("not_shown_either", checkpoint=chosen.called)
        for key in (key for key in LABELS if key not in ("under-cooked", "over-cooked")):
            if chosen.judged[key].holds and chosen.headline != key:
                yield _sentence("too", checkpoint=chosen.called, label={"label": key}, meaning={"meaning": key})


def _recommendation(verdict: Verdict, chosen: CheckpointVerdict) -> Sentence:
    at, weight = ("", {}) if verdict.weight is None else ("_at_weight", {"weight": verdict.weight})
    if chosen.headline == "good":
        return _sentence(f"use{at}", checkpoint=chosen.called, **weight)
    if chosen.headline == "cannot tell":
        return _sentence(f"use_if_any{at}", checkpoint=chosen.called, **weight)
    label, meaning = {"label": chosen.headline}, {"meaning": chosen.headline}
    return _sentence(f"best_of_them{at}", checkpoint=chosen.called, **weight, label=label, meaning=meaning)


def _equals(verdict: Verdict) -> Iterator[Sentence]:
    equals = [verdict.checkpoints[k].called for k in verdict.as_good]
    drawn = [one for one in verdict.checkpoints if one.headline != NOT_DRAWN]
    if equals and len(equals) + 1 == len(drawn) > 2:
        yield _sentence("all_as_good")
    elif equals:
        yield _sentence("as_good", checkpoints=equals)
    if verdict.weights_as_good:
        yield _sentence("weights_as_good", weights=sorted(verdict.weights_as_good))


def _where_it_goes_wrong(checkpoints: Sequence[CheckpointVerdict]) -> Iterator[Sentence]:
    """From which checkpoint on which sign is there, and until which the subject has not come."""
    over = [one for one in checkpoints if one.headline == "over-cooked"]
    if over and over[0] is not checkpoints[0]:
        yield _sentence("over_from", checkpoint=over[0].called)
    elif over and len(checkpoints) > 1:
        yield _sentence("over_throughout")
    under = [one for one in checkpoints if one.headline == "under-cooked"]
    if under and under[-1] is not checkpoints[-1]:
        yield _sentence("under_until", checkpoint=under[-1].called)


def _sentence(code: str, **values: Any) -> Sentence:
    return Sentence.of(SENTENCES, f"verdict.{code}", **values)
