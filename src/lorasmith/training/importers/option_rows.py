"""Rows of a table of another trainer's options: what becomes of one option and its value.

rows={"train.steps": rows.to("training.max_train_steps"), "use_ema": rows.where_on("training.ema_decay", 0.999)}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lorasmith.training.importers.draft import Draft
from lorasmith.training.importers.option_table import Row
from lorasmith.training.importers.sd_scripts_options import our_optimizer, our_schedule
from lorasmith.training.optim.optimizers import OPTIMIZERS, optimizer_of
from lorasmith.training.optim.schedules import SCHEDULES

PRECISIONS: Mapping[str, str] = {
    name: ours
    for ours, names in {"fp16": ("fp16", "float16", "FLOAT_16"), "bf16": ("bf16", "bfloat16", "BFLOAT_16"), "fp32": ("fp32", "float32", "float", "FLOAT_32")}.items()
    for name in names
}  # fmt: skip


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
            draft.refuse(theirs, value, "it is not a whole number above 0, and the rank decides what network it is")
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


def sampled_by_steps(draft: Draft, theirs: str, value: Any) -> None:
    """A row of the steps from one sample to the next, in trainers that sample by steps alone; 0 is not at all in between."""
    if value:
        draft.put(theirs, "samples.every_n_steps", int(value))
    draft.put(f"{theirs} (epochs)", "samples.every_n_epochs", 0, "pictures are sampled by steps alone there")


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
