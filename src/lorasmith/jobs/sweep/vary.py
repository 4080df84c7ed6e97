"""What varies in a sweep: a setting by its name, with the values that it may have.

[vary]
network.kind = ["lora", "lokr"]                                                 # these
network.rank = { from = 4, to = 64, count = 3, scale = "log" }                  # 4, 16 and 64
training.epochs = { from = 2, to = 6, step = 2 }                                # 2, 4 and 6
optimizer.learning_rate = { from = 1e-5, to = 1e-3, scale = "log" }             # any between these
datasets.path = ["my-set", "my-other-set"]                                      # of the only dataset; of the second: datasets.1.path
"network.rank, network.alpha" = [[8, 4], [16, 8]]                               # these together
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from lorasmith.errors import SettingsError
from lorasmith.registry import nearest
from lorasmith.sections import fields_of
from lorasmith.training.settings.tree import Settings, section_type, setting_names

NEVER_VARIED = {
    "name": "each trial is named after its number",
    "version": "it is the form of the settings file",
    "cache": "trials share the latents and texts in it",
}
"""Settings that a sweep has for itself, and why."""
MOST_VALUES = 1000
"""Of one setting; more is a slip of the pen."""
LARGEST = 1e100
"""No setting comes near; with such numbers ranges cannot be computed."""
RANGE_KEYS = ("from", "to", "count", "step", "scale")
DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
TOGETHER = ", "
"""Between the names of settings that vary together."""


@dataclass(frozen=True)
class Choices:
    """One of a few values."""

    values: tuple[Any, ...]

    def at(self, share: float) -> Any:
        """The value at a place from 0 up to 1."""
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]


@dataclass(frozen=True)
class Distribution:
    """Any number between two, each as likely as the other; with `log` each order of magnitude is."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    @property
    def count(self) -> float:
        """How many numbers there are; infinite where they need not be whole."""
        return self.high - self.low + 1 if self.whole else math.inf

    def at(self, share: float) -> float | int:
        """The number at a place from 0 to 1, with three digits."""
        number = _between(self.low, self.high, share, self.log)
        return round(number) if self.whole else min(max(float(f"{number:.3g}"), self.low), self.high)


Varied = Choices | Distribution


def read_vary(vary: Mapping[str, Any], settings: Settings, source: str) -> dict[str, Varied]:
    """The table [vary] of a sweep's file: each setting with what it may be, in the order of the file.

    Raises:
        SettingsError: the setting does not exist, or none of its values is allowed; the sentence names it.
    """
    given = by_names(vary, settings)
    if not given:
        raise SettingsError(f"{source}: [vary] names no setting, so there is nothing to try.", code="sweep.nothing_varies")
    for names in given:
        for name in names.split(TOGETHER):
            _check_name(name, settings, source)
    return {name: _read(name, value, source) for name, value in given.items()}


