"""What a user says about the base model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from lorasmith.models.texts import TextOptions


class BaseModelSettings(BaseModel):
    """The model that the LoRA is for, and how it reads captions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path = Field(description="Folder of the base model, in the diffusers layout.")
    clip_skip: int = Field(1, ge=1, le=24, description="Which of the text encoder's last layers is read: 1 the last, 2 for anime bases.")
    max_token_length: int | None = Field(
        None,
        ge=2,
        le=512,
        description="Most tokens of a caption: 75, 150 or 225; Flux up to 512 (schnell 256). Empty: as usual for the base.",
    )
    weighted_captions: bool = Field(False, description="Captions may hold (emphasis:1.2), read as the web UIs do.")
    t5_attention_mask: bool = Field(False, description="Flux only: what fills a caption up is not read. The model was made without.")

    @property
    def text_options(self) -> TextOptions:
        """How captions are to be encoded."""
        from lorasmith.models.texts import TextOptions

        return TextOptions(self.clip_skip, self.max_token_length, self.weighted_captions, self.t5_attention_mask)
