"""How often regularisation pictures are shown: in all about as often as the pictures to learn.

Fewer regularisation pictures than showings of training pictures are repeated until both come to the same number; what is more than
needed is not shown. The counting is sd-scripts' (`library/train_util.py: DreamBoothDataset`): the pictures are taken in their order, each
with its own repeats, until their showings reach those of the training pictures (the last one taken may overshoot); if all are taken and
it is not enough, each in turn is shown once more.
"""

from __future__ import annotations

from collections.abc import Sequence


def balanced_showings(training: int, repeats: Sequence[int]) -> list[int]:
    """Showings an epoch of each regularisation picture, 0 for those that are not needed.

    `training` is the number of showings of the training pictures, `repeats` what is declared of each regularisation picture (1 or more).
    """
    shown = [0] * len(repeats)
    total = 0
    for place, declared in enumerate(repeats):
        if total >= training:
            return shown
        shown[place] = declared
        total += declared
    if total < training and shown:
        rounds, rest = divmod(training - total, len(shown))
        shown = [showings + rounds + (place < rest) for place, showings in enumerate(shown)]
    return shown
