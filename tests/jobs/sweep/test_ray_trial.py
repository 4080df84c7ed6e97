"""The process of a trial over a cluster, without one: what it reads, when it stops, and what it leaves."""

from __future__ import annotations

import pytest

from lorasmith.jobs.journal import Journal, Progressed, Started
from lorasmith.jobs.lock import take_lock
from lorasmith.jobs.result import Result
from lorasmith.jobs.sweep.nodes import answer
from lorasmith.jobs.sweep.ray_trial import FOLDER, RayTrial, train_trial
from lorasmith.training.settings.tree import settings_from

SETTINGS = settings_from({"name": "toy", "base": {"path": "no-base"}, "datasets": [{"path": "no-set"}], "training": {"epochs": 1}})


@pytest.fixture
def trial(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = RayTrial(tmp_path / "runs/rates" / FOLDER / "trial-1")
    made.write(SETTINGS, "quick")
    return made


@pytest.fixture
def train(tmp_path):
    return lambda: Result(**train_trial(str(tmp_path), "runs/rates", "trial-1", 0))


def test_it_is_told_settings_and_effort(trial):
    assert trial.read() == (SETTINGS, "quick")


def test_a_trial_that_fails_leaves_its_reason_and_is_not_tried_again(trial, train, tmp_path):
    result = train()
    assert (result.state, "no-set" in result.sentence or "no-base" in result.sentence) == ("failed", True), result
    assert trial.ended == result
    (tmp_path / "runs/rates/ray/trial-1/trial.json").unlink()  # nobody reads it
    assert train() == result
    trial.begin_anew()
    assert trial.ended is None


def test_one_that_another_process_still_works_on_waits_until_it_is_to_stop(trial, train):
    lock = take_lock(trial.job.lock)
    trial.stop.touch()
    assert train() == Result("stopped")
    assert trial.ended is None, "it is the other process that says how it ends"
    lock.release()


def dies(trial, place):
    """The process that works on the trial comes so far, and dies."""
    journal = Journal(trial.job.events)
    journal(Started(0, "a"))
    journal(Progressed(place, 20, "step", "training"))


def test_a_process_that_dies_three_times_at_one_place_has_failed(trial, train):
    assert trial.begins("", [""]) == ""
    for place in (4, 9, 9):
        dies(trial, place)
        assert trial.begins("", [""]) == "", "it got further meanwhile"
    dies(trial, 9)
    result = train()
    assert result.state == "failed"
    assert "died 3 times at the same place (training, step 9 of 20)" in result.sentence
    trial.begin_anew()
    assert trial.begins("", [""]) == ""


def test_deaths_of_nodes_are_none_of_the_trial(trial):
    for number in range(6):
        assert trial.begins(f"node {number}", ["node 7"]) == ""
        dies(trial, 9)


def test_a_node_that_does_not_see_the_folder_says_so(tmp_path):
    result = Result(**train_trial("/no/such/disk", "runs/rates", "trial-1", 0))
    assert result.state == "failed"
    assert "does not see the folder /no/such/disk/runs/rates. Put the sweep" in result.sentence
    assert answer("/no/such/disk/.seen")["word"] == ""
    (tmp_path / ".seen").write_text("a-word")
    assert answer(str(tmp_path / ".seen"))["word"] == "a-word"
