"""Whatever is killed, each job is finished once, in order, with the bytes that it makes when nothing is killed."""

import os
import random
import shutil

import pytest

from lorasmith.adapters.files.header import read_lora_header
from lorasmith.jobs.enqueue import enqueue
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.training import start_training
from tests.jobs.made_up import KINDS, counted
from tests.jobs.torture import check, torture


def add_counting(queue, jobs, to):
    for number in range(jobs):
        kind = "draw" if number % 3 == 0 else "count"
        queue.add(kind, {"file": f"{number}.txt", "to": to}, KINDS[kind].needs)


def all_counted(workspace, jobs, to):
    return [(workspace / f"{number}.txt").read_bytes() for number in range(jobs)] == [counted(to)] * jobs


def test_up_to_eight_kills_change_nothing(tmp_path):
    """Up to: on a quick machine the jobs may be done before the last ones."""
    with Queue(tmp_path) as queue:
        add_counting(queue, 6, to=100)
    assert torture(tmp_path, 8, random.Random(1))
    check(tmp_path)
    assert all_counted(tmp_path, 6, to=100)


@pytest.mark.slow
def test_a_hundred_kills_of_twelve_mixed_jobs_change_nothing(tmp_path, settings_for, creatures, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = settings_for(training={"epochs": 40})
    shutil.copytree(creatures, tmp_path / "anna")
    in_one_go = start_training(settings, tmp_path / "in-one-go").file
    with Queue(tmp_path) as queue:
        enqueue(queue, "import", {"sources": ["anna"], "into": "bert"}, start=print)
        enqueue(queue, "audit", {"dataset": "anna", "resolution": 64}, start=print)
        enqueue(queue, "mend", {"dataset": "anna", "changes": [{"way": "flatten"}]}, start=print)
        enqueue(queue, "train", {"settings": settings.model_dump(mode="json"), "out": "queued"}, start=print)
        add_counting(queue, 8, to=2500)
    killed = torture(tmp_path, 100, random.Random(int(os.environ.get("LORASMITH_TORTURE_SEED", "1"))), pause=2.5)
    print(f"{len(killed)} kills: {killed}")
    check(tmp_path)
    assert len(killed) == 100
    assert all_counted(tmp_path, 8, to=2500)
    assert len(list((tmp_path / "bert").rglob("*.png"))) == 5
    queued = tmp_path / "queued/checkpoints/toy.safetensors"
    assert read_lora_header(queued).metadata == read_lora_header(in_one_go).metadata
    assert queued.read_bytes() == in_one_go.read_bytes()
