"""A table of another trainer's options, by which the options of its files become settings.

    TABLE = OptionTable("ai-toolkit", rows={"train.steps": to("training.max_train_steps")}, left={"logging.*": "every run writes its own log"})
    TABLE.take(draft, flat({"train": {"steps": 2000}}))

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
from lorasmith.training.importers.sd_scripts_options import our_optimizer, our_schedule
from lorasmith.training.optim.optimizers import OPTIMIZERS, optimizer_of
from lorasmith.training.optim.schedules import SCHEDULES
from lorasmith.training.settings.checks import check_fits_base, check_together
from lorasmith.training.settings.tree import Settings

Row = Callable[[Draft, str, Any], None]
"""(where to, what the file calls the option, its value)"""

PRECISIONS: Mapping[str, str] = {
    name: ours
    for ours, names in {"fp16": ("fp16", "float16", "FLOAT_16"), "bf16": ("bf16", "bfloat16", "BFLOAT_16"), "fp32": ("fp32", "float32", "float", "FLOAT_32")}.items()
    for name in names
}  # fmt: skip


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


def flat(tree: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Nested options under dotted names."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= flat(value, f"{before}{key}.") if isinstance(value, Mapping) else {f"{before}{key}": value}
    return found


# -- rows -------------------------------------------------------------------------------------------------------------


def to(ours: str, change: Callable[[Any], Any] | None = None, why: str = "") -> Row:
    """A row that sets one setting."""
    return lambda draft, theirs, value: draft.put(theirs, ours, change(value) if change else value, why)


def where_on(ours: str, setting: Any = True, why: str = "") -> Row:
    """A row of a switch that sets one setting where it is on."""
    return lambda draft, theirs, value: draft.put(theirs, ours, setting, why) if value else None


def over_zero(ours: str) -> Row:
    """A row that is off at 0."""
    return lambda draft, theirs, value: draft.put(theirs, ours, value) if value else None


def precision(ours: str) -> Row:
    """A row of a number format."""

    def row(draft: Draft, theirs: str, value: Any) -> None:
        known = PRECISIONS.get(str(value))
        if known is None:
            draft.leave(theirs, value, "it is no number format that Lorasmith has")
        else:
            draft.put(theirs, ours, "no" if known == "fp32" and ours == "training.mixed_precision" else known)

    return row


def whole_rank(ours: str) -> Row:
    """A row of a rank: without it another network would be trained, so anything but a whole number is refused."""

    def row(draft: Draft, theirs: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or value < 1:
            draft.refuse(theirs, value, "it is not a whole number over 0, and the rank decides what network it is")
        else:
            draft.put(theirs, ours, int(value))

    return row


def kind(kinds: Mapping[str, str]) -> Row:
    """A row of the kind of network."""

    def row(draft: Draft, theirs: str, value: Any) -> None:
        ours = kinds.get(str(value).lower())
        if ours is None:
            draft.refuse(theirs, value, f"Lorasmith has no such network. It reads {', '.join(kinds)}")
        else:
            draft.put(theirs, "network.kind", ours, "" if ours == str(value).lower() else "the same by its name here")

    return row


def optimizer(prefixes: tuple[str, ...] = (), own_defaults: Mapping[str, Mapping[str, Any]] | None = None) -> Row:
    """A row of the optimizer's name; what its class, or the trainer for it, has where Lorasmith's default differs is set, as it is not ours that ran."""

    def row(draft: Draft, theirs: str, value: Any) -> None:
        name = str(value)
        for prefix in prefixes:
            name = name.removeprefix(prefix)
        ours = our_optimizer(name)
        if ours is None:
            draft.refuse(theirs, value, f"there is no such optimizer here. Change it to {', '.join(OPTIMIZERS)}")
            return
        draft.put(theirs, "optimizer.type", ours, "" if ours.lower() == str(value).lower() else "the same by its name here")
        for key, default in {**optimizer_of(ours).class_defaults, **(own_defaults or {}).get(str(value).lower(), {})}.items():
            if not draft.has(f"optimizer.args.{key}"):
                draft.put(f"{theirs} ({key})", f"optimizer.args.{key}", default, f"not given, which means {default} there")

    return row


def schedule(draft: Draft, theirs: str, value: Any) -> None:
    """A row of the schedule's name."""
    ours = our_schedule(str(value))
    if ours is None:
        draft.refuse(theirs, value, f"there is no such schedule here. Change it to {', '.join(SCHEDULES)}")
    else:
        draft.put(theirs, "schedule.lr_scheduler", ours, "" if ours == value else "the same by its name here")


def optimizer_argument(key: str) -> Row:
    """A row of an argument of the optimizer."""

    def row(draft: Draft, theirs: str, value: Any) -> None:
        if isinstance(value, bool | int | float | str):
            draft.carried.pop(f"optimizer.args.{key}", None)  # the class's own, put with its name
            draft.put(theirs, f"optimizer.args.{key}", value)
        else:
            draft.leave(theirs, value, "it is no plain value")

    return row


def moving_average(decay: float, every: int) -> Row:
    """A row of a switch for EMA; `every` is after how many steps it is updated there. Here it is updated after each, a little less."""

    def row(draft: Draft, theirs: str, value: Any) -> None:
        if value:
            each_step = round(decay ** (1 / every), 6)
            draft.put(
                theirs, "training.ema_decay", each_step, f"{decay:g} every {every} steps is {each_step:g} a step" if every > 1 else ""
            )

    return row


# -- what all of them need ----------------------------------------------------------------------------------------------


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
