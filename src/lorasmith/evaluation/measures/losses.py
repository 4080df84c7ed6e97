"""gap, held_out_loss and trained_loss: what the weights know of pictures, told apart by how much noise there is.

    l(picture, t)   = log(mean square error of the LoRA / that of the base), same noise, caption as trained
    held_out_loss_B = mean over held-out pictures of the mean l over the two timesteps of band B
    trained_loss_B  = the same over training pictures
    gap_B           = held_out_loss_B - trained_loss_B

in nats. A gap of 0.5: the error on training pictures is 60 % of what it would be if they had not been trained on. The gap is a
matter of degree and says that the weights hold the pictures, not that a prompt brings them back (that is `replay`); over 1.0 it mostly does.

The held-out loss picks checkpoints badly: below t = 800 it rises as soon as details are memorised, mostly long before the subject has
come (mean regret 12 points of 100 in the pilot, against 8.5 for the last checkpoint). Its band of most noise is of some use (5.7), and
costs no picture.

Cost: 8 predictions a picture. Sources: proof pilot; spacepxl/demystifying-sd-finetuning for fixed noise and timesteps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean

from lorasmith.evaluation.measures.measured import Measure

BandErrors = Mapping[str, Mapping[str, tuple[float, ...]]]
"""Band -> picture -> the mean square error at each of the band's timesteps."""


def log_ratios(errors: Mapping[str, tuple[float, ...]], of_base: Mapping[str, tuple[float, ...]]) -> dict[str, float]:
    """Picture -> its loss against the base in one band, in nats."""
    return {name: fmean(math.log(lora / base) for lora, base in zip(own, of_base[name], strict=True)) for name, own in errors.items()}


def loss_measures(trained: BandErrors, trained_base: BandErrors, held_out: BandErrors, held_out_base: BandErrors) -> dict[str, Measure]:
    """All measures of loss, by name; without held-out pictures, the training loss alone."""
    found = {}
    for band in trained:
        known = log_ratios(trained[band], trained_base[band])
        found[f"trained_loss_{band}"] = Measure.of(known)
        if unseen := log_ratios(held_out[band], held_out_base[band]):
            found[f"held_out_loss_{band}"] = Measure.of(unseen)
            found[f"gap_{band}"] = Measure.difference(unseen, known)
    return found
