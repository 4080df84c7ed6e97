"""Packages whose `__init__` imports far more than is needed of them: it runs only when a name of the package itself is asked for.

    with deferred_packages("diffusers.models.transformers"):
        from diffusers import UNet2DConditionModel      # needs one module of that package, whose __init__ imports a hundred

A module below such a package is imported by its path, which runs nothing of the package. A name that the package does not have yet runs
its `__init__`, once, in whatever thread asks. `importlib.util.LazyLoader` runs it for any name, so also for the path.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_LOCK = threading.RLock()


@contextmanager
def deferred_packages(*names: str) -> Iterator[None]:
    """Packages of these names that are first imported within the block are deferred, also after it."""
    finder = _Finder(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder:
    def __init__(self, names: Sequence[str]):
        self._names = names

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in self._names else None
        if spec is not None and spec.loader is not None:
            spec.loader = _Deferring(spec.loader)
        return spec


class _Deferring(Loader):
    """Makes a package and leaves its `__init__` to be run by `package_loader`."""

    def __init__(self, package_loader: Loader):
        self.package_loader = package_loader

    def exec_module(self, module: ModuleType) -> None:
        module.__class__ = _Package


class _Package(ModuleType):
    """A package that runs its `__init__` at the first name that it does not have."""

    def __getattr__(self, name: str) -> Any:
        with _LOCK:
            loader = self.__spec__.loader if self.__spec__ is not None else None
            if isinstance(loader, _Deferring):
                self._run(loader)
        if name in self.__dict__:
            return self.__dict__[name]
        whole = sys.modules[self.__name__]  # a package may put another module in its own place
        if whole is self:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(whole, name)

    def _run(self, loader: _Deferring) -> None:
        assert self.__spec__ is not None
        self.__spec__.loader = loader.package_loader  # the __init__ itself asks for names, too
        try:
            loader.package_loader.exec_module(self)
        except BaseException:
            self.__spec__.loader = loader
            raise
