"""The trials of a sweep: which values each has, and its settings."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorasmith.draws import rng_for
from lorasmith.errors import InputError, SettingsError
from lorasmith.jobs.sweep.sweep_file import Sweep
from lorasmith.jobs.sweep.vary import TOGETHER, Choices, draw
from lorasmith.training.planning.check import CheckedRun, check
from lorasmith.training.planning.lints.lints import lint_run
from lorasmith.training.settings.places import put
from lorasmith.training.settings.stand_ins import stand_ins
from lorasmith.training.settings.tree import Settings, settings_from

MOST_REPEATS = 20_000
"""Draws that have all come before: of 1,000 combinations, the last one is not missed by as many in a hundred million sweeps."""


@dataclass(frozen=True)
class Trial:
    """One training of a sweep. `number` is from 1; `values` are its settings that vary."""

    number: int
    values: Mapping[str, Any]
    settings: Settings

    def __str__(self) -> str:
        return f"Trial {self.number} ({in_words(self.values)})"


def in_words(values: Mapping[str, Any]) -> str:
    """optimizer.learning_rate 0.0001, network.rank 16."""
    return ", ".join(
        f"{name} {value_in_words(value)}"
        for names, together in values.items()
        for name, value in (zip(names.split(TOGETHER), together, strict=True) if TOGETHER in names else [(names, together)])
    )


def value_in_words(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case str() | Path():
            return str(value)
        case [*values] if values and all(isinstance(one, bool | int | float | str) for one in values):
            return TOGETHER.join(map(value_in_words, values))
    return json.dumps(value, ensure_ascii=False)


def planned_values(sweep: Sweep) -> list[dict[str, Any]]:
    """The values of all trials, in their order; empty for a search that looks at what earlier trials came to."""
    if sweep.file.search == "grid":
        sides = [one.values for one in sweep.vary.values() if isinstance(one, Choices)]
        return [dict(zip(sweep.vary, values, strict=True)) for values in itertools.product(*sides)]
    if sweep.file.search == "random":
        return _drawn(sweep)
    return []


def _drawn(sweep: Sweep) -> list[dict[str, Any]]:
    """Draws that differ: where one comes again, the next one takes its place. Raises SettingsError where there are fewer than trials."""
    found: list[dict[str, Any]] = []
    latest = 0
    for attempt in itertools.count():
        if len(found) == sweep.trials:
            break
        values = draw(sweep.vary, rng_for("sweep", sweep.file.seed, attempt))
        if values not in found:
            found.append(values)
            latest = attempt
        elif attempt - latest > MOST_REPEATS:
            raise SettingsError(
                f"trials = {sweep.trials}, and there are {len(found)} combinations of numbers with three digits. Lower it, or widen a range.",
                code="sweep.trials", combinations=len(found),
            )  # fmt: skip
    return found


def trial_of(sweep: Sweep, number: int, values: Mapping[str, Any]) -> Trial:
    """A trial with these values.

    Raises:
        SettingsError: its settings refuse them.
    """
    source = f"Trial {number} ({in_words(values)})"
    changed = with_values(sweep.settings, {**values, "name": f"{sweep.settings.name}-{number}"}, source)
    return Trial(number, values, shortened(changed, sweep.file.share))


def with_values(settings: Settings, values: Mapping[str, Any], source: str) -> Settings:
    """The settings with other values, by dotted names; `datasets.path` is that of the only dataset."""
    tree = settings.model_dump(mode="json", exclude_none=True)
    for names, value in values.items():
        several = names.split(TOGETHER)
        for name, one in zip(several, value if len(several) > 1 else (value,), strict=True):
            section, _, key = name.partition(".")
            of_the_only_one = section == "datasets" and key and not key[0].isdigit()
            put(tree, f"datasets.0.{key}" if of_the_only_one else name, one)
    return settings_from(tree, source)


def shortened(settings: Settings, share: float) -> Settings:
    """The settings with this share of their length, one epoch or step at least."""
    training = settings.training
    if share == 1:
        return settings
    name, length = ("epochs", training.epochs) if training.epochs is not None else ("max_train_steps", training.max_train_steps)
    return with_values(settings, {f"training.{name}": max(1, round(share * (length or 1)))}, "The settings")


def check_trials(trials: Sequence[Trial]) -> list[CheckedRun]:
    """Check each trial as its training would, before a weight is loaded.

    Raises:
        SettingsError: one could not work, or a lint calls it an error, or a setting that varies has no effect; the sentence names it.
    """
    for name in (name for names in trials[0].values for name in names.split(TOGETHER)):
        _check_effect(name, trials)
    return [_checked(trial) for trial in trials]


def _check_effect(name: str, trials: Sequence[Trial]) -> None:
    found = [stand_ins(trial.settings, name) for trial in trials]
    if all(found):
        raise SettingsError(
            f"{name} would change nothing in any trial, since {' and '.join(found[0])} {'is' if len(found[0]) == 1 else 'are'} set and used instead. "
            f"Vary {'that' if len(found[0]) == 1 else 'those'}, or remove {'it' if len(found[0]) == 1 else 'them'} from the settings.",
            code="sweep.no_effect", setting=name, instead=found[0],
        )  # fmt: skip


def _checked(trial: Trial) -> CheckedRun:
    try:
        checked = check(trial.settings)
    except InputError as error:
        raise SettingsError(f"{trial} could not be trained: {error}", code="sweep.trial", trial=trial.number, because=error.code) from error
    wrong = next((finding for finding in lint_run(checked) if finding.severity == "error"), None)
    if wrong is not None:
        raise SettingsError(f"{trial} would go wrong: {wrong}", code="sweep.trial", trial=trial.number, because=wrong.code)
    return checked


def samples_of_search(sweep: Sweep) -> list[Trial]:
    """What is checked before a search that chooses as it goes: each value by itself, of distributions both ends, the others being the first."""
    usual = {name: one.at(0) for name, one in sweep.vary.items()}
    ends = [
        (name, value) for name, one in sweep.vary.items() for value in (one.values if isinstance(one, Choices) else (one.at(0), one.at(1)))
    ]
    every = [usual, *({**usual, name: value} for name, value in ends if value != usual[name])]
    return [trial_of(sweep, number, values) for number, values in enumerate(every, 1)]
