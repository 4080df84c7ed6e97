"""Trials through a queue: a job each, found again by its folder, by whatever process looks."""

from __future__ import annotations

from pathlib import Path

import pytest

from lorasmith.jobs.lock import take_lock
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.result import Result
from lorasmith.jobs.sweep.onlooker import statuses_of
from lorasmith.jobs.sweep.queue_runner import QueueRunner
from lorasmith.jobs.sweep.ray_trial import RayTrial
from lorasmith.jobs.sweep.runner import TrialStatus
from lorasmith.jobs.sweep.sweep_folder import LOCK
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.settings.tree import settings_from

SETTINGS = settings_from({"base": {"path": "base"}, "datasets": [{"path": "my-set"}], "training": {"epochs": 1}})
FOLDER = Path("runs/rates/trial-1")


@pytest.fixture
def queue(tmp_path):
    with Queue(tmp_path) as opened:
        yield opened


@pytest.fixture
def started():
    """The workspaces whose supervisor was seen to."""
    return []


@pytest.fixture
def runner(queue, started):
    return QueueRunner(queue, FOLDER.parent, started.append)


def test_a_trial_is_a_training_that_judges_itself(queue, runner, started):
    runner.submit(FOLDER, SETTINGS, "quick")
    (job,) = queue.jobs()
    assert (job.kind, job.needs, job.arguments["out"], job.arguments["prove"]) == ("train", "accelerator", str(FOLDER), "quick")
    assert job.arguments["settings"]["base"]["path"] == "base"
    assert started == [queue.workspace.root]


def test_trials_are_of_the_project_of_their_sweep_and_those_that_another_began_are_taken_over(queue, runner):
    runner.submit(FOLDER, SETTINGS, "quick")
    assert (queue.get(1).project, queue.get(1).begun_by) == ("", None)
    sweep = queue.add("sweep", {}, "cpu", project="mimi")
    own = QueueRunner(queue, FOLDER.parent, lambda root: None, sweep)
    own.submit(FOLDER.with_name("trial-2"), SETTINGS, "quick")
    assert [(job.project, job.begun_by) for job in queue.jobs() if job.kind == "train"] == [("mimi", sweep.id)] * 2
    QueueRunner(queue, FOLDER.parent, lambda root: None)  # a shell goes on with it: who cancels the job leaves the shell's trials alone
    assert [(job.project, job.begun_by) for job in queue.jobs() if job.kind == "train"] == [("mimi", None)] * 2


def test_who_looks_sees_that_a_trial_was_asked_to_end(queue, runner):
    runner.submit(FOLDER, SETTINGS, "quick")
    job = queue.claim("accelerator", "machine")
    assert not runner.look()[FOLDER].ending
    queue.request(job.id, "stop")
    assert (runner.look()[FOLDER].state, runner.look()[FOLDER].ending) == ("running", True)


def test_a_run_that_has_begun_goes_on(queue, runner):
    RunFolder(queue.workspace.root / FOLDER).create(SETTINGS)
    runner.submit(FOLDER, SETTINGS, "quick")
    assert queue.jobs()[0].arguments == {"run": str(FOLDER), "prove": "quick"}


def test_other_jobs_are_none_of_its_trials(queue, runner):
    queue.add("audit", {"dataset": "anna"}, "cpu")
    queue.add("train", {"out": "runs/other", "settings": {}}, "accelerator")
    assert runner.look() == {}


def test_trials_are_paused_and_resumed_and_say_why_they_failed(queue, runner):
    runner.submit(FOLDER, SETTINGS, "quick")
    assert runner.look()[FOLDER].state == "waiting"
    job = queue.claim("accelerator", "machine")
    assert runner.look()[FOLDER].state == "running"
    runner.pause(FOLDER)
    runner.pause(FOLDER)
    assert queue.get(job.id).state == "pausing"
    queue.end(job.id, "paused")
    assert runner.look()[FOLDER].state == "paused"
    runner.resume(FOLDER)
    queue.claim("accelerator", "machine")
    queue.end(job.id, "failed", "It ran out of memory.")
    assert (runner.look()[FOLDER].state, runner.look()[FOLDER].reason) == ("failed", "It ran out of memory.")


def test_whoever_looks_first_sees_to_it_that_an_interrupted_trial_goes_on(queue, runner, started):
    runner.submit(FOLDER, SETTINGS, "quick")
    queue.claim("accelerator", "machine")
    started.clear()
    QueueRunner(queue, FOLDER.parent, started.append).look()  # after the machine was switched off
    assert started == [queue.workspace.root]


def test_who_looks_on_sees_the_trials_of_the_queue_and_of_a_cluster_and_starts_nothing(queue, started, tmp_path):
    QueueRunner(queue, FOLDER.parent, lambda root: None).submit(FOLDER, SETTINGS, "quick")
    sweep = tmp_path / FOLDER.parent
    assert statuses_of(queue, sweep) == {sweep / "trial-1": TrialStatus("waiting")}
    trial = RayTrial(sweep / "ray" / "trial-1")
    trial.write(SETTINGS, "quick")
    RayTrial(sweep / "ray" / "trial-2").write(SETTINGS, "quick")
    trial.end(Result("done"))
    assert statuses_of(queue, sweep) == {sweep / "trial-1": TrialStatus("done"), sweep / "trial-2": TrialStatus("paused")}
    lock = take_lock(sweep / LOCK)
    assert statuses_of(queue, sweep)[sweep / "trial-2"] == TrialStatus("waiting")
    own = take_lock(sweep / "ray" / "trial-2" / "lock")
    assert statuses_of(queue, sweep)[sweep / "trial-2"] == TrialStatus("running")
    own.release()
    lock.release()
    assert started == []
