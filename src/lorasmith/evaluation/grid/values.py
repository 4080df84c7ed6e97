"""Values of an axis as people write them: ours, and those of A1111's X/Y/Z plot.

0.5..1.0:0.1          0.5, 0.6 ... 1.0
0.5-1.0 (+0.1)        the same in A1111
0.5-1.0 [6]           six values, evenly spread, in A1111
1, 5, 20-40 (+10)     one after the other
"red, white", blue    a comma inside quotes belongs to the value
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from lorasmith.errors import SettingsError

Number = TypeVar("Number", int, float)

_N = r"([+-]?\s*(?:\d+\.?\d*|\.\d+))"
_OURS = re.compile(rf"\s*{_N}\s*\.\.\s*{_N}(?:\s*:\s*{_N})?\s*")
_STEPS = re.compile(rf"\s*{_N}\s*-\s*{_N}(?:\s*\(\s*{_N}\s*\))?\s*")
_COUNT = re.compile(rf"\s*{_N}\s*-\s*{_N}\s*\[\s*(\d+)\s*\]\s*")
MOST_VALUES = 1000
"""Of one range; more is a slip of the pen."""


def tokens(text: str) -> list[str]:
    """The values of a list with commas between them, as A1111 splits it. Raises SettingsError where that cannot be done."""
    try:
        return [value.strip() for row in csv.reader(io.StringIO(text), skipinitialspace=True) for value in row]
    except csv.Error as error:
        raise SettingsError(
            f"{text[:80]!r} is not a list with commas between its values ({error}). Write it on one line.",
            code="grid.value",
            value=text[:80],
        ) from None


def numbers(values: Iterable[str], kind: Callable[[str], Number], usual_step: Number) -> list[Number]:
    """Numbers and ranges, both ends of which count.

    Raises:
        SettingsError: one is neither.
    """
    found: list[Number] = []
    for value in values:
        found += _numbers_of(value, kind, usual_step)
    return found


def are_numbers(values: Sequence[str]) -> bool:
    """Whether all of these are numbers or ranges."""
    try:
        return bool(numbers(values, float, 0.1))
    except SettingsError:
        return False


def _numbers_of(value: str, kind: Callable[[str], Number], usual_step: Number) -> list[Number]:
    def read(text: str) -> Number:
        try:
            number = kind(text.replace(" ", ""))
        except ValueError:
            what = "a whole number or a range" if kind is int else "a number or a range"
            raise SettingsError(f"{value!r} is not {what}, such as 1..10:3 or 1-10 (+3).", code="grid.value", value=value) from None
        if not math.isfinite(number):
            raise SettingsError(f"{value!r} is not a finite number. Change it.", code="grid.value", value=value)
        return number

    if count := _COUNT.fullmatch(value):
        first, last, many = float(count[1].replace(" ", "")), float(count[2].replace(" ", "")), int(count[3])
        _check_count(value, many)
        spread = [first + (last - first) * k / max(many - 1, 1) for k in range(many)]
        return [kind(str(int(each) if kind is int else _tidy(each))) for each in spread]
    if found := _OURS.fullmatch(value) or _STEPS.fullmatch(value):
        first, last = read(found[1]), read(found[2])
        step = abs(read(found[3])) if found[3] else usual_step
        if step == 0:
            raise SettingsError(f"The step of {value!r} is 0. Give another one.", code="grid.value", value=value)
        many = math.floor(abs(last - first) / step + 1e-9) + 1
        _check_count(value, many)
        sign = 1 if last >= first else -1
        return [kind(str(_tidy(first + sign * k * step))) for k in range(many)]
    return [read(value)]


def _check_count(value: str, many: int) -> None:
    if not 1 <= many <= MOST_VALUES:
        raise SettingsError(
            f"{value!r} has {many:,} values, and a range has 1 to {MOST_VALUES:,}. Change it.", code="grid.value", value=value
        )


def _tidy(number: float) -> float:
    """0.7 rather than 0.7000000000000001; whole numbers stay whole."""
    return number if isinstance(number, int) else round(number, 10)
