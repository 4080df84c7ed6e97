"""A validation over all pictures, and how it is compared with those before.

Of each picture's differences three things are reported, with their 95 % margins (see `uncertainty`):

    delta       now - the base alone, for held-out pictures and training images: below 0 is learnt
    gap         held-out delta - training delta: what training images gained beyond what held-out ones did, which is memorised
    above best  now - where the held-out loss was lowest before: above 0 it gets worse again

The base has seen neither kind of picture, so subtracting its losses leaves out how hard each picture is, and the two kinds can be
compared. The same is reported in each band of noise (see `bands`), there of the logarithms of losses: a mean over all noise is ruled by
the little noise in which details are memorised, and says little about which checkpoint is useful.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from lorasmith.training.events import BandValidation, ValidationDone
from lorasmith.training.validation.bands import BANDS
from lorasmith.training.validation.uncertainty import difference_of_means, mean_with_margin

Losses = dict[str, float]
"""The loss of each picture, by its name."""


@dataclass(frozen=True)
class Sides:
    """Losses of held-out pictures and of training images."""

    held_out: Losses
    trained: Losses

    @property
    def val_loss(self) -> float:
        return fmean(self.held_out.values())


@dataclass(frozen=True)
class Round(Sides):
    """One validation: losses over all noise, and in each band."""

    epoch: int
    bands: Mapping[str, Sides] = field(default_factory=dict)

    @classmethod
    def of_losses(
        cls, epoch: int, bands: Sequence[str], held_out: Mapping[str, Sequence[float]], trained: Mapping[str, Sequence[float]]
    ) -> Round:
        """From each picture's losses at the timesteps, of which `bands` says the band."""

        def mean(losses: Mapping[str, Sequence[float]], band: str | None) -> Losses:
            return {
                name: fmean(loss for loss, own in zip(several, bands, strict=True) if band in (None, own))
                for name, several in losses.items()
            }

        by_band = {band: Sides(mean(held_out, band), mean(trained, band)) for band in BANDS if band in bands}
        return cls(mean(held_out, None), mean(trained, None), epoch, by_band)

    @classmethod
    def of_event(cls, event: ValidationDone) -> Round:
        """What an earlier part of the run has reported."""
        bands = {name: Sides(band["val_losses"], band["train_losses"]) for name, band in event.bands.items()}
        return cls(event.val_losses, event.train_losses, event.epoch, bands)


def compare(step: int, now: Round, before: Sequence[Round]) -> ValidationDone:
    """What a round says beside those before it, of which the first is the base's; all are over the same pictures."""
    base = before[0] if before else now
    best = min(before, key=lambda one: one.val_loss, default=None)
    held_out = [loss - base.held_out[name] for name, loss in now.held_out.items()]
    trained = [loss - base.trained[name] for name, loss in now.trained.items()]
    above_best = mean_with_margin([loss - best.held_out[name] for name, loss in now.held_out.items()]) if best else (None, None)
    known = [name for name in now.bands if all(name in one.bands for one in before)]
    return ValidationDone(
        now.epoch, step, now.val_loss, fmean(now.trained.values()),
        *mean_with_margin(held_out), *mean_with_margin(trained), *difference_of_means(held_out, trained),
        val_losses=now.held_out, train_losses=now.trained,
        best_epoch=best.epoch if best else None, above_best=above_best[0], above_best_margin=above_best[1],
        bands={name: _compare_band(now.bands[name], [(one.epoch, one.bands[name]) for one in before]) for name in known},
    )  # fmt: skip


def _compare_band(now: Sides, before: Sequence[tuple[int, Sides]]) -> BandValidation:
    """The same in one band, in nats; `before` are (epoch, losses), the base's first."""
    base = before[0][1] if before else now
    held_out, trained = changes(now.held_out, base.held_out), changes(now.trained, base.trained)
    val_change, val_change_margin = mean_with_margin(held_out)
    gap, gap_margin = difference_of_means(held_out, trained)
    best_epoch, best = min(before, key=lambda one: one[1].val_loss, default=(None, None))
    above_best, above_best_margin = mean_with_margin(changes(now.held_out, best.held_out)) if best else (None, None)
    return {
        "val_losses": now.held_out, "train_losses": now.trained, "val_change": val_change, "val_change_margin": val_change_margin,
        "gap": gap, "gap_margin": gap_margin, "best_epoch": best_epoch, "above_best": above_best, "above_best_margin": above_best_margin,
    }  # fmt: skip


def changes(now: Losses, then: Losses) -> list[float]:
    """Of each picture, in nats; not a number where a loss is 0."""
    return [math.log(loss / then[name]) if loss > 0 and then[name] > 0 else math.nan for name, loss in now.items()]
