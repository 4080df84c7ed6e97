"""Pictures are imported on the nodes of a cluster: the same dataset, record and report as on one machine, whatever dies, and nothing twice."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from PIL import Image

from lorasmith.curation.imports import imports
from lorasmith.curation.imports.bringing import Bringer
from lorasmith.curation.imports.source import FoundPicture, SourceFile
from lorasmith.errors import InputError
from lorasmith.jobs.auditing import audit
from lorasmith.jobs.cluster.importing import NotBrought, _brought_here, _worker
from lorasmith.jobs.cluster.known_hashes import KnownHashes
from lorasmith.jobs.importing import import_pictures
from lorasmith.stores import Index, Place, copy_of, send_tree
from tests.command_line import lorasmith
from tests.curation.imports.test_archives import make_zip
from tests.curation.imports.test_bringing import mixed_pile, record, told
from tests.curation.imports.test_imports import listing, png, write
from tests.photographs import make_pile
from tests.ray_cluster import ray_cluster
from tests.store_server import s3_server

PATIENCE = 120
"""Seconds that a start of Python and Ray may take on a busy machine."""


@pytest.fixture(scope="module")
def cluster():
    with s3_server(), ray_cluster(nodes=3) as started:
        yield started


def found_at(path):
    file = SourceFile.at(path, path.name)
    return FoundPicture(file.name, path.name, file.open, path, suffix=path.suffix)


def never(content, concept):
    return False


def test_a_node_that_does_not_see_the_dataset_is_named(tmp_path):
    with pytest.raises(
        InputError, match=r"The node \S+ does not see \S+incoming as this machine does. Have sources and dataset on storage"
    ):
        _worker(tmp_path / "incoming", [tmp_path / "incoming" / "12.mark"], KnownHashes(()), link=False, verify=False)


def test_a_picture_that_a_node_does_not_see_ends_the_import_and_one_that_it_cannot_read_is_read_here(tmp_path, caplog):
    write(tmp_path, {"a.png": png(1), "bad.png": b"x"})
    here = Bringer(tmp_path, never)
    with pytest.raises(InputError, match=r"The node far does not see \S+a.png"):
        _brought_here(found_at(tmp_path / "a.png"), here, NotBrought("far", ""))
    assert _brought_here(found_at(tmp_path / "a.png"), here, NotBrought("far", "Read-only file system")).picture.read_bytes() == png(1)
    assert "The node far could not bring a.png (Read-only file system)" in caplog.text
    caplog.clear()
    assert "bad.png" in _brought_here(found_at(tmp_path / "bad.png"), here, NotBrought("far", "bad.png is not a picture")).problem
    assert "gone.png" in _brought_here(found_at(tmp_path / "gone.png"), here, NotBrought("far", "")).problem
    assert caplog.text == ""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_the_dataset_is_that_of_one_machine(cluster, tmp_path, kind):
    pile = mixed_pile(tmp_path / "pile")
    make_pile(pile / "photographs")
    if kind == "zip":
        files = {path.relative_to(pile).as_posix(): path.read_bytes() for path in sorted(pile.rglob("*")) if path.is_file()}
        pile = make_zip(tmp_path / "pile.zip", files)
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    expected = imports.import_pictures([pile], alone, concept="cat", verify=True)
    seen: list[tuple[int, int]] = []
    report = import_pictures(
        [pile], shared, concept="cat", verify=True, ray=cluster.address, progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(number, seen[-1][1]) for number in range(1, seen[-1][1] + 1)]
    assert len(report.added) >= 15
    assert listing(shared) == listing(alone)
    assert told(report, shared) == told(expected, alone)
    assert record(shared) == record(alone)
    again = import_pictures([pile], shared, concept="cat", verify=True, ray=cluster.address)
    assert again.added == []
    assert listing(shared) == listing(alone)


def slow_pile(folder, number):
    """Pictures that take a tenth of a second each to decode whole, and hardly any disk."""
    one = io.BytesIO()
    Image.linear_gradient("L").resize((3000, 3000)).convert("RGB").save(one, "PNG")
    files = {f"{n:03}.png": one.getvalue() + f"behind the end {n}".encode() for n in range(number)}
    return write(folder, files | {f"{n:03}.txt": f"caption {n}".encode() for n in range(number)})


def node_at_work(cluster):
    """One of the nodes on which pictures are brought."""
    for node in cluster.workers:
        for started in node.all_processes.values():
            for process in (psutil.Process(one.process.pid) for one in started):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if any("MapBatches" in " ".join(child.cmdline()) for child in process.children(recursive=True)):
                        return node
    raise AssertionError("no node is at work")


@pytest.mark.slow
def test_where_a_node_dies_others_take_its_pictures_over(cluster, tmp_path):
    pile = slow_pile(tmp_path / "pile", 96)

    def kill_one(done, total):
        if done == 20:
            cluster.kill(node_at_work(cluster))

    report = import_pictures([pile], tmp_path / "ds", verify=True, ray=cluster.address, progress=kill_one)
    cluster.add()
    assert [one.path.name for one in report.added] == [f"{n:03}.png" for n in range(96)]
    assert report.left_out == []
    assert listing(tmp_path / "ds") == listing(pile)


@pytest.mark.slow
def test_killed_the_same_command_goes_on(cluster, tmp_path):
    pile, dataset = slow_pile(tmp_path / "pile", 96), tmp_path / "ds"
    command = ("import", str(pile), "--into", str(dataset), "--check", "--ray", cluster.address)
    child = subprocess.Popen([sys.executable, "-m", "lorasmith.cli.main", *command], env=os.environ)
    until = time.monotonic() + PATIENCE
    while child.poll() is None and len(list(dataset.glob("*.png"))) < 10:
        assert time.monotonic() < until
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    came = listing(dataset)
    assert 20 <= len(came) < 192
    assert came.items() <= listing(pile).items()
    said = lorasmith(*command)
    assert said.returncode == 0, said.stderr
    assert f"{96 - sum(name.endswith('.png') for name in came)} pictures added" in said.stdout
    assert listing(dataset) == listing(pile)


@pytest.mark.slow
def test_a_stop_keeps_what_came_and_says_how_to_go_on(cluster, tmp_path):
    pile = slow_pile(tmp_path / "pile", 96)
    done: list[int] = []
    report = import_pictures(
        [pile], tmp_path / "ds", verify=True, ray=cluster.address, progress=lambda n, of: done.append(n), cancelled=lambda: len(done) >= 5
    )
    assert report.stopped
    assert [one.path.name for one in report.added] == [f"{n:03}.png" for n in range(5)]
    assert len(import_pictures([pile], tmp_path / "ds", ray=cluster.address).added) == 91
    assert listing(tmp_path / "ds") == listing(pile)


@pytest.mark.slow
def test_pictures_of_a_store_are_fetched_by_the_nodes_each_once(cluster, tmp_path, monkeypatch):
    pile = mixed_pile(tmp_path / "pile")
    place = Place.at(f"s3://bucket/{tmp_path.name}")
    place.files.makedirs("bucket", exist_ok=True)
    send_tree(pile, place)
    monkeypatch.setenv("LORASMITH_CACHE", str(tmp_path / "cache of one"))
    expected = imports.import_pictures([place.url], tmp_path / "alone")
    monkeypatch.setenv("LORASMITH_CACHE", str(tmp_path / "cache of all"))
    monkeypatch.setattr("lorasmith.stores._asked", {})
    monkeypatch.setattr(Place, "fetch", None)  # this process fetches nothing
    report = import_pictures([place.url], tmp_path / "shared", ray=cluster.address)
    assert listing(tmp_path / "shared") == listing(tmp_path / "alone")
    assert told(report, tmp_path / "shared")[0]["left_out"] == told(expected, tmp_path / "alone")[0]["left_out"]
    copy = copy_of(place.url)
    index = Index(copy.parent / "index.jsonl")
    assert index.known.keys() == {path.relative_to(pile).as_posix() for path in pile.rglob("*") if path.is_file()}
    assert [name for name, stored in place.entries().items() if not index.has(name, stored, copy / name)] == []
    assert list((copy.parent / "parts").iterdir()) == []
    audited = audit(place.url, resolution=64, ray=cluster.address, cache=tmp_path / "measures")
    assert (len(audited.pictures), audited.from_cache) == (10, 8)  # two are broken
