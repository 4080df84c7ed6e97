"""What a verdict says, sentence by sentence: each has its code and its values, and its English is made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lorasmith.evaluation.verdict.labels import meanings
from lorasmith.sentences import Named, at_the_start, in_a_row, listed, named

CANNOT_TELL = "Whether these checkpoints are good cannot be told from what was measured: look at the pictures yourself."
TRIGGER_ALONE = "The captions say nothing but the trigger: to the base all that the images share is the subject then."
NOTHING_LEARNT = "None of these checkpoints shows the subject beyond the noise of the pictures."


def _use(checkpoint: Named) -> str:
    return f"Use {named(checkpoint)}."


def _use_at_weight(checkpoint: Named, weight: float) -> str:
    return f"Use {named(checkpoint)} at weight {weight:g}."


def _use_if_any(checkpoint: Named) -> str:
    return f"Use {named(checkpoint)} if any, but whether it is good cannot be told from these pictures: look at them."


def _use_if_any_at_weight(checkpoint: Named, weight: float) -> str:
    return f"Use {named(checkpoint)} at weight {weight:g} if any, but whether it is good cannot be told from these pictures: look at them."


def _best_of_them(checkpoint: Named, label: Named, meaning: Named) -> str:
    return f"Use {named(checkpoint)} if any: it is the best of them, but {label['label']}. {_meaning(meaning)}"


def _best_of_them_at_weight(checkpoint: Named, weight: float, label: Named, meaning: Named) -> str:
    return f"Use {named(checkpoint)} at weight {weight:g} if any: it is the best of them, but {label['label']}. {_meaning(meaning)}"


def _as_good(checkpoints: Sequence[Named]) -> str:
    return f"{at_the_start(listed(checkpoints))} {'is' if len(checkpoints) == 1 else 'are'} as good."


def _weights_as_good(weights: Sequence[float]) -> str:
    one = len(weights) == 1
    return f"{'Weight' if one else 'Weights'} {in_a_row([f'{weight:g}' for weight in weights])} {'is' if one else 'are'} as good."


def _over_from(checkpoint: Named) -> str:
    return f"From {named(checkpoint)} on other prompts suffer."


def _under_until(checkpoint: Named) -> str:
    return f"Up to {named(checkpoint)} pictures show too little of the subject."


def _not_shown_either(checkpoint: Named) -> str:
    return f"{at_the_start(named(checkpoint))} shows too little of the subject, too."


def _too(checkpoint: Named, label: Named, meaning: Named) -> str:
    said = _meaning(meaning)
    return f"{at_the_start(named(checkpoint))} is {label['label']}, too: {said[0].lower()}{said[1:]}"


def _meaning(meaning: Named) -> str:
    return meanings()[meaning["meaning"]]


SENTENCES: dict[str, Callable[..., str]] = {
    "verdict.cannot_tell": lambda: CANNOT_TELL,
    "verdict.nothing_learnt": lambda: NOTHING_LEARNT,
    "verdict.use": _use,
    "verdict.use_at_weight": _use_at_weight,
    "verdict.use_if_any": _use_if_any,
    "verdict.use_if_any_at_weight": _use_if_any_at_weight,
    "verdict.trigger_alone": lambda: TRIGGER_ALONE,
    "verdict.best_of_them": _best_of_them,
    "verdict.best_of_them_at_weight": _best_of_them_at_weight,
    "verdict.all_as_good": lambda: "All others that were drawn are as good, as far as these pictures tell: look for yourself.",
    "verdict.as_good": _as_good,
    "verdict.weights_as_good": _weights_as_good,
    "verdict.over_from": _over_from,
    "verdict.over_throughout": lambda: "Other prompts suffer from the first checkpoint on.",
    "verdict.under_until": _under_until,
    "verdict.not_shown_either": _not_shown_either,
    "verdict.too": _too,
}
"""Code -> how its English is made. `label` and `meaning` name one of `labels.meanings`."""
