"""Taggers and captioners run on the nodes of a cluster: the same rows and descriptions as on one machine, and nothing asked twice."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from functools import partial

import pytest

from lorasmith.captions.taggers.captioner import open_captioner
from lorasmith.captions.taggers.descriptions import describe_pictures
from lorasmith.captions.taggers.probabilities import ProbabilityStore
from lorasmith.captions.taggers.tagger import open_tagger
from lorasmith.captions.taggers.tagging import tag_pictures
from lorasmith.dataset_folder import DESCRIPTIONS, TAG_PROBABILITIES
from lorasmith.demo.weights import TAGGER
from lorasmith.errors import RunError
from lorasmith.jobs.cluster.describing import describe_on_ray
from lorasmith.jobs.cluster.tagging import tag_on_ray
from lorasmith.jobs.enqueue import checked
from lorasmith.jobs.kinds.registry import KINDS
from lorasmith.jobs.work import Work
from lorasmith.jobs.workspace import JobFolder
from tests.captions.taggers.test_captioner import blip  # noqa: F401
from tests.command_line import lorasmith
from tests.ray_cluster import ray_cluster

pytestmark = pytest.mark.slow

OPEN = partial(open_tagger, TAGGER, threads=1)


@pytest.fixture(scope="module")
def cluster():
    with ray_cluster(nodes=2) as started:
        yield started


@pytest.fixture
def datasets(creatures, tmp_path):
    """The same set twice: five pictures, one of them under a second name, and one that cannot be read."""
    for name in ("alone", "shared"):
        shutil.copytree(creatures, tmp_path / name)
        shutil.copy(creatures / "0.png", tmp_path / name / "twin.png")
        (tmp_path / name / "broken.png").write_bytes(b"no picture")
    return tmp_path / "alone", tmp_path / "shared"


def rows(file, table):
    with closing(sqlite3.connect(file)) as database:
        return sorted(database.execute(f"SELECT * FROM {table}"))


def test_probabilities_are_those_of_one_machine_and_no_picture_is_tagged_twice(cluster, datasets):
    alone, shared = datasets
    with ProbabilityStore(alone) as store:
        expected = tag_pictures(store, OPEN(), sorted(alone.glob("*.png")), batch_size=2)
    pictures, seen = sorted(shared.glob("*.png")), []
    with ProbabilityStore(shared) as store:
        stopped = tag_on_ray(store, OPEN, pictures, cluster.address, batch_size=2, cancelled=lambda: True)
        assert stopped.stopped
        assert 1 <= stopped.tagged <= 2
        found = tag_on_ray(store, OPEN, pictures, cluster.address, batch_size=2, progress=lambda done, total: seen.append((done, total)))
        assert seen[-1] == (7, 7)
        assert {path.name for path in found.failures} == {"broken.png"}
        assert found.tagged + found.known == expected.tagged + expected.known == 6
        assert {path.name: content for path, content in found.contents.items()} == {
            path.name: content for path, content in expected.contents.items()
        }
        assert tag_on_ray(store, OPEN, pictures, cluster.address).known == 6
    for table in ("taggers", "probabilities"):
        assert rows(shared / TAG_PROBABILITIES, table) == rows(alone / TAG_PROBABILITIES, table)


def test_another_tagger_on_a_node_is_refused(cluster, datasets, tmp_path):
    """As where its folder is not on storage that all nodes share."""
    with ProbabilityStore(datasets[0]) as store, pytest.raises(RunError, match="A node has another tagger"):
        tag_on_ray(store, partial(opened_once, tmp_path / "opened"), sorted(datasets[0].glob("?.png")), cluster.address)


def opened_once(mark):
    """The tagger; the second time it is opened, another one."""
    tagger = OPEN()
    if mark.exists():
        tagger.descriptor = tagger.descriptor.model_copy(update={"padding": (0, 0, 0)})
    mark.touch()
    return tagger


def test_descriptions_are_those_of_one_machine_and_none_is_asked_for_twice(cluster, datasets, blip):  # noqa: F811
    alone, shared = datasets
    opened = partial(open_captioner, str(blip), max_new_tokens=4, num_beams=1)
    captioner = opened()
    describe_pictures(alone, captioner, dict.fromkeys(sorted(alone.glob("*.png")), "a drawing of"))
    prompts = dict.fromkeys(sorted(shared.glob("*.png")), "a drawing of")
    assert describe_on_ray(shared, opened, captioner, prompts, cluster.address, cancelled=lambda: True).stopped
    found = describe_on_ray(shared, opened, captioner, prompts, cluster.address)
    assert {path.name for path in found.failures} == {"broken.png"}
    assert (found.described + found.known, found.known >= 1) == (6, True)
    assert describe_on_ray(shared, opened, captioner, prompts, cluster.address).known == 6
    assert rows(shared / DESCRIPTIONS, "descriptions") == rows(alone / DESCRIPTIONS, "descriptions")


def captions_in(folder):
    return {file.name: file.read_bytes() for file in folder.glob("*.txt")}


def test_the_commands_write_the_captions_of_one_machine(cluster, datasets, blip):  # noqa: F811
    alone, shared = datasets
    before = captions_in(alone)
    for command in (
        ("tag", "--tagger", "demo", "--mode", "overwrite"),
        ("describe", "--model", str(blip), "--max-tokens", "4", "--beams", "1", "--prompt", "a drawing of"),
    ):
        verb, *options = command
        lorasmith("captions", verb, str(alone), *options)
        lorasmith("captions", verb, str(shared), *options, "--ray", cluster.address)
        assert captions_in(shared) == captions_in(alone) != before
        before = captions_in(alone)
    assert rows(shared / DESCRIPTIONS, "descriptions") == rows(alone / DESCRIPTIONS, "descriptions")


def counted(outcome):
    """A job's outcome; two workers may be asked at once about a picture that is there under two names."""
    together = sum(outcome.get(name, 0) for name in ("described", "described_before", "tagged", "tagged_before"))
    return together, outcome.get("changed"), outcome.get("failures"), outcome.get("findings"), outcome.get("score")


def test_jobs_over_the_cluster_come_to_what_they_do_on_one_machine(cluster, datasets, blip, monkeypatch, tmp_path):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    work = Work(JobFolder(tmp_path / "job"))
    work.folder.root.mkdir()
    for kind, arguments in (
        ("audit", {"resolution": 64}),
        ("tag", {"tagger": str(TAGGER), "mode": "overwrite"}),
        ("describe", {"model": str(blip), "max_tokens": 4, "beams": 1, "prompt": "a drawing of"}),
    ):
        alone = KINDS[kind].run(checked(kind, {"dataset": "alone", **arguments}), work)
        shared = KINDS[kind].run(checked(kind, {"dataset": "shared", **arguments, "ray": cluster.address}), work)
        assert counted(shared) == counted(alone)
        assert captions_in(datasets[1]) == captions_in(datasets[0])
