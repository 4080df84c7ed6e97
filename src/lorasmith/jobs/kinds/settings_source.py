"""Where a job has the settings of its training from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from lorasmith.jobs.kind import Arguments, looked_for
from lorasmith.models.files.hub import is_elsewhere
from lorasmith.training.settings.places import starting_from
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

    def read_settings(self, workspace: Path = Path()) -> Settings:
        """The settings. Raises SettingsError where they cannot be used."""
        return settings_from(self.settings or {}) if self.settings_file is None else load_settings(workspace / self.settings_file)

    def read_paths(self) -> Iterator[tuple[str, Path]]:
        """The folders of pictures, or the file of settings, which may not be written yet."""
        if self.settings_file is not None:
            yield "settings_file", self.settings_file
        elif self.settings is not None:
            yield from (("datasets", looked_for(dataset.path)) for dataset in settings_from(self.settings).datasets)

    def check_can_begin(self, workspace: Path) -> None:
        """Whether a training with the settings could begin now: what `train` and `lorasmith plan` look at first.

        Raises:
            InputError: it could not; the error's `setting` is the one to change.
        """
        from lorasmith.training.planning.check import check

        if self.settings is not None or self.settings_file is not None:
            settings = starting_from(workspace, self.read_settings(workspace))
            if not is_elsewhere(settings.base.path):  # it would have to be downloaded to be looked at
                check(settings)
