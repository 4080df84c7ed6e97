"""Which rank a layer gets: one number, another for convolutions or for single blocks, or as many as its singular values call for.

    sv_ratio        those larger than the largest divided by this number
    sv_fro          enough for this share of the norm of the change (0.9: of its Frobenius norm)
    sv_cumulative   enough for this share of the sum of the singular values

each and one more, and never more than the rank that was given: kohya's rule, so that files come out as users know them.

Single blocks are named as in the rules of a run's settings (`network.layers`): IN08, MID, DOUBLE07, TE*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase

import torch
from torch import Tensor

from lorasmith.adapters.files import names as keys
from lorasmith.adapters.tools.low_rank import SMALLEST
from lorasmith.errors import AdapterError
from lorasmith.registry import nearest


def by_ratio(values: Tensor, ratio: float, rest: float) -> int:
    """How many of the falling singular values are larger than the largest over `ratio`."""
    return int((values > values[0] / ratio).sum())


def by_norm(values: Tensor, share: float, rest: float) -> int:
    """How many of the falling singular values make up this share of the norm, less one that is always kept."""
    energy = values.square().cumsum(0)
    return int(torch.searchsorted(energy / (energy[-1] + rest**2), share**2)) + 1


def by_sum(values: Tensor, share: float, rest: float) -> int:
    """How many of the falling singular values make up this share of their sum, less one that is always kept."""
    total = values.cumsum(0)
    return int(torch.searchsorted(total / total[-1], share)) + 1


METHODS: dict[str, Callable[[Tensor, float, float], int]] = {"sv_ratio": by_ratio, "sv_fro": by_norm, "sv_cumulative": by_sum}
"""(falling singular values, target, norm of those that are not among them) -> how many."""
NEED_ALL = frozenset({"sv_cumulative"})
"""Methods that need all singular values, and not the largest alone."""


def check_method(method: str, target: float) -> None:
    """Whether there is such a way to choose ranks.

    Raises:
        AdapterError: an unknown method, or a target out of its range.
    """
    if method not in METHODS:
        raise AdapterError(f"There is no way to choose ranks called '{method}'; {nearest(method, METHODS)}", code="resize.method")
    if method == "sv_ratio" and not target >= 1:
        raise AdapterError(f"sv_ratio {target:g} is out of range: the largest singular value over the smallest kept is 1 or more.")
    if method != "sv_ratio" and not 0 < target <= 1:
        raise AdapterError(f"{method} {target:g} is out of range: it is a share, more than 0 and at most 1.")


def dynamic_index(values: Tensor, method: str, target: float, rest: float = 0.0) -> int:
    """The last singular value kept, counted from 0, within 1 and the last but one (0 where there is one only)."""
    return max(min(METHODS[method](values, target, rest), len(values) - 1), min(1, len(values) - 1))


def dynamic_rank(values: Tensor, method: str, target: float, most: int, rest: float = 0.0) -> int:
    """The rank that falling singular values need, at most `most`; 1 where they are all negligible.

    Raises:
        AdapterError: an unknown method, or a target out of its range.
    """
    check_method(method, target)
    if values[0] <= SMALLEST:
        return 1
    return min(dynamic_index(values, method, target, rest) + 1, most)


def check_rank(rank: int) -> None:
    """Raises AdapterError for a rank that no LoRA can have."""
    if rank < 1:
        raise AdapterError(f"The rank {rank} is out of range: it must be 1 or more.", code="lora.rank", rank=rank)


def ranks_by_pattern(family: str, names: Iterable[str], ranks: Mapping[str, int]) -> dict[str, int]:
    """Layer -> rank, of the layers whose block, name or path in the model one of the patterns fits; the first that does decides.

    Raises:
        AdapterError: a pattern fits no layer, or a rank is under 1.
    """
    called = {name: _called(family, name) for name in names}
    for pattern, rank in ranks.items():
        check_rank(rank)
        if not any(fnmatchcase(word, pattern) for words in called.values() for word in words):
            block, name, *_ = next(iter(called.values()))
            raise AdapterError(
                f"The pattern {pattern!r} fits no layer of the file; a layer is called, for example, {name} or, by its block, {block}.",
                code="resize.pattern",
                pattern=pattern,
            )
    found = {
        name: next((rank for pattern, rank in ranks.items() if any(fnmatchcase(word, pattern) for word in words)), None)
        for name, words in called.items()
    }
    return {name: rank for name, rank in found.items() if rank is not None}


def _called(family: str, name: str) -> tuple[str, ...]:
    """A layer's block, its name in files, and its paths in the model."""
    part, paths = keys.layers_of(family, name)
    return (keys.block_of(family, part, paths[0]), name, *paths)
