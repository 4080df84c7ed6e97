"""Pictures are brought aside one by one, in any order and in other processes; what comes of an import is the same."""

import json
import os
import pickle
import random
from dataclasses import replace
from pathlib import Path

import pytest

from lorasmith.curation.imports.bringing import Bringer, in_order
from lorasmith.curation.imports.imports import import_pictures
from lorasmith.curation.imports.placing import known_as
from lorasmith.dataset_folder import IMPORTED
from lorasmith.errors import RunError
from tests.curation.imports.test_archives import make_tar, make_zip
from tests.curation.imports.test_imports import listing, png, write


def test_results_come_in_their_order_each_as_soon_as_those_before_it():
    came = []

    def results():
        for number in (2, 0, 1, 4, 3):
            came.append(number)
            yield number, f"picture {number}"

    taken = [(text, list(came)) for text in in_order(results())]
    assert taken == [
        ("picture 0", [2, 0]),
        ("picture 1", [2, 0, 1]),
        ("picture 2", [2, 0, 1]),
        ("picture 3", [2, 0, 1, 4, 3]),
        ("picture 4", [2, 0, 1, 4, 3]),
    ]


def test_results_end_where_one_is_missing():
    assert list(in_order([(0, "a"), (2, "c"), (3, "d")])) == ["a"]


def mixed_pile(folder):
    """Everything that an import decides by what came before: one name or content twice, masks, what cannot be read."""
    write(folder, {
        "a/cat.png": png(1), "a/cat.txt": b"a cat", "b/cat.png": png(2), "b/cat.txt": b"b cat", "b/twin.png": png(1), "b/twin.txt": b"twin",
        "c/CAT.png": png(3), "c/nothing.png": b"", "c/broken.jpg": b"\xff\xd8\xff", "d/cat.jpg": png(4), "d/late.png": png(2),
        "e/masked.png": png(5), "e/masked-masklabel.png": png(6), "e/odd.png": png(7), "e/odd-masklabel.png": b"no picture",
        "f/notes.docx": b"PK", "g/download": png(8),
    })  # fmt: skip
    return folder


def in_any_order(seed):
    """Brings pictures in an order that the seed draws, each as another process would: from what it is sent alone, and what it was told."""

    def elsewhere(found, here, known, cancelled):
        told = set(known)
        there = Bringer(
            here.aside, lambda content, concept: known_as(content, concept) in told, link=here.link, verify=here.verify, flush=True
        )
        items = [(number, replace(one, captions={})) for number, one in enumerate(found)]
        random.Random(seed).shuffle(items)
        for number, one in items:
            yield number, there.bring(pickle.loads(pickle.dumps(one)))

    return elsewhere


def told(report, root):
    """All that an import says, without where the dataset is."""
    return json.loads(json.dumps([vars(report), report.left_out], default=str).replace(str(root), "ROOT"))


def record(root):
    """The record's lines, without the time at which each file was written."""
    lines = [json.loads(line) for line in (root / IMPORTED).read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "changed"} for line in lines]


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "tar.gz"])
def test_an_import_is_the_same_in_whichever_order_pictures_are_brought(tmp_path, kind):
    pile = mixed_pile(tmp_path / "pile")
    if kind != "folder":
        files = {path.relative_to(pile).as_posix(): path.read_bytes() for path in sorted(pile.rglob("*")) if path.is_file()}
        pile = make_zip(tmp_path / "pile.zip", files) if kind == "zip" else make_tar(tmp_path / "pile.tar", files, kind[4:])
    alone = import_pictures([pile], tmp_path / "alone")
    assert {left.code.removeprefix("imports.") for left in alone.left_out} == {"same_picture", "unreadable", "mask", "unknown_file"}
    for seed in (1, 2):
        root = tmp_path / f"shared{seed}"
        report = import_pictures([pile], root, elsewhere=in_any_order(seed))
        assert listing(root) == listing(tmp_path / "alone")
        assert told(report, root) == told(alone, tmp_path / "alone")
        assert record(root) == record(tmp_path / "alone")
        assert not (root / ".lorasmith" / "incoming").exists()


@pytest.mark.parametrize("link", [False, True])
def test_an_import_that_was_stopped_or_failed_goes_on_and_copies_nothing_that_came_in(tmp_path, link):
    pile = write(tmp_path / "pile", {f"{n}.png": png(n) for n in range(60)} | {f"{n}.txt": b"x" for n in range(60)})
    brought = []

    def failing(found, here, known, cancelled):
        for number, result in in_any_order(1)(found, here, known, cancelled):
            if sum(one is not None for one in brought) >= 50:
                raise RunError("The cluster is gone.")
            brought.append(result.picture)
            yield number, result

    with pytest.raises(RunError, match="The cluster is gone"):
        import_pictures([pile], tmp_path / "ds", link=link, elsewhere=failing)
    came = len(list((tmp_path / "ds").glob("*.png")))
    assert 0 < came <= 50
    brought.clear()

    def noting(found, here, known, cancelled):
        for number, result in in_any_order(2)(found, here, known, cancelled):
            brought.append(result.picture)
            yield number, result

    report = import_pictures([pile], tmp_path / "ds", link=link, elsewhere=noting)
    assert len(report.added) == 60 - came == sum(one is not None for one in brought)
    assert listing(tmp_path / "ds") == listing(pile)
    assert all(os.path.samefile(pile / f"{n}.png", tmp_path / "ds" / f"{n}.png") for n in range(60)) == link


def test_a_stop_leaves_what_came_in_its_turn(tmp_path):
    pile = write(tmp_path / "pile", {f"{n:02}.png": png(n) for n in range(20)})
    stopping = []

    def stopped(found, here, known, cancelled):
        for number, result in in_any_order(3)(found, here, known, cancelled):
            yield number, result
            if cancelled():
                return

    report = import_pictures(
        [pile], tmp_path / "ds", elsewhere=stopped, progress=lambda done, of: stopping.append(done), cancelled=lambda: len(stopping) >= 4
    )
    assert report.stopped
    assert [one.path.name for one in report.added] == ["00.png", "01.png", "02.png", "03.png"]
    assert not import_pictures([pile], tmp_path / "ds").stopped
    assert listing(tmp_path / "ds") == listing(pile)


def test_the_mask_that_cannot_be_read_is_called_as_in_its_source(tmp_path):
    pile = write(tmp_path / "pile", {"odd.png": png(7), "odd-masklabel.png": b"no picture"})
    (left,) = import_pictures([pile], tmp_path / "ds").left_out
    assert "odd-masklabel.png" in left.message
    assert str(Path(".lorasmith", "incoming")) not in left.message
