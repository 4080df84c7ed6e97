"""How often a folder is listed, for tests of what must not grow with the files in it."""

import os
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def counting_listings(monkeypatch, folder):
    """The listings of `folder`, as a list that grows with each."""
    found, listed = [], Path(folder).resolve()

    def counted(function):
        def listing(path="."):
            if not isinstance(path, int) and Path(os.fsdecode(path)).resolve() == listed:
                found.append(path)
            return function(path)

        return listing

    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", counted(os.listdir))
        patched.setattr(os, "scandir", counted(os.scandir))
        yield found
