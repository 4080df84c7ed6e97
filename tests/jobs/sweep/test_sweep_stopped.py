"""`lorasmith sweep` through the queue, stopped by Ctrl-C and killed: trials under way save, the same command goes on, nothing is done twice."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lorasmith.cli.interrupt import STOPPED
from lorasmith.jobs.enqueue import again, enqueue, request
from lorasmith.jobs.job import AT_REST
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.training import start_training
from lorasmith.training.events import Resumed, StepDone
from lorasmith.training.settings.toml import load_settings, settings_toml
from tests.jobs.training_records import PATIENCE, assert_trained_once, events, steps_done, wait_until

pytestmark = pytest.mark.slow

TRIALS = [Path("runs/ranks/trial-1"), Path("runs/ranks/trial-2")]


@pytest.fixture
def start(settings_with_cache, tmp_path, monkeypatch):
    """Starts `lorasmith sweep ranks.toml`, with two trials, in a process of its own."""
    monkeypatch.chdir(tmp_path)
    settings = settings_with_cache(
        tmp_path / "cache", training={"epochs": 40, "batch_size": 1}, checkpoints={"save_every_n_epochs": 1000}, name="ranks"
    )
    Path("toy.toml").write_text(settings_toml(settings), encoding="utf-8")
    Path("ranks.toml").write_text('settings = "toy.toml"\n[vary]\nnetwork.rank = [1, 2]\n', encoding="utf-8")
    with contextlib.ExitStack() as ending:

        def start():
            process = subprocess.Popen(
                [sys.executable, "-m", "lorasmith", "sweep", "ranks.toml"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            ending.callback(process.kill)
            return process

        yield start


def test_a_job_that_sweeps_is_killed_and_goes_on_is_cancelled_and_stops_its_trials_and_goes_on_to_the_end(start):
    with Queue(Path()) as queue:
        job = enqueue(queue, "sweep", {"file": "ranks.toml"}).id
        wait_until(lambda: steps_done(TRIALS[0]) > 0)
        worker = queue.get(job).worker
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: queue.get(job).attempts == 2 and queue.get(job).worker not in (None, worker))
        request(queue, job, "cancel")
        wait_until(lambda: all(each.state in AT_REST for each in queue.jobs()))
        assert queue.get(job).state == "cancelled"
        assert {each.state for each in queue.jobs() if each.kind == "train"} <= {"stopped", "paused"}
        assert 0 < steps_done(TRIALS[0]) < 200
        again(queue, job)
        wait_until(lambda: queue.get(job).state in AT_REST)
        assert queue.get(job).state == "done", queue.get(job).sentence
    for trial in TRIALS:
        assert_trained_once(trial)


def trials_of_the_queue():
    with Queue(Path()) as queue:
        return [(job.arguments.get("out") or job.arguments.get("run"), job.state) for job in queue.jobs()]


def test_ctrl_c_saves_the_trial_under_way_and_the_same_command_goes_on_to_the_loras_of_plain_runs(start):
    first = start()
    wait_until(lambda: steps_done(TRIALS[0]) > 0)
    first.send_signal(signal.SIGINT)
    said, _ = first.communicate(timeout=PATIENCE)
    assert first.returncode == STOPPED, said
    assert "Stopping when the trials under way have saved." in said
    assert "The same command goes on." in said
    saved = steps_done(TRIALS[0])
    assert saved < 200, "it was over before it was stopped"
    assert {state for _, state in trials_of_the_queue()} <= {"paused", "stopped"}

    second = start()
    wait_until(lambda: steps_done(TRIALS[1]) > 0)
    assert [event.step for event in events(TRIALS[0], Resumed)] == [saved], "a stop saves at the step under way"
    second.kill()  # trials are the queue's, and go on
    second.wait()

    last = start()
    said, _ = last.communicate(timeout=PATIENCE)
    assert last.returncode == 0, said
    assert [state for _, state in trials_of_the_queue()] == ["done"] * len(trials_of_the_queue())
    for number, trial in enumerate(TRIALS, 1):
        assert_trained_once(trial)
        assert len(events(trial, StepDone)) == 200, "no step was done twice"
        settings = load_settings(trial / "settings.toml")
        here = start_training(settings, Path("here") / str(number)).file
        assert (trial / "checkpoints" / here.name).read_bytes() == here.read_bytes()


def test_a_second_ctrl_c_ends_the_command_at_once_and_the_next_one_goes_on(start):
    stopped = start()
    wait_until(lambda: steps_done(TRIALS[0]) > 0)
    os.kill(stopped.pid, signal.SIGINT)
    for line in stopped.stdout:
        if "Press Ctrl-C again" in line:
            break
    with contextlib.suppress(ProcessLookupError):  # the trial may have saved by now
        os.kill(stopped.pid, signal.SIGINT)
    stopped.communicate(timeout=PATIENCE)
    assert stopped.returncode == STOPPED
    again = start()
    said, _ = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, said
    for trial in TRIALS:
        assert_trained_once(trial)
