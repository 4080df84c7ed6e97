"""What a user says about the trained network."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class NetworkSettings(BaseModel):
    """LoRA on the U-Net's attention, feed-forward and projection layers, and on the text encoder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int = Field(16, ge=1, le=1024, description="Size of the LoRA: 8-32 for a character, 32-64 for a style.")
    alpha: float | None = Field(None, gt=0, description="Strength is alpha / rank. Empty: the same as rank; with Prodigy 1 is usual.")
    train_unet: bool = Field(True, description="Train the U-Net.")
    train_text_encoder: bool = Field(True, description="Train the text encoder too; off for most styles.")

    @property
    def alpha_value(self) -> float:
        return float(self.rank) if self.alpha is None else self.alpha
