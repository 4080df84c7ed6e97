"""What can go wrong, for a person to read.

    LorasmithError
    ├── InputError            something the user gave: exit code 2
    │   ├── SettingsError     a setting is unknown, out of range, or contradicts another
    │   ├── DatasetError      a folder, a picture or a caption
    │   ├── BaseModelError    a base model that cannot be opened or is of another kind
    │   └── AdapterError      a LoRA file that is not one, or does not fit the base
    └── RunError              a run that cannot go on: exit code 1

A message is one sentence with a capital and a full stop: which thing, what is wrong, what to do. `code` names the case for scripts and
pages, `values` has what the sentence refers to (a path, a setting, a number). `assert` is for our own mistakes.
"""

from __future__ import annotations

from typing import Any, ClassVar


class LorasmithError(Exception):
    """Base of all errors that are meant for the user.

    `code` is stable between versions: the class's own, or a narrower one given where the error is raised. `values` are plain data.
    """

    default_code: ClassVar[str] = "error"

    def __init__(self, message: str, *, code: str | None = None, **values: Any):
        super().__init__(message)
        self.code = code or self.default_code
        self.values = values


class InputError(LorasmithError):
    """Something the user gave cannot be used."""

    default_code = "input"


class SettingsError(InputError):
    """A setting is unknown, out of range, or contradicts another."""

    default_code = "settings"


class DatasetError(InputError):
    """A folder, a picture or a caption cannot be used."""

    default_code = "dataset"


class BaseModelError(InputError):
    """A base model cannot be opened, or is of another kind than asked for."""

    default_code = "base_model"


class AdapterError(InputError):
    """A LoRA file is not one, or does not fit the base."""

    default_code = "adapter"


class RunError(LorasmithError):
    """A run cannot go on."""

    default_code = "run"
