"""Sweeps over a cluster of Ray: as they are without one, byte for byte, while nodes die; stopped, and killed themselves, they go on."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from lorasmith.cli.interrupt import STOPPED
from lorasmith.errors import InputError
from lorasmith.jobs.sweep.nodes import looked_at
from lorasmith.jobs.sweep.ray_trial import RayTrial
from lorasmith.jobs.sweep.sweep import opened, sweep
from lorasmith.jobs.sweep.trials import planned_values, trial_of
from lorasmith.jobs.training import start_training
from lorasmith.training.events import Resumed
from lorasmith.training.settings.toml import settings_toml
from tests.jobs.training_records import PATIENCE, assert_trained_once, events, steps_done, wait_until
from tests.ray_cluster import ray_cluster, works

pytestmark = pytest.mark.slow

SEED = int(os.environ.get("LORASMITH_TORTURE_SEED", random.randrange(2**32)))
KILLS = 6
"""Of nodes, in one sweep."""


@pytest.fixture(scope="module")
def cluster():
    with ray_cluster(nodes=3) as started:
        yield started


@pytest.fixture
def workspace(settings_with_cache, tmp_path, monkeypatch):
    """A folder in which `toy.toml` is, and a sweep of twelve, one of two and one of two that are long."""
    monkeypatch.chdir(tmp_path)
    saving = {"save_every_n_epochs": 1000, "save_state_every_seconds": 0.5}
    short = settings_with_cache(tmp_path / "cache", training={"epochs": 10, "batch_size": 1}, checkpoints=saving)
    long = settings_with_cache(tmp_path / "cache", training={"epochs": 60, "batch_size": 1}, checkpoints=saving)
    Path("toy.toml").write_text(settings_toml(short), encoding="utf-8")
    Path("long.toml").write_text(settings_toml(long), encoding="utf-8")
    rates = "optimizer.learning_rate = [1e-4, 3e-4, 1e-3, 3e-3]\n"
    Path("twelve.toml").write_text(f'settings = "toy.toml"\n[vary]\n{rates}network.rank = [1, 2, 4]\n', encoding="utf-8")
    Path("two.toml").write_text('settings = "toy.toml"\n[vary]\nnetwork.rank = [1, 2]\n', encoding="utf-8")
    Path("two-long.toml").write_text('settings = "long.toml"\n[vary]\nnetwork.rank = [1, 2]\n', encoding="utf-8")
    return tmp_path


@pytest.fixture
def start(cluster, workspace):
    """Starts `lorasmith sweep FILE --ray ADDRESS` in a process of its own."""
    with contextlib.ExitStack() as ending:

        def start(file):
            command = [sys.executable, "-m", "lorasmith", "sweep", file, "--ray", cluster.address]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            ending.callback(process.kill)
            return process

        yield start


def assert_as_trained_here(swept, file):
    """Each trial has the LoRA, to the byte, that a plain training of its settings gives."""
    wanted, _ = opened(file)
    for number, values in enumerate(planned_values(wanted), 1):
        here = start_training(trial_of(wanted, number, values).settings, Path("here") / str(number))
        there = next(one for one in swept.trials if one.number == number)
        assert there.state == "done", there.reason
        assert (there.folder / "checkpoints" / here.file.name).read_bytes() == here.file.read_bytes(), f"trial {number}"


def steps_of_all():
    return sum(steps_done(trial) for trial in Path("runs/twelve").glob("trial-*"))


def test_twelve_trials_on_nodes_that_die_at_random_are_each_trained_once_as_without_a_cluster(cluster, start):
    dice, killed, before = random.Random(SEED), 0, 0
    running = start("twelve.toml")
    while running.poll() is None:
        time.sleep(0.2)
        if killed < KILLS and steps_of_all() > before:  # not while all are still starting
            time.sleep(dice.uniform(0, 8))
            cluster.kill(dice.choice(cluster.workers))
            cluster.add()
            killed, before = killed + 1, steps_of_all()
    said, _ = running.communicate(timeout=PATIENCE)
    assert running.returncode == 0, said
    swept = sweep("twelve.toml", ray=cluster.address)
    resumed = {one.name: len(events(one.folder, Resumed)) for one in swept.trials}
    print(f"seed {SEED}: {killed} nodes were killed, and trials went on after a state {resumed}")
    assert killed == KILLS, "the sweep was over before nodes died"
    assert swept.complete
    for one in swept.trials:
        assert_trained_once(one.folder)
    assert_as_trained_here(swept, "twelve.toml")


def under_way(start):
    """The sweep of two long trials, once both have done steps beyond those done before."""
    before = [steps_done(f"runs/two-long/trial-{number}") for number in (1, 2)]
    process = start("two-long.toml")
    wait_until(lambda: all(steps_done(f"runs/two-long/trial-{k}") > done for k, done in zip((1, 2), before, strict=True)))
    return process


def test_a_stop_saves_the_trials_and_after_a_kill_they_go_on_too(cluster, start):
    saved = []
    for wish in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C, and what a shutdown or the job queue sends
        stopped = under_way(start)
        stopped.send_signal(wish)
        said, _ = stopped.communicate(timeout=PATIENCE)
        assert stopped.returncode == STOPPED, said
        assert "Stopping when the trials under way have saved." in said
        assert "The same command goes on." in said
        ended = [RayTrial(Path(f"runs/two-long/ray/trial-{number}")).ended for number in (1, 2)]
        assert [one.state for one in ended] == ["stopped", "stopped"]
        saved.append([steps_done(f"runs/two-long/trial-{number}") for number in (1, 2)])

    killed = under_way(start)
    resumed = [[event.step for event in events(f"runs/two-long/trial-{number}", Resumed)] for number in (1, 2)]
    assert list(zip(*resumed, strict=True)) == [tuple(steps) for steps in saved], "a stop saves at the step under way"
    killed.kill()
    killed.wait()

    swept = sweep("two-long.toml", ray=cluster.address)
    assert swept.complete
    for one in swept.trials:
        assert_trained_once(one.folder)
    assert_as_trained_here(swept, "two-long.toml")
    assert [process for process in psutil.process_iter() if works(process) and re.match("ray::two-long", process.name())] == []


def test_a_folder_that_a_node_does_not_see_is_named_before_anything_is_trained(cluster, workspace):
    Path("mine").mkdir()
    mine = os.open("mine", os.O_RDONLY)
    try:
        with cluster.connected():
            import ray

            assert len(looked_at(ray, Path("mine").absolute())) == 3
            with pytest.raises(InputError, match=r"The node [\d.]+ does not see the folder /proc/self/fd/\d+. Put the sweep"):
                looked_at(ray, Path(f"/proc/self/fd/{mine}"))  # each process has its own
    finally:
        os.close(mine)
