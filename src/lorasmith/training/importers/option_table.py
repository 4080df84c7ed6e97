"""A table of another trainer's options, by which the options of its files become settings.

    TABLE = OptionTable("ai-toolkit", rows={"train.steps": rows.to("training.max_train_steps")}, left={"logging.*": "every run writes its own log"})
    TABLE.take(draft, dotted({"train": {"steps": 2000}}))

An option has a row, or a reason why it has no place here, or is unknown: none is dropped in silence.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from lorasmith.errors import SettingsError
from lorasmith.models.families import FAMILIES
from lorasmith.training.importers.draft import Check, Draft
from lorasmith.training.importers.found import typed
from lorasmith.training.settings.checks import check_fits_base, check_together
from lorasmith.training.settings.tree import Settings

Row = Callable[[Draft, str, Any], None]
"""(where to, what the file calls the option, its value)"""


@dataclass(frozen=True)
class OptionTable:
    """What becomes of each option of a trainer."""

    trainer: str
    rows: Mapping[str, Row]
    left: Mapping[str, str]
    """Option, with * for several -> why it has no place here."""

    def take(self, draft: Draft, options: Mapping[str, Any]) -> None:
        """All options into the draft."""
        for name, value in options.items():
            value = typed(value)
            reason = next((reason for pattern, reason in self.left.items() if fnmatchcase(name, pattern)), None)
            if value is None or value in ("", [], {}):
                draft.off.append(name)
            elif name in self.rows:
                take_one(draft, name, value, self.rows[name])
            elif reason is not None and value in (False, 0):
                draft.off.append(name)
            elif reason is not None:
                draft.leave(name, value, reason)
            else:
                near = difflib.get_close_matches(name, [*self.rows, *self.left], n=1, cutoff=0.8)
                draft.unknown(name, value, f"no option of {self.trainer} that Lorasmith knows{f'; {near[0]}, perhaps' if near else ''}")

    def fill_in(self, draft: Draft, options: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
        """What the options leave out means the trainer's defaults; those that are the same here need not be among them."""
        for name, default in defaults.items():
            if options.get(name) in (None, ""):
                filled = Draft(carried=dict(draft.carried))
                take_one(filled, name, default, self.rows[name])
                for each in filled.carried.values():
                    if not draft.has(each.ours):
                        why = f"left out, which means {default} there"
                        draft.put(name, each.ours, each.value, f"{why}; {each.why}" if each.why else why)


def take_one(draft: Draft, theirs: str, value: Any, row: Row) -> None:
    """An option by its row; a value that cannot be read is left, and one that asks for nothing is off."""
    before = draft.made
    try:
        row(draft, theirs, value)
    except (ValueError, TypeError, IndexError, AttributeError, KeyError, OverflowError):
        draft.leave(theirs, value, "its value cannot be read; set it by hand")
    if draft.made == before:
        draft.off.append(theirs)


def number_or(default: float, value: Any) -> float:
    """A value as a number; the default where it is left out or cannot be read as one."""
    value = typed(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else default


def family_or_refusal(theirs: str, file: Path, trainer: str) -> str | None:
    """The family by its name there, None where there is none; raises SettingsError where it is one that Lorasmith does not train."""
    found = next((name for name, family in FAMILIES.items() if theirs in family.called_elsewhere.get(trainer, ())), None)
    if found is not None or not theirs:
        return found
    raise SettingsError(
        f"{file} trains {theirs} with {trainer}, which Lorasmith does not. It trains {', '.join(family.title for family in FAMILIES.values())}.",
        code="import.family", path=str(file), family=theirs,
    )  # fmt: skip


def fits(family: str | None) -> Check:
    """The check of the settings as a run would make it, where the family is known."""

    def check(settings: Settings) -> list[str]:
        warnings = [finding.message for finding in check_together(settings)]
        if family is not None:
            check_fits_base(settings, "flow" if FAMILIES[family].is_flow else settings.base.prediction_type or "epsilon")
        return warnings

    return check
