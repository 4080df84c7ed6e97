"""What can go wrong, for a person to read.

    LorasmithError
    ├── InputError            something the user gave: exit code 2
    │   ├── SettingsError     a setting is unknown, out of range, or contradicts another
    │   ├── DatasetError      a folder, a picture or a caption
    │   ├── BaseModelError    a base model that cannot be opened or is of another kind
    │   └── AdapterError      a LoRA file that is not one, or does not fit the base
    └── RunError              a run that cannot go on: exit code 1

Each message is one sentence: which thing, what is wrong, what to do. `assert` is for our own mistakes.
"""


class LorasmithError(Exception):
    """Base of all errors that are meant for the user."""


class InputError(LorasmithError):
    """Something the user gave cannot be used."""


class SettingsError(InputError):
    """A setting is unknown, out of range, or contradicts another."""


class DatasetError(InputError):
    """A folder, a picture or a caption cannot be used."""


class BaseModelError(InputError):
    """A base model cannot be opened, or is of another kind than asked for."""


class AdapterError(InputError):
    """A LoRA file is not one, or does not fit the base."""


class RunError(LorasmithError):
    """A run cannot go on."""
