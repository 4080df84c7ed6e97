"""Rates, ranks and alphas of single blocks in the words of sd-scripts' `networks.lora`, as rules of ours.

There a U-Net's blocks are counted in one row, and each number of a list is for one of them:

    SD 1 and 2, 25 numbers     IN00-IN11, MID, OUT00-OUT11
    SDXL, 23 numbers           (embeddings, unused), IN00-IN08, the three layers of MID, OUT00-OUT08, (output, unused)

`down_lr_weight`, `mid_lr_weight` and `up_lr_weight` are factors on the U-Net's rate for the parts of that row, or the name of a
curve over it, with "+x" added to each of its values. A block of factor 0, or of rank 0, is not trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lorasmith.models.families import FAMILIES
from lorasmith.models.family import BlockRow

# Argument -> which stretch of the row it is for.
WEIGHTS = ("down_lr_weight", "mid_lr_weight", "up_lr_weight")
SIZES = ("block_dims", "block_alphas", "conv_block_dims", "conv_block_alphas")
ARGUMENTS = (*WEIGHTS, *SIZES, "block_lr_zero_threshold")

CURVES: dict[str, Callable[[float], float]] = {
    "sine": lambda x: math.sin(math.pi * x / 2),
    "cosine": lambda x: math.sin(math.pi * (1 - x) / 2),  # and not cos, which misses 0 at the end
    "linear": lambda x: x,
    "reverse_linear": lambda x: 1 - x,
    "zeros": lambda x: 0.0,
}
"""Name -> factor at x from 0 (the first block of a stretch) to 1 (its last)."""


@dataclass(frozen=True)
class Sizes:
    """Ranks and alphas that count where no block says otherwise; `conv_rank` None: convolutions are not trained."""

    rank: int
    alpha: float
    conv_rank: int | None
    conv_alpha: float


def row_of(family: str | None, arguments: Mapping[str, Any]) -> BlockRow:
    """The row of a family; where that is not known or has none, the one that the lists' lengths speak for, else the first."""
    known = FAMILIES[family].sd_scripts if family is not None else None
    if known is not None and known.block_row is not None:
        return known.block_row
    lengths = {len(value) for name, value in arguments.items() if name in (*SIZES, *WEIGHTS) and isinstance(value, list | tuple)}
    rows = [each.sd_scripts.block_row for each in FAMILIES.values() if each.sd_scripts and each.sd_scripts.block_row]
    return next((row for row in rows if lengths & {row.numbers, row.down}), rows[0])


def block_rules(arguments: Mapping[str, Any], row: BlockRow, defaults: Sizes) -> list[dict[str, Any]]:
    """Rules of network.layers that mean the same as the arguments; only blocks that differ from the rest have one.

    Raises ValueError, with a reason, for what sd-scripts would not take, or what no rule can say.
    """
    factors = _factors(arguments, row)
    ranks = [int(rank) for rank in _numbers(arguments, "block_dims", row, defaults.rank)]
    alphas = _numbers(arguments, "block_alphas", row, defaults.alpha)
    convolutions = defaults.conv_rank is not None or "conv_block_dims" in arguments
    conv_ranks = [int(rank) for rank in _numbers(arguments, "conv_block_dims", row, defaults.conv_rank or 0)]
    conv_alphas = _numbers(arguments, "conv_block_alphas", row, defaults.conv_alpha)
    middle = row.patterns[row.down : row.down + row.mid]
    rules: list[dict[str, Any]] = []
    for k, pattern in enumerate(row.patterns):
        if pattern == "IN00" or not (convolutions or pattern in row.with_transformers):
            continue  # nothing is trained there
        wide = convolutions and not (
            row.mid > 1 and pattern in middle and pattern in row.with_transformers
        )  # that one is a transformer alone
        trained = [rank > 0 for rank in (ranks[k], conv_ranks[k] if wide else ranks[k])]
        if factors[k] == 0 or not any(trained):
            rules.append({"pattern": pattern, "exclude": True})
            continue
        if not all(trained):
            raise ValueError(f"{pattern} trains either its convolutions or the rest, which takes rules by layers' names")
        rule: dict[str, Any] = {}
        if (ranks[k], alphas[k]) != (defaults.rank, defaults.alpha):
            rule |= {"rank": ranks[k], "alpha": alphas[k]}
        if wide and (rule or (conv_ranks[k], conv_alphas[k]) != (defaults.conv_rank, defaults.conv_alpha)):
            rule |= {"conv_rank": conv_ranks[k], "conv_alpha": conv_alphas[k]}
        if factors[k] != 1:
            rule |= {"lr": round(factors[k], 6)}
        if rule:
            rules.append({"pattern": pattern if convolutions or pattern not in middle else "MID", **rule})
    return rules


def _factors(arguments: Mapping[str, Any], row: BlockRow) -> list[float]:
    threshold = float(arguments.get("block_lr_zero_threshold") or 0)
    found: list[float] = []
    for name, count in zip(WEIGHTS, (row.down, row.mid, row.down), strict=True):
        weights = stretch(arguments[name], count) if name in arguments else [1.0] * count
        found += [weight if weight > threshold or name not in arguments else 0.0 for weight in weights]
    return found


def stretch(value: Any, count: int) -> list[float]:
    """Factors of a stretch of `count` blocks: a list, filled up with 1 or cut, or a curve such as "cosine+.2".

    Raises ValueError where there is no such curve.
    """
    if isinstance(value, str):
        name, _, added = value.partition("+")
        if name not in CURVES:
            raise ValueError(f"there is no curve {name!r}; sd-scripts knows {', '.join(CURVES)}")
        return [CURVES[name](k / (count - 1) if count > 1 else 1.0) + float(added or 0) for k in range(count)]
    given = [float(each) for each in (value if isinstance(value, list | tuple) else [value])]
    return (given + [1.0] * count)[:count]


def _numbers(arguments: Mapping[str, Any], name: str, row: BlockRow, defaults: float) -> list[float]:
    """A list over the whole row, without what is for no block."""
    if name not in arguments:
        return [defaults] * len(row.patterns)
    given = arguments[name]
    if not isinstance(given, list | tuple) or len(given) != row.numbers:
        raise ValueError(f"sd-scripts wants {row.numbers} numbers")
    return [float(each) for each in given][row.spare : len(given) - row.spare]
