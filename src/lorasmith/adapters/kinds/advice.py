"""What the guides advise about a kind of network. The lints of a run read it; a kind without advice is not judged."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ranks:
    """Which ranks help."""

    most: int
    """The highest that helps."""
    usual: int
    """The one to go back to from a higher one."""
    source: str
    least: int = 1
    """The lowest that makes sense."""
    least_for_several: int = 1
    """The lowest with room for several concepts."""
    most_for_few: int | None = None
    """From this rank on it learns a dozen pictures by heart; None: it is not known to."""
    most_of_convolutions: int | None = None
    """The highest for 3x3 convolutions, which carry texture and burn in first; None: it is not known."""


@dataclass(frozen=True)
class Rates:
    """Learning rates of a kind that the base's usual ones are not for."""

    least: float
    usual: float
    source: str


@dataclass(frozen=True)
class Advice:
    """All that is advised about a kind."""

    ranks: Ranks | None = None
    rates: Rates | None = None
    """None: the base's usual rates."""
    one_rank_a_batch: bool = False
    """Whether a whole batch trains one rank that is drawn for it, so that large batches learn slowly."""


NO_ADVICE = Advice()
