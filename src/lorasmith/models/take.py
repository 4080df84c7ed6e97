"""Where one tensor of a module comes from: a name in the file, and what is to be done to it on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Shapes = Mapping[str, tuple[int, ...]]  # name in the module's state -> its shape


@dataclass(frozen=True)
class Take:
    """A tensor of a file, or rows of it, for a tensor of a module."""

    key: str  # its name in the file, without the part's prefix
    rows: tuple[int, int] | None = None  # first row and the one after the last; None for all
    transposed: bool = False
    halves_swapped: bool = False  # the lower half of the rows is above the upper
    any_shape: bool = False  # the file may have the same numbers in other rows


def stacked(key: str, shapes: Shapes, names: list[str]) -> dict[str, Take]:
    """Tensors that are one below the other in one tensor of the file, in this order."""
    takes, row = {}, 0
    for name in names:
        rows = shapes[name][0]
        takes[name] = Take(key, (row, row + rows))
        row += rows
    return takes
