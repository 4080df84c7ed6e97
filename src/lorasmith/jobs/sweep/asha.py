"""Which trials are stopped early: asynchronous successive halving (Li et al. 2020), on pictures that nobody trains on.

A trial is compared with the others at rungs: after `min_epochs`, and then `factor` times as many. It is stopped where both hold

    rank        it is not among the best 1 / factor of those that have come so far
    evidence    held-out pictures are worse than in the best of them, beyond the 95 % margin of the paired differences, in every band of
                noise that decides shapes and composition

The first alone is what others call ASHA. It stops by ranks, and the held-out loss picks badly among trials that are close; so it decides
nothing by itself here, as in `training.validation.over`. Compared are changes against the base, in nats, over the same
pictures on the same base. The training loss is never looked at. What is stopped was ruled out; which of the others is best the verdict says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from lorasmith.sentences import Named, Sentence, named
from lorasmith.training.events import ValidationDone
from lorasmith.training.validation.bands import BANDS
from lorasmith.training.validation.over import DECIDING
from lorasmith.training.validation.uncertainty import Estimate, mean_with_margin

Change = Mapping[str, float]
"""Picture -> how its loss has changed against the base, in nats; below 0 is learnt."""


@dataclass(frozen=True)
class Standing:
    """How a trial stands after an epoch: band -> change of each held-out picture."""

    trial: int
    measured_with: str
    """What numbers must share to be compared: the base, and how it is validated."""
    epoch: int
    bands: Mapping[str, Change]

    @property
    def change(self) -> float:
        """Over the bands that decide; lower is better."""
        return fmean(value for band in self.bands.values() for value in band.values())

    def is_comparable_to(self, other: Standing) -> bool:
        return (self.measured_with, self.epoch, _pictures(self)) == (other.measured_with, other.epoch, _pictures(other))


@dataclass(frozen=True)
class Ruling:
    """Why a trial is stopped: after which epoch, beside which trial, and by how much it is worse in each band, in nats."""

    epoch: int
    beside: int
    worse: Mapping[str, Estimate]

    @property
    def said(self) -> Sentence:
        by = [
            Sentence.of(SENTENCES, "sweep.worse_in", number=number, margin=margin, band={"band": band})
            for band, (number, margin) in self.worse.items()
        ]
        return Sentence.of(SENTENCES, "sweep.ruled_out", epoch=self.epoch, beside={"trial": self.beside}, by=by)

    def __str__(self) -> str:
        return str(self.said)


def _ruled_out(epoch: int, beside: Named, by: Sequence[Sentence]) -> str:
    return f"Ruled out after epoch {epoch}: held-out pictures are worse than in {named(beside)}, by {' and '.join(map(str, by))}."


def _worse_in(number: float, margin: float, band: Named) -> str:
    return f"{number:.2f} ± {margin:.2f} nats in the noise that decides {BANDS[band['band']].title}"


SENTENCES: dict[str, Callable[..., str]] = {"sweep.ruled_out": _ruled_out, "sweep.worse_in": _worse_in}
"""Code -> how its English is made."""


def rungs(first: int, factor: int, epochs: int) -> list[int]:
    """The epochs after which trials are compared; after the last one there is nothing left to save."""
    found = [first]
    while found[-1] * factor < epochs:
        found.append(found[-1] * factor)
    return [epoch for epoch in found if epoch < epochs]


def standing(trial: int, measured_with: str, validations: Sequence[ValidationDone], rung: int) -> Standing | None:
    """How a trial stands at a rung: at its first validation from there on. None where it has not come so far, or nothing is held out."""
    start = next((one for one in validations if one.epoch == 0), None)
    now = next((one for one in validations if one.epoch >= rung), None)
    if start is None or now is None or not all(band in one.bands for band in DECIDING for one in (start, now)):
        return None
    if any(now.bands[band]["val_losses"].keys() != start.bands[band]["val_losses"].keys() for band in DECIDING):
        return None  # other pictures are held out since
    bands = {band: _change(now.bands[band]["val_losses"], start.bands[band]["val_losses"]) for band in DECIDING}
    return Standing(trial, measured_with, now.epoch, bands)


def ruled_out(own: Standing, others: Sequence[Standing], factor: int) -> Ruling | None:
    """Why a trial is to be stopped at a rung, beside the others that have come so far; None where it goes on."""
    peers = [other for other in others if own.is_comparable_to(other)]
    better = [other for other in peers if other.change < own.change]
    if len(better) < max(1, (len(peers) + 1) // factor):
        return None
    best = min(better, key=lambda other: other.change)
    worse = {band: mean_with_margin([own.bands[band][name] - best.bands[band][name] for name in own.bands[band]]) for band in DECIDING}
    if not all(margin is not None and number > margin for number, margin in worse.values()):
        return None
    return Ruling(own.epoch, best.trial, worse)


def _change(now: Mapping[str, float], start: Mapping[str, float]) -> Change:
    """Not a number where a loss is 0: such a picture rules nothing out."""
    return {name: math.log(loss / start[name]) if loss > 0 and start[name] > 0 else math.nan for name, loss in now.items()}


def _pictures(one: Standing) -> list[set[str]]:
    return [set(change) for change in one.bands.values()]
