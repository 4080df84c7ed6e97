"""Settings of the learning-rate schedule; `schedules` has the shapes."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from lorasmith.errors import SettingsError
from lorasmith.registry import KeyOf, in_words
from lorasmith.training.optim.schedules import DEFAULT_SCHEDULE, SCHEDULES, Shape, in_steps


class ScheduleSettings(BaseModel):
    """How the learning rate moves over the run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lr_scheduler: Annotated[str, KeyOf(SCHEDULES, "a learning-rate schedule")] = Field(
        DEFAULT_SCHEDULE, description=f"Shape of the learning rate over the steps, after the warm-up: {in_words(SCHEDULES)}."
    )
    lr_warmup_steps: int | float = Field(
        0, ge=0, description="Steps over which the learning rate rises from 0; below 1, a share of all steps. 0.05-0.1 is usual; 0 is off."
    )
    lr_scheduler_num_cycles: int | None = Field(
        None, ge=1, le=100, description="Cycles of cosine_with_restarts, 1-100; 1 to 3 is usual. Empty: 1."
    )
    lr_scheduler_power: float | None = Field(
        None, gt=0, le=10, description="Power of polynomial: 1 is a line, 2 falls early, 0.5 late. Empty: 1."
    )
    lr_decay_steps: int | float | None = Field(
        None, gt=0, description="Length of the fall at the end of warmup_stable_decay, in steps; below 1, a share of all steps."
    )
    lr_scheduler_min_lr_ratio: float | None = Field(
        None, ge=0, lt=1, description="Where the schedule ends, as a share of the learning rate, 0-1. Empty: 0."
    )

    def lr_factor(self, step: int, steps: int) -> float:
        """The factor on the learning rates, 0-1, for the step with this number (from 0) of `steps`."""
        shape = Shape(
            steps, in_steps(self.lr_warmup_steps, steps), self.lr_scheduler_num_cycles or 1, self.lr_scheduler_power or 1.0,
            in_steps(self.lr_decay_steps or 0, steps), self.lr_scheduler_min_lr_ratio or 0.0,
        )  # fmt: skip
        return SCHEDULES[self.lr_scheduler].factor(step, shape)


def check_schedule(settings: ScheduleSettings) -> None:
    """Whether every setting has an effect on the schedule.

    Raises:
        SettingsError: one has none, or one that the schedule needs is missing.
    """
    name, schedule = settings.lr_scheduler, SCHEDULES[settings.lr_scheduler]
    for field, info in ScheduleSettings.model_fields.items():
        if field == "lr_scheduler" or field in schedule.takes or getattr(settings, field) == info.default:
            continue
        takers = [other for other, entry in SCHEDULES.items() if field in entry.takes]
        closest = [other for other in takers if SCHEDULES[other].constant == schedule.constant] or takers
        raise SettingsError(
            f"schedule.{field} has no effect with lr_scheduler {name!r}. Remove it, or use {' or '.join(closest)}.",
            code="settings.no_effect", setting=f"schedule.{field}",
        )  # fmt: skip
    for field, usual in schedule.needs.items():
        if getattr(settings, field) is None:
            raise SettingsError(
                f"lr_scheduler {name!r} needs schedule.{field}. {usual} is usual.", code="settings.missing", setting=f"schedule.{field}"
            )
    for field in ("lr_warmup_steps", "lr_decay_steps"):
        value = getattr(settings, field) or 0
        if value >= 1 and not float(value).is_integer():
            raise SettingsError(
                f"schedule.{field} is {value:g}, which is neither a whole number of steps nor a share under 1. Round it.",
                code="settings.value", setting=f"schedule.{field}",
            )  # fmt: skip
