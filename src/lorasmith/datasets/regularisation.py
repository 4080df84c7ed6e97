"""How often regularisation pictures are trained on: in all about as often as the training images.

Where there are fewer regularisation pictures than samples of training images, they are repeated until both come to the same number; what is
more than needed is left out. The counting is sd-scripts' (`library/train_util.py: DreamBoothDataset`): the pictures are taken in their
order, each with its own repeats, until their samples reach those of the training images (the last one taken may overshoot); if all are
taken and it is not enough, each in turn is repeated once more.
"""

from __future__ import annotations

from collections.abc import Sequence


def regularisation_repeats(training: int, declared: Sequence[int]) -> list[int]:
    """Repeats in an epoch of each regularisation picture, 0 for those that are not needed.

    `training` is the number of samples of training images in an epoch, `declared` the repeats of each regularisation picture by its
    folder (1 or more).
    """
    repeats = [0] * len(declared)
    total = 0
    for index, own in enumerate(declared):
        if total >= training:
            return repeats
        repeats[index] = own
        total += own
    if total < training and repeats:
        rounds, rest = divmod(training - total, len(repeats))
        repeats = [one + rounds + (index < rest) for index, one in enumerate(repeats)]
    return repeats
