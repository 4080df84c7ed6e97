"""How wide a base is beside its family at full size, and what that means for its learning rates.

Adam moves each weight by about its rate, however small the gradient, and a layer adds up as many of these moves as it is wide. So the rate
of hidden layers goes with 1/width where learning is to stay the same (maximal update; Yang et al. 2022, Tensor Programs V,
arXiv 2203.03466, table 3). The rates that a family's users have found are for its full size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from lorasmith.models.description import Description

SOURCE = "Yang et al. 2022"


@dataclass(frozen=True)
class Width:
    """How wide a part of a base is."""

    own: int = 1
    usual: int = 1
    """At its family's full size."""

    @property
    def is_usual(self) -> bool:
        return self.own == self.usual

    def rate(self, usual: float) -> float:
        """The rate that does for this width what `usual` does at full size, to two digits."""
        return usual if self.is_usual else float(f"{usual * self.usual / self.own:.2g}")

    def __str__(self) -> str:
        times, word = (self.usual / self.own, "narrower") if self.own < self.usual else (self.own / self.usual, "wider")
        return f"{self.usual / self.own:.2g} times the usual rate, as it is {times:.2g} times {word} than usual ({self.own:,} instead of {self.usual:,})"


class Widths(NamedTuple):
    """Of the parts of a base that have a rate of their own."""

    denoiser: Width = Width()
    text_encoder: Width = Width()


FULL_SIZE = Widths()


def widths_of(description: Description) -> Widths:
    """The widths of a described base; the usual ones where its files do not say."""
    return Widths(_width(description, description.denoiser), _width(description, "text_encoder"))


def _width(description: Description, part: str) -> Width:
    if part not in description.parts or part not in description.form.parts:
        return Width()
    own, usual = description.parts[part].config.width, description.form.parts[part].width
    return Width() if own is None or usual is None else Width(own, usual)
