"""Which of several copies of a picture is worth keeping.

The number of pixels does not say it: an enlarged copy has more of them, a stretched one too, and a JPEG that was saved again at a high
quality has the fine table of a good file. So it is asked how much each copy resolves: its sides in units of its own finest detail.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Copy:
    """What decides which of several copies is worth keeping."""

    size: tuple[int, int]
    """Width and height in pixels."""
    quality: float = 100.0
    """Of its compression, 1-100; 100 where nothing was lost."""
    file_bytes: int = 0
    name: str = ""
    """Of its file; among equals the shortest is kept: `cat.png` rather than `cat (copy).png`."""
    fineness: tuple[float, float] = (0.5, 0.5)
    """Of its finest detail across and down, in cycles a pixel; see `signs.fineness`."""
    blocking: float = 1.0
    """See `signs.blocking`."""
    captioned: bool = False
    animated: bool = False
    mirrored: bool = False
    """Whether it is known to be the other way round than the original."""

    @property
    def density(self) -> float:
        """How much of what its pixels could show they do show, 0-1."""
        return 4 * self.fineness[0] * self.fineness[1]

    @property
    def area(self) -> int:
        return self.size[0] * self.size[1]

    @property
    def resolved(self) -> float:
        """Its area in pixels that show something of their own: enlarging and stretching leave it about as it is."""
        return self.area * self.density


AS_SHARP = 0.6
"""Share of the most that a copy resolves from which on one counts as equally sharp. Enlarging a photograph to twice its sides seems to add
up to half (four photographs, bicubic); a copy of half its area is below."""

DENSE = 1 / 1.2
"""Share of the highest density from which on a copy counts as neither enlarged nor stretched: stretching photographs to one and a half
times their height left 0.61 to 0.79, enlarging them so both ways 0.52 at most, and halving them in width 0.86 to 1.17."""

SAME_PROPORTIONS = 0.03
"""Difference of the logarithms of two proportions up to which they are the same: 3 %."""

MORE_BLOCKS = 0.05
"""How much stronger the blocks of JPEG must be to be seen; noise of the measure stays below."""

BLOCKS = 1.1
"""From here on a picture has been a JPEG, whatever it is saved as now."""


def best_copy(copies: Sequence[Copy]) -> int:
    """The place of the copy to keep.

    In this order: the proportions of the original, not mirrored, not animated, as sharp as any, neither enlarged nor stretched, captioned,
    the most pixels (2 % do not count), the least compression, the most bytes, the shortest name, the first.
    """
    assert copies, "of no copies none is the best"
    left = list(range(len(copies)))

    def keep(is_good: Callable[[Copy], bool]) -> None:
        nonlocal left
        left = [place for place in left if is_good(copies[place])] or left

    proportion = _proportion(copies[_as_it_came(copies)])
    keep(lambda copy: abs(_proportion(copy) - proportion) <= SAME_PROPORTIONS)
    keep(lambda copy: not copy.mirrored)
    keep(lambda copy: not copy.animated)
    most = max(copies[place].resolved for place in left)
    keep(lambda copy: copy.resolved >= AS_SHARP * most)
    densest = max(copies[place].density for place in left)
    keep(lambda copy: copy.density >= DENSE * densest)
    keep(lambda copy: copy.captioned)
    largest = max(copies[place].area for place in left)
    keep(lambda copy: copy.area >= 0.98 * largest)
    least = min(copies[place].blocking for place in left)
    keep(lambda copy: copy.blocking <= least + MORE_BLOCKS)
    first_saved = 1 if least > BLOCKS else -1  # with equal blocks the finer table is that of the file which was saved again

    def order(place: int) -> tuple[float, int, int, str, int]:
        copy = copies[place]
        return first_saved * copy.quality, -copy.file_bytes, len(copy.name), copy.name, place

    return min(left, key=order)


def _as_it_came(copies: Sequence[Copy]) -> int:
    """The largest of the copies that resolve most and are neither enlarged nor stretched: it has the proportions of the original."""
    most = max(copy.resolved for copy in copies)
    sharp = [place for place, copy in enumerate(copies) if copy.resolved >= AS_SHARP * most]
    densest = max(copies[place].density for place in sharp)
    return max((place for place in sharp if copies[place].density >= DENSE * densest), key=lambda place: copies[place].area)


def _proportion(copy: Copy) -> float:
    return math.log(copy.size[0] / copy.size[1])
