"""Where a job has the settings of its training from."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from lorasmith.jobs.kinds.kind import Arguments
from lorasmith.training.settings.toml import load_settings
from lorasmith.training.settings.tree import Settings, settings_from


class SettingsSource(Arguments):
    """The settings themselves, or a file with them."""

    sources: ClassVar[tuple[str, ...]] = ("settings", "settings_file")
    """Of these arguments exactly one is given."""

    settings: dict[str, Any] | None = Field(None, description="The settings, as in a settings file.")
    settings_file: Path | None = Field(None, description="Settings file (TOML); it is read when the job begins.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(getattr(self, source) is not None for source in self.sources) != 1:
            raise ValueError(f"one of {', '.join(self.sources)} must be given")
        return self

    def read_settings(self) -> Settings:
        """The settings. Raises SettingsError where they cannot be used."""
        return load_settings(self.settings_file) if self.settings_file is not None else settings_from(self.settings or {})
