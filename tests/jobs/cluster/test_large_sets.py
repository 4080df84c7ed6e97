"""A set is measured and encoded on the nodes of a cluster: the same rows and files as on one machine, whatever dies, and nothing twice."""

from __future__ import annotations

import os
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

import lorasmith
from lorasmith.curation.audit.dataset import audit_dataset
from lorasmith.errors import InputError, RunError
from lorasmith.images.picture_cache import PICTURES
from lorasmith.jobs.cluster.caching import cache_on_ray
from lorasmith.jobs.cluster.measuring import measure_on_ray
from lorasmith.jobs.cluster.ray_map import map_on_ray
from lorasmith.jobs.enqueue import checked
from lorasmith.jobs.kinds.registry import KINDS
from lorasmith.jobs.work import Work
from lorasmith.jobs.workspace import JobFolder
from lorasmith.training.run import train
from tests.ray_cluster import ray_cluster

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    with ray_cluster(nodes=2) as started:
        yield started


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".safetensors", ".text")
    }


PATIENCE = 300
"""Seconds in which a worker of a busy machine has begun."""


def workers_in(folder: Path) -> set[str]:
    """Who has worked on something."""
    return {path.name.split("-")[1] for path in folder.iterdir()}


def noted(folder: Path, together: int, item: int) -> int:
    """Writes down who works on an item, and takes a moment. It waits until `together` workers have begun."""
    (folder / f"{item}-{os.getpid()}").touch()
    latest = time.monotonic() + PATIENCE
    while len(workers_in(folder)) < together and time.monotonic() < latest:
        time.sleep(0.1)
    time.sleep(0.3)
    if item == 1000:
        raise RunError("Picture 1000 cannot be used: leave it out.")
    return 2 * item


def noting(folder: Path, together: int = 1):
    return partial(noted, folder, together)


def test_work_goes_on_where_a_node_dies_and_each_result_comes_once(cluster, tmp_path):
    ended = threading.Event()

    def kill_one_that_works():
        while len(workers_in(tmp_path)) < 2:
            if ended.wait(0.1):
                return
        cluster.kill(cluster.workers[-1])

    killer = threading.Thread(target=kill_one_that_works)
    killer.start()
    try:
        results = list(map_on_ray(partial(noting, tmp_path, 2), range(200), cluster.address))
    finally:
        ended.set()
        killer.join()
    cluster.add()
    assert sorted(results) == [2 * item for item in range(200)]
    assert len(workers_in(tmp_path)) >= 2


def test_what_a_worker_says_is_wrong_is_said_here(cluster, tmp_path):
    with pytest.raises(RunError, match="Picture 1000 cannot be used"):
        list(map_on_ray(partial(noting, tmp_path), [1, 1000], cluster.address))


@pytest.mark.parametrize(("address", "advice"), [("127.0.0.1:9", "ray start --head"), ("nowhere", "Give HEAD:PORT")])
def test_no_cluster_is_an_error_that_says_what_to_do(address, advice):
    with pytest.raises(InputError, match=advice):
        list(map_on_ray(partial(noting, Path()), [1], address))


def test_latents_and_captions_are_those_of_one_machine_and_nothing_is_encoded_twice(cluster, settings_with_cache, tmp_path):
    more = {"captions": {"cached_variants": 2}, "network": {"train_text_encoder": False}}
    alone = settings_with_cache(tmp_path / "alone", **more)
    shared = settings_with_cache(tmp_path / "shared", **more)
    train(alone, tmp_path / "run")
    first = cache_on_ray(shared, cluster.address)
    assert first.encoded == first.latents + first.captions
    assert first.latents == 5
    written = files_in(tmp_path / "shared")
    expected = files_in(tmp_path / "alone")
    assert len(written) == first.encoded
    assert written.items() <= expected.items()  # the training has encoded the prompts of its samples, too
    (lost,) = list((tmp_path / "shared" / "latents").rglob("*.safetensors"))[:1]
    lost.unlink()
    as_a_job = KINDS["cache"].run(
        checked("cache", {"settings": shared.model_dump(mode="json"), "ray": cluster.address}), Work(JobFolder(tmp_path))
    )
    assert as_a_job == {"pictures": 5}
    assert files_in(tmp_path / "shared") == written


def test_an_audit_after_measuring_on_the_cluster_opens_no_picture_and_finds_the_same(cluster, creatures, tmp_path):
    pile = tmp_path / "pile"
    pile.mkdir()
    for picture in creatures.glob("*.png"):
        Image.open(picture).save(pile / picture.name)
    (pile / "broken.png").write_bytes(b"no picture")
    paths = sorted(pile.iterdir())
    cache = tmp_path / PICTURES
    seen: list[tuple[int, int]] = []
    assert measure_on_ray(paths, cache, cluster.address, lambda done, total: seen.append((done, total))) == 6
    assert seen == [(number, 6) for number in range(1, 7)]
    assert measure_on_ray(paths, cache, cluster.address) == 1  # the broken one may have been corrected
    found = audit_dataset(pile, resolution=64, cache=cache)
    assert found.from_cache == 5
    alone = audit_dataset(pile, resolution=64)
    assert found.findings == alone.findings
    by_library = lorasmith.audit(pile, resolution=64, ray=cluster.address)
    assert (by_library.findings, by_library.from_cache) == (alone.findings, 5)
