"""What a user says about validation; see `validation`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator


class ValidationSettings(BaseModel):
    """Pictures that are never trained on tell whether a run learns or memorises."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path | None = Field(
        None,
        description="Folder of captioned pictures to validate with. Empty: those that `lorasmith layout --holdout` set aside in the datasets, if any.",
    )
    every_n_epochs: int | None = Field(
        None, ge=0, description="Validate after so many epochs; 0 is never. Empty: with each checkpoint. The end is always validated."
    )
    timesteps: int | list[int] = Field(
        4, description="At so many timesteps, evenly spread, or at those of a list (0-999). More cost more and measure finer."
    )
    most_pictures: int = Field(
        16, ge=2, le=10_000, description="At most so many held-out pictures, and as many trained ones. More narrow the uncertainty."
    )

    @field_validator("timesteps")
    @classmethod
    def _on_the_scale(cls, value: int | list[int]) -> int | list[int]:
        if isinstance(value, int):
            if not 1 <= value <= 1000:
                raise ValueError("must be a count from 1 to 1000")
        elif not value or len(set(value)) != len(value) or not all(0 <= t <= 999 for t in value):
            raise ValueError("must list one or more timesteps from 0 to 999, each once")
        return value
