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
from lorasmith.evaluation.verdict.labels import LABELS, NOT_DRAWN
from lorasmith.evaluation.verdict.picking import Pick, pick, pick_weight
from lorasmith.findings import Finding
from lorasmith.training.settings.tree import Settings

CANNOT_TELL = "Whether these checkpoints are good cannot be told from what was measured: look at the pictures yourself."
NOTHING_LEARNT = "None of these checkpoints shows the subject beyond the noise of the pictures."


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

    @property
    def sentences(self) -> tuple[str, ...]:
        """The verdict in a few sentences, the recommendation first."""
        return tuple(_sentences(self))

    def as_data(self) -> dict[str, Any]:
        """For `--json`, files and pages."""
        return {
            "sentences": list(self.sentences),
            "recommended": None if self.recommended is None else self.checkpoints[self.recommended].measured.file,
            "as_good": [self.checkpoints[k].measured.file for k in self.as_good],
            "weight": self.weight,
            "weights_as_good": list(self.weights_as_good),
            "checkpoints": [one.as_data() for one in self.checkpoints],
            "weights": [one.json() for one in self.weights],
            "advice": [finding.as_data for finding in self.advice],
        }  # fmt: skip


def verdict_on(
    checkpoints: Sequence[CheckpointMeasures], weights: Sequence[CheckpointMeasures] = (), settings: Settings | None = None
) -> Verdict:
    """The verdict on checkpoints of one run in the order of training.

    `weights` are measurements of the recommended checkpoint at several weights; `settings` those it was trained with, where known, so that
    advice can name the change.
    """
    picked = pick(checkpoints)
    named = zip(names_of(checkpoints), checkpoints, picked.scores, strict=True)
    judged = tuple(CheckpointVerdict.of(name, one, score) for name, one, score in named)
    of_weight = pick_weight(weights) if weights else Pick(None, (), ())
    return Verdict(
        judged, picked.best, picked.equals,
        None if of_weight.best is None else weights[of_weight.best].weight, tuple(weights[k].weight for k in of_weight.equals),
        tuple(weights), tuple(advice(Case(judged, picked.best, settings))),
    )  # fmt: skip


# -- in words ---------------------------------------------------------------------------------------------------------


def _sentences(verdict: Verdict) -> Iterator[str]:
    checkpoints = verdict.checkpoints
    if verdict.recommended is None:
        measured = any(math.isfinite(one.score.value) for one in checkpoints)
        yield NOTHING_LEARNT if measured else CANNOT_TELL
    else:
        yield _recommendation(verdict)
        yield from _equals(verdict)
    yield from _where_it_goes_wrong([one for one in checkpoints if one.headline != NOT_DRAWN])
    if verdict.recommended is not None:
        chosen = checkpoints[verdict.recommended]
        if chosen.headline == "over-cooked" and chosen.judged["under-cooked"].holds:
            yield f"{_at_the_start(chosen.name)} does not show the subject either."
        for key in (key for key in LABELS if key not in ("under-cooked", "over-cooked")):
            if chosen.judged[key].holds and chosen.headline != key:
                yield f"{_at_the_start(chosen.name)} is {key}, too: {_lower(LABELS[key].meaning)}"


def _recommendation(verdict: Verdict) -> str:
    assert verdict.recommended is not None
    chosen = verdict.checkpoints[verdict.recommended]
    use = f"Use {chosen.name}" + (f" at weight {verdict.weight:g}" if verdict.weight is not None else "")
    if chosen.headline == "good":
        return f"{use}."
    if chosen.headline == "cannot tell":
        return f"{use} if any, but whether it is good cannot be told from these pictures: look at them."
    return f"{use} if any: it is the best of them, but {chosen.headline}. {LABELS[chosen.headline].meaning}"


def _equals(verdict: Verdict) -> Iterator[str]:
    names = [verdict.checkpoints[k].name for k in verdict.as_good]
    drawn = [one for one in verdict.checkpoints if one.headline != NOT_DRAWN]
    if names and len(names) + 1 == len(drawn) > 2:
        yield "All others that were drawn are as good, as far as these pictures tell: look for yourself."
    elif names:
        yield f"{_at_the_start(_listed(names))} {'is' if len(names) == 1 else 'are'} as good."
    if verdict.weights_as_good:
        weights = [f"{weight:g}" for weight in sorted(verdict.weights_as_good)]
        yield f"{'Weight' if len(weights) == 1 else 'Weights'} {_listed(weights)} {'is' if len(weights) == 1 else 'are'} as good."


def _where_it_goes_wrong(checkpoints: Sequence[CheckpointVerdict]) -> Iterator[str]:
    """From which checkpoint on which sign is there, and until which the subject has not come."""
    over = [one for one in checkpoints if one.headline == "over-cooked"]
    if over and over[0] is not checkpoints[0]:
        yield f"From {over[0].name} on other prompts suffer."
    elif over and len(checkpoints) > 1:
        yield "Other prompts suffer from the first checkpoint on."
    under = [one for one in checkpoints if one.headline == "under-cooked"]
    if under and under[-1] is not checkpoints[-1]:
        yield f"Up to {under[-1].name} the subject has not come yet."


def _listed(names: Sequence[str]) -> str:
    """epochs 6 and 8; epoch 6, step 120 and epoch 8."""
    kinds = {name.split(" ")[0] for name in names}
    if len(names) > 1 and len(kinds) == 1 and kinds <= {"epoch", "step"}:
        kind = kinds.pop()
        numbers = [name.removeprefix(f"{kind} ") for name in names]
        return f"{kind}s {', '.join(numbers[:-1])} and {numbers[-1]}"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _at_the_start(names: str) -> str:
    """Names as the beginning of a sentence; those of files stay as they are."""
    return names[0].upper() + names[1:] if names.startswith(("epoch", "step")) else names


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
