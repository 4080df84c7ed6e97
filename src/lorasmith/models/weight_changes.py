"""What is added to a base's weights while they are read, before they are rounded or quantised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class WeightChanges:
    """Changes of a base."""

    tensors: Mapping[str, Mapping[str, Callable[[], Tensor]]]
    """Part -> tensor of its module -> what computes its change, in fp64."""
    mark: str
    """A hash that tells them from others."""

    def of(self, part: str) -> Mapping[str, Callable[[], Tensor]]:
        """The changed tensors of a part."""
        return self.tensors.get(part, {})
