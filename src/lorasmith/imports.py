"""Importing large libraries: without looking for garbage meanwhile, and not before they are used."""

from __future__ import annotations

import gc
import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


@contextmanager
def without_collection() -> Iterator[None]:
    """No search for garbage within the block, which imports; afterwards it goes on, if it did before.

    The thousands of modules of such libraries make objects that all stay; to look for garbage among them takes a sixth of the time. Left
    young, they would be searched twice right after the block (0.1 s each time after `import torch`), so they go among the old. Where all
    was imported before, nothing is done: to count what is frozen takes 0.05 s where much is.
    """
    was_on, modules = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            if len(sys.modules) > modules:
                _make_all_old()
            gc.enable()


def _make_all_old() -> None:
    """Every object is in the oldest generation, without being looked at: frozen for a moment, unless somebody has frozen others for good."""
    if not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()


def postpone(*libraries: str) -> None:
    """From here on, `import numpy` makes a name alone, and the library is imported when something in it is used.

    For a program that rarely uses them: numpy and OpenCV take 30 MB. (`importlib.util.LazyLoader` does this, too, but before Python 3.11.9
    not for several threads.)
    """
    for name in libraries:
        sys.modules.setdefault(name, _Postponed(name))


_replacing = threading.Lock()


class _Postponed(ModuleType):
    """Stands for a library until something in it is used, and passes that on afterwards."""

    def __getattr__(self, name: str) -> Any:
        library = self.__name__
        with _replacing:
            if sys.modules.get(library) is self:
                del sys.modules[library]
        value = getattr(importlib.import_module(library), name)
        setattr(self, name, value)  # the next time it is found without coming here
        return value