def by_names(vary: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """What is written for each setting by its whole name: TOML has `network.rank = [4, 8]` as a table in a table."""
    return dict(_flat(vary, _known_names(settings)))


def draw(varied: Mapping[str, Varied], rng: random.Random) -> dict[str, Any]:
    """A value for each setting."""
    return {name: one.at(rng.random()) for name, one in varied.items()}


def combinations(varied: Mapping[str, Varied]) -> float:
    """How many there are; infinite where a setting may be any number, whole or not."""
    return math.prod(len(one.values) if isinstance(one, Choices) else one.count for one in varied.values())


# -- names ------------------------------------------------------------------------------------------------------------


def _known_names(settings: Settings) -> set[str]:
    of_datasets = [name.partition(".")[2] for name in setting_names() if name.startswith("datasets.")]
    numbered = {f"datasets.{number}.{key}" for number in range(len(settings.datasets)) for key in of_datasets}
    return {*setting_names(), *numbered, "datasets"}


def _flat(vary: Mapping[str, Any], known: set[str], before: str = "") -> list[tuple[str, Any]]:
    """(setting, what it may be), whether its name is written with dots or as a table in a table."""
    found: list[tuple[str, Any]] = []
    for key, value in vary.items():
        name = f"{before}{key}"
        has_parts = name not in known or any(one.startswith(f"{name}.") for one in known)
        if isinstance(value, Mapping) and has_parts and not value.keys() & set(RANGE_KEYS):
            found += _flat(value, known, f"{name}.")
        else:
            found.append((name, value))
    return found


def _check_name(name: str, settings: Settings, source: str) -> None:
    if name not in _known_names(settings):
        raise SettingsError(
            f"{source}: [vary] has {name!r}, and there is no such setting; {nearest(name, setting_names())}",
            code="settings.unknown_key", setting=name,
        )  # fmt: skip
    if name in NEVER_VARIED:
        raise SettingsError(
            f"{source}: {name} cannot vary, since {NEVER_VARIED[name]}. Remove it from [vary].", code="sweep.cannot_vary", setting=name
        )
    if name.startswith("datasets.") and not name.split(".")[1].isdigit() and len(settings.datasets) > 1:
        raise SettingsError(
            f"{source}: {name} is set for each of {len(settings.datasets)} datasets. Name one, such as datasets.0.{name.partition('.')[2]}.",
            code="sweep.which_dataset", setting=name,
        )  # fmt: skip


# -- values -----------------------------------------------------------------------------------------------------------


def _read(name: str, value: Any, source: str) -> Varied:
    for text in _parts(value):
        if isinstance(text, str) and _takes_numbers(name) and DECIMAL_COMMA.search(text):
            raise _refusal(
                name, source,
                f"has {text!r}, where a comma may be a decimal one. Write numbers with a point, such as 0.0001, and a space after each comma "
                "between values.",
                code="sweep.decimal_comma",
            )  # fmt: skip
    several = name.count(TOGETHER) + 1
    if several > 1 and not (isinstance(value, list) and all(isinstance(one, list) and len(one) == several for one in value)):
        raise _refusal(
            name, source, f"names {several} settings. Give a list with {several} values in each place, such as [[8, 4], [16, 8]]."
        )
    if isinstance(value, Mapping):
        return _read_range(name, value, source)
    if not isinstance(value, list):
        raise _refusal(name, source, f"is {value!r}, which varies nothing. Give a list, such as [1, 2], or {{ from = 1, to = 4 }}.")
    return _choices(name, value, source)


def _parts(value: Any) -> Collection[Any]:
    """What is written of a setting, one by one."""
    return value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else [value]


def _choices(name: str, values: Sequence[Any], source: str) -> Choices:
    different: list[Any] = []
    for value in values:
        if value not in different:
            different.append(value)
        if len(different) > MOST_VALUES:
            break
    if len(different) < 2:
        raise _refusal(name, source, "needs two values or more that differ. Add one, or set it in the settings instead.")
    if len(different) > MOST_VALUES:
        raise _refusal(name, source, f"has {len(values):,} values, and {MOST_VALUES:,} are the most. Make it shorter.")
    return Choices(tuple(different))


def _read_range(name: str, table: Mapping[str, Any], source: str) -> Varied:
    for key in table:
        if key not in RANGE_KEYS:
            raise _refusal(name, source, f"has {key!r}, which a range does not have; {nearest(key, RANGE_KEYS)}")
    low, high = (_number(name, table, key, source) for key in ("from", "to"))
    scale = table.get("scale", "linear")
    if scale not in ("linear", "log"):
        raise _refusal(name, source, f"has scale = {scale!r}. Choose linear or log.")
    log, whole = scale == "log", _is_whole(name)
    if whole and not (float(low).is_integer() and float(high).is_integer()):
        raise _refusal(name, source, f"goes from {low:g} to {high:g}, and takes whole numbers. Let it begin and end with one.")
    if low >= high:
        raise _refusal(name, source, f"goes from {low:g} to {high:g}. Let it rise.")
    if log and low <= 0:
        raise _refusal(name, source, f'begins at {low:g}, and scale = "log" needs numbers above 0.')
    if "count" in table and "step" in table:
        raise _refusal(name, source, "has count and step. Give one of them.")
    if "step" in table:
        return _choices(name, _by_step(name, low, high, _number(name, table, "step", source), log, whole, source), source)
    if "count" in table:
        return _choices(name, _by_count(name, low, high, table["count"], log, whole, source), source)
    return Distribution(low, high, log, whole)


def _number(name: str, table: Mapping[str, Any], key: str, source: str) -> float:
    value = table.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LARGEST:
        raise _refusal(name, source, f"needs {key} as a number." if value is None else f"has {key} = {value!r}. Give a number.")
    return value


def _by_step(name: str, low: float, high: float, step: float, log: bool, whole: bool, source: str) -> list[Any]:
    if log:
        raise _refusal(name, source, 'has step and scale = "log". Give count instead of step.')
    if step <= 0:
        raise _refusal(name, source, f"has step = {step:g}. Give a number above 0.")
    count = math.floor(min((high - low) / step, MOST_VALUES) + 1e-9) + 1
    return [_tidy(low + number * step, whole) for number in range(count)]


def _by_count(name: str, low: float, high: float, count: Any, log: bool, whole: bool, source: str) -> list[Any]:
    if isinstance(count, bool) or not isinstance(count, int) or count < 2:
        raise _refusal(name, source, f"has count = {count!r}. Give 2 or more.")
    several = min(count, MOST_VALUES + 1)
    return [_tidy(_between(low, high, number / (several - 1), log), whole) for number in range(several)]


def _between(low: float, high: float, share: float, log: bool) -> float:
    return low * (high / low) ** share if log else low + (high - low) * share


def _tidy(number: float, whole: bool) -> float | int:
    """0.0001 rather than 0.00010000000000000002."""
    return round(number) if whole else float(f"{number:.10g}")


def _is_whole(name: str) -> bool:
    """Whether a setting takes whole numbers alone."""
    kinds = _types_of(name)
    return int in kinds and float not in kinds


def _takes_numbers(name: str) -> bool:
    """Whether a setting, or one of several, takes numbers and no text."""
    return any({int, float} & kinds and str not in kinds for kinds in map(_types_of, name.split(TOGETHER)))


def _types_of(name: str) -> set[Any]:
    """The types that the values of a setting may have; none where that is not known."""
    section, _, key = name.rpartition(".")
    model = section_type(Settings, section.split(".")[0]) if section else Settings
    field = fields_of(model).get(key) if model is not None else None
    return set() if field is None else {field.annotation, *get_args(field.annotation)}


def _refusal(name: str, source: str, what: str, code: str = "sweep.vary") -> SettingsError:
    return SettingsError(f"{source}: {name} in [vary] {what}", code=code, setting=name)
