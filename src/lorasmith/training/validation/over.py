"""When validation says that a run is over: `validation.stop_when_over`.

One validation says little, and the held-out loss alone picks checkpoints badly. So a run is over only where several validations in a row
say two things at once, in every band of noise that decides shapes and composition: since the validation at which held-out pictures were
best (the base's counts too)

    held-out pictures   got worse, beyond their margin
    training images     gained, beyond theirs

that is, what the run has learnt since then is its training images alone. Both are compared with that one validation and not with the one
just before, from which a few pictures hardly ever differ beyond a margin, however long the run gets worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lorasmith.training.validation.bands import BANDS
from lorasmith.training.validation.rounds import Round, Sides, changes
from lorasmith.training.validation.uncertainty import Estimate, mean_with_margin

DECIDING = ("shape", "composition")
"""The bands that count; texture and details are memorised long before the subject has come."""


@dataclass(frozen=True)
class Turn:
    """What one band shows after a validation, in nats."""

    band: str
    best_epoch: int
    rise: Estimate
    """Of held-out pictures since `best_epoch`; above 0 is worse."""
    gain: Estimate
    """Of training images since then; above 0 is learnt."""

    @property
    def is_over(self) -> bool:
        """Whether both are beyond their margins."""
        return _beyond(*self.rise) and _beyond(*self.gain)


@dataclass(frozen=True)
class Over:
    """Why a run is over: the validations that say so, and what the last of them shows."""

    epochs: tuple[int, ...]
    turns: tuple[Turn, ...]

    def __str__(self) -> str:
        seen = "; ".join(
            f"{_nats(turn.rise)} worse, and the training images {_nats(turn.gain)} better, than {_then(turn.best_epoch)} in the noise that "
            f"decides {BANDS[turn.band].title}"
            for turn in self.turns
        )
        after = f"{', '.join(map(str, self.epochs[:-1]))} and {self.epochs[-1]}"
        return f"After epochs {after} the LoRA learns its training images alone: pictures that it has not seen are {seen}."


def over(rounds: Sequence[Round], in_a_row: int) -> Over | None:
    """Why the run should end after the last of these rounds, the base's being the first; None where it should not."""
    last = range(len(rounds) - in_a_row, len(rounds))
    if last.start < 1:
        return None
    shown = [turns_of(rounds[: place + 1]) for place in last]
    if not all(turns and all(turn.is_over for turn in turns) for turns in shown):
        return None
    return Over(tuple(rounds[place].epoch for place in last), shown[-1])


def turns_of(rounds: Sequence[Round]) -> tuple[Turn, ...]:
    """What the last of two rounds or more shows in each deciding band that all of them measured."""
    *before, now = rounds
    known = [name for name in DECIDING if all(name in one.bands for one in rounds)]
    return tuple(_turn(name, now.bands[name], [(one.epoch, one.bands[name]) for one in before]) for name in known)


def _turn(band: str, now: Sides, before: Sequence[tuple[int, Sides]]) -> Turn:
    best_epoch, best = min(before, key=lambda one: one[1].val_loss)
    rise, gain = changes(now.held_out, best.held_out), changes(best.trained, now.trained)
    return Turn(band, best_epoch, mean_with_margin(rise), mean_with_margin(gain))


def _beyond(number: float, margin: float | None) -> bool:
    return margin is not None and number > margin


def _nats(estimate: Estimate) -> str:
    number, margin = estimate
    return f"{number:.2f}" + ("" if margin is None else f" ± {margin:.2f}") + " nats"


def _then(epoch: int) -> str:
    return f"after epoch {epoch}" if epoch else "with the base alone"
