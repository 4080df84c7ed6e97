"""What a user says about the base model."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class BaseModelSettings(BaseModel):
    """The model that the LoRA is for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path = Field(description="Folder of the base model, in the diffusers layout.")
    clip_skip: int = Field(1, ge=1, le=12, description="Which of the text encoder's last layers is read: 1 the last, 2 for anime bases.")
