"""What can go wrong, for a person to read.

    LorasmithError
    ├── InputError            something the user gave: exit code 2
    │   ├── SettingsError     a setting is unknown, out of range, or contradicts another
    │   ├── DatasetError      a folder, a picture or a caption
    │   ├── TensorFileError   a file of tensors that is damaged, or of another format
    │   ├── BaseModelError    a base model that cannot be opened or is of another kind
    │   └── AdapterError      a LoRA file that is not one, or does not fit the base
    └── RunError              a run that cannot go on: exit code 1

A message is one sentence with a capital and a full stop: which thing, what is wrong, what to do. `code` names the case for scripts and
pages, `values` has what the sentence refers to (a path, a setting, a number). `assert` is for our own mistakes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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

    def __reduce__(self) -> tuple[Any, ...]:
        """As a process on another node sends it: whatever its class is made with."""
        return _without_init, (type(self), self.args), self.__dict__


def _without_init(cls: type[LorasmithError], args: tuple[Any, ...]) -> LorasmithError:
    error = cls.__new__(cls)
    error.args = args
    return error


class InputError(LorasmithError):
    """Something the user gave cannot be used."""

    default_code = "input"


class SettingsError(InputError):
    """A setting is unknown, out of range, or contradicts another."""

    default_code = "settings"


class DatasetError(InputError):
    """A folder, a picture or a caption cannot be used."""

    default_code = "dataset"


class TensorFileError(InputError):
    """A file of tensors cannot be read. What it was to be (a base model, a LoRA) is known where it was asked for: see `wanted`."""

    default_code = "file"

    def __init__(self, path: Path, fault: str, remedy: str = "", *, case: str = "damaged"):
        """`fault` is what is wrong, after the file's name; `remedy` what to do about it, where that is the same for every file."""
        super().__init__(f"{path} {fault}; {remedy or 'give a safetensors file'}.", code=f"file.{case}", path=str(path))
        self.path, self.fault, self.remedy, self.case = path, fault, remedy, case

    def wanted(self, error: type[InputError], room: str, remedy: str) -> InputError:
        """The same as the error of what was asked for, with the code `room.case`; `remedy` where the reader knows none."""
        return error(f"{self.path} {self.fault}; {self.remedy or remedy}.", code=f"{room}.{self.case}", path=str(self.path))


class BaseModelError(InputError):
    """A base model cannot be opened, or is of another kind than asked for."""

    default_code = "base_model"


class AdapterError(InputError):
    """A LoRA file is not one, or does not fit the base."""

    default_code = "adapter"


class RunError(LorasmithError):
    """A run cannot go on."""

    default_code = "run"


@contextmanager
def about_setting(name: str) -> Iterator[None]:
    """What is wrong with what the user gave within the block is the fault of this setting, unless an error names another one."""
    try:
        yield
    except InputError as error:
        error.values.setdefault("setting", name)
        raise
