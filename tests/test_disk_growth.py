"""What commands ask of the disk grows with the files as they do: folders are listed as often for many as for few, and each file opened as often.

`benchmarks/growth.py` measures times, which say little of one command on a machine with other work; these numbers are exact.
"""

import sys
from collections import Counter
from contextlib import contextmanager

import pytest

from tests.command_line import lorasmith
from tests.curation.imports.test_imports import png, write

asked: list[Counter] = []
"""What counts at the moment; an audit hook cannot be taken away again."""


def count(event, arguments):
    if asked and event in ("open", "os.scandir", "os.listdir"):
        asked[-1]["opens" if event == "open" else "listings"] += 1


sys.addaudithook(count)


@contextmanager
def counted():
    asked.append(Counter())
    yield asked[-1]
    asked.pop()


def dataset(folder, pictures):
    for number in range(pictures):
        write(folder, {f"{number}.png": png(number), f"{number}.txt": b"red_hat, sitting, tag_%d" % number})
    return folder


COMMANDS = {
    "import": lambda folder: ("import", folder / "set", "--into", folder / "new"),
    "import again": lambda folder: ("import", folder / "set", "--into", folder / "new"),
    "captions spell": lambda folder: ("captions", "spell", folder / "set", "spaces"),
    "captions undo": lambda folder: ("captions", "undo", folder / "set"),
    "export": lambda folder: ("export", folder / "set", folder / "out"),
    "export, zipped": lambda folder: ("export", folder / "set", folder / "out.zip"),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """By command, what it asked of the disk with 10, 20 and 40 pictures; once before, for what is imported and read at first."""
    found = {name: [] for name in COMMANDS}
    for pictures in (2, 10, 20, 40):
        folder = tmp_path_factory.mktemp("growth")
        dataset(folder / "set", pictures)
        for name, command in COMMANDS.items():
            with counted() as of_this:
                done = lorasmith(*command(folder))
            assert done.returncode == 0, done.stderr
            found[name].append(of_this)
    return {name: several[1:] for name, several in found.items()}


@pytest.mark.parametrize("name", COMMANDS)
def test_folders_are_listed_as_often_for_many_pictures_as_for_few(found, name):
    few, more, most = (of_this["listings"] for of_this in found[name])
    assert few == more == most


@pytest.mark.parametrize("name", COMMANDS)
def test_each_picture_costs_as_many_opened_files_among_many_as_among_few(found, name):
    few, more, most = (of_this["opens"] for of_this in found[name])
    assert most - more == 2 * (more - few)
