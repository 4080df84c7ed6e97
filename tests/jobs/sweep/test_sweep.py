"""Whole sweeps over the tiny base: judged side by side, killed and continued, with a trial that fails; and what they leave on the page."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import time

import pytest
from typer.testing import CliRunner

from lorasmith import cluster
from lorasmith.cli.main import app
from lorasmith.errors import InputError, RunError, SettingsError
from lorasmith.evaluation.prompts import Counts
from lorasmith.evaluation.proof.plan import EFFORTS, Effort
from lorasmith.evaluation.run_record import read_run
from lorasmith.jobs.enqueue import enqueue
from lorasmith.jobs.kinds.registry import KINDS
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.sweep import search
from lorasmith.jobs.sweep.ladder import ladder
from lorasmith.jobs.sweep.sweep import opened, sweep
from lorasmith.jobs.sweep.sweep_file import sweep_from
from lorasmith.jobs.worker import run_job
from lorasmith.training.optim.optimizer_settings import OptimizerSettings
from lorasmith.training.settings.toml import settings_toml

TRAIN = KINDS["train"]


class Killed(BaseException):
    """The process of a sweep ended here."""


class InThisProcess:
    """Works through a queue as the supervisor would, a job after the other, in the process of the test."""

    def __init__(self, train=TRAIN):
        self.kinds = {**KINDS, "train": train}
        self.trained = []

    def __call__(self, root):
        with Queue(root) as queue:
            for job in queue.jobs(("running",)):  # its process died
                queue.end(job.id, "interrupted")
            while job := queue.claim("accelerator", "machine"):
                queue.workspace.job(job.id).root.mkdir(parents=True, exist_ok=True)
                self.trained.append(job.arguments.get("out", job.arguments.get("run")))
                run_job(root, job.id, self.kinds)


@pytest.fixture(scope="module", autouse=True)
def tiny_proofs():
    """Proofs draw few pictures in few steps, but of every kind of prompt."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(EFFORTS, "quick", Effort("for tests", Counts(3, 2, 2, 2, 2), most_steps=2, most_drawn=1, loss_pictures=2))
        before = signal.getsignal(signal.SIGTERM)
        yield
        signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def workspace(settings_with_cache, tmp_path_factory):
    """A workspace with settings, in which a sweep of three trials is killed in the second one; the third one fails."""
    folder = tmp_path_factory.mktemp("workspace")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        settings = settings_with_cache(folder / "cache", training={"epochs": 1, "batch_size": 5})
        (folder / "toy.toml").write_text(settings_toml(settings), encoding="utf-8")
        (folder / "rates.toml").write_text('settings = "toy.toml"\n[vary]\noptimizer.learning_rate = [1e-3, 1e-4, 1.0]\n', encoding="utf-8")
        yield folder


def training(dies_in=None, fails_in="trial-3"):
    """A training that dies in one trial, and fails in another."""

    def run(arguments, work):
        if str(arguments.out).endswith(str(dies_in)):
            raise Killed
        if str(arguments.out).endswith(fails_in):
            raise RunError("The loss is not finite.", code="run.non_finite")
        return TRAIN.run(arguments, work)

    return dataclasses.replace(TRAIN, run=run)


@pytest.fixture(scope="module")
def swept(workspace):
    """The sweep, and the trials that each of its two processes began."""
    first, second, said = InThisProcess(training(dies_in="trial-2")), InThisProcess(training()), []
    with pytest.raises(Killed):
        sweep("rates.toml", start=first)
    return sweep("rates.toml", start=second, say=said.append), first.trained, second.trained, said


def test_a_sweep_that_was_killed_goes_on_and_does_each_trial_once(swept, workspace):
    _, first, second, _ = swept
    assert first == ["runs/rates/trial-1", "runs/rates/trial-2"]
    assert second == ["runs/rates/trial-2", "runs/rates/trial-3"]
    third = InThisProcess()
    assert sweep("rates.toml", start=third).complete
    assert sweep("runs/rates", start=third).complete, "its folder says what it is"
    assert sweep(workspace / "runs/rates", start=third).complete
    assert third.trained == []


def test_a_trial_that_fails_is_a_row_with_its_reason_and_the_others_go_on(swept):
    found, _, _, said = swept
    assert [(one.number, one.state) for one in found.trials] == [(1, "done"), (2, "done"), (3, "failed")]
    assert "not finite" in found.trials[2].reason
    assert found.trials[2].score is None
    assert said[-1] == f"Trial 3 failed: {found.trials[2].reason}"
    assert found.complete


def test_each_trial_is_a_run_with_its_values_that_was_judged(swept, workspace):
    found = swept[0]
    for one in found.trials[:2]:
        run = read_run(workspace / one.folder)
        assert run.settings.optimizer.learning_rate == one.values["optimizer.learning_rate"]
        assert run.settings.name == f"toy-{one.number}"
        assert (workspace / one.file).is_file()
        assert one.verdict


def test_the_page_has_verdicts_settings_and_the_reason(swept):
    found = swept[0]
    page = found.page.read_text(encoding="utf-8")
    for words in (*found.sentences, "What each setting did", "optimizer.learning_rate", "not finite", "Same prompts, same seeds"):
        assert words.replace("'", "&#x27;") in page or words in page
    assert found.as_data["effects"][0]["setting"] == "optimizer.learning_rate"


def test_another_sweep_in_the_same_place_is_refused(swept, workspace):
    wanted, place = opened("rates.toml")
    other = sweep_from({**wanted.file.model_dump(), "vary": {"network.rank": [1, 2]}})
    with pytest.raises(SettingsError, match=r"The sweep in runs/rates was begun with another vary"):
        sweep(other, place, start=InThisProcess())


def test_a_wrong_trial_is_refused_and_nothing_is_left(workspace):
    wrong = sweep_from({"name": "wrong", "settings": "toy.toml", "vary": {"network.rank": [1, -1]}})
    with pytest.raises(SettingsError, match="network.rank = -1"):
        sweep(wrong, start=InThisProcess())
    assert not (workspace / "runs/wrong").exists()


def test_a_job_whose_folder_is_not_free_or_that_lacks_a_package_is_refused_when_it_is_added(workspace, monkeypatch):
    (workspace / "runs/mine").mkdir(parents=True, exist_ok=True)
    (workspace / "runs/mine/notes.txt").touch()
    asked = {"sweep": {"name": "mine", "settings": "toy.toml", "vary": {"network.rank": [1, 2]}}}
    with Queue(workspace) as queue:
        with pytest.raises(SettingsError, match=r"mine is not empty") as refused:
            enqueue(queue, "sweep", asked, start=lambda root: None)
        assert refused.value.values["setting"] == "out"
        monkeypatch.setattr(search, "find_spec", lambda package: None)
        monkeypatch.setattr(cluster, "find_spec", lambda package: None)
        guided = {"sweep": {**asked["sweep"], "name": "other", "search": "tpe", "trials": 2}}
        with pytest.raises(InputError, match=re.escape('pip install "lorasmith[sweep]"')):
            enqueue(queue, "sweep", guided, start=lambda root: None)
        for kind, given in (("sweep", {**asked, "out": "runs/other"}), ("train", {"settings_file": "toy.toml"})):
            with pytest.raises(InputError, match=re.escape('pip install "lorasmith[scale]"')) as refused:
                enqueue(queue, kind, {**given, "ray": "auto"}, start=lambda root: None)
            assert refused.value.values["setting"] == "ray"


@pytest.mark.parametrize("given", [{"sweep": {"settings": "toy.toml", "vary": {"network.rank": [1, -1]}}}, {"file": "ranks.toml"}])
def test_a_job_with_a_wrong_trial_is_refused_when_it_is_added(workspace, monkeypatch, given):
    (workspace / "ranks.toml").write_text('settings = "toy.toml"\n[vary]\nnetwork.rank = [1, -1]\n', encoding="utf-8")
    monkeypatch.chdir("/")  # as the studio, which works in no workspace
    with Queue(workspace) as queue, pytest.raises(SettingsError, match="network.rank = -1"):
        enqueue(queue, "sweep", given, start=lambda root: None)


def test_the_ladder_varies_rate_and_rank_of_short_trials(workspace):
    wanted = ladder("toy.toml")
    assert {name: one.values for name, one in wanted.vary.items()} == {
        "optimizer.learning_rate": (0.000333, 0.001, 0.003), "network.rank": (2, 8)
    }  # fmt: skip
    assert (wanted.name, wanted.trials, wanted.file.share) == ("toy-ladder", 6, 0.3)


def test_a_ladder_varies_all_rates_that_are_used_in_proportion(workspace):
    wanted = ladder("toy.toml")
    two = wanted.settings.model_copy(update={"optimizer": OptimizerSettings(unet_lr=1e-3, text_encoder_lr=1e-4)})
    (workspace / "two.toml").write_text(settings_toml(two), encoding="utf-8")
    assert ladder("two.toml").vary["optimizer.unet_lr, optimizer.text_encoder_lr"].values == (
        [0.000333, 3.33e-05], [0.001, 0.0001], [0.003, 0.0003]
    )  # fmt: skip


def test_the_command_prints_the_table_and_json(swept, workspace):
    printed = CliRunner().invoke(app, ["sweep", "rates.toml"])
    assert printed.exit_code == 0, printed.output
    assert "trial    state" in printed.stdout
    assert "Look at: runs/rates/sweep.html" in printed.stdout
    assert CliRunner().invoke(app, ["sweep", "rates.toml", "--json"]).stdout.startswith('{\n  "sweep_file": "rates.toml"')


@pytest.mark.slow  # three processes, each of which imports torch
def test_a_sweep_is_a_job_whose_trials_are_jobs_and_a_killed_trial_goes_on(settings_with_cache, tmp_path):
    settings = settings_with_cache(tmp_path / "cache", training={"epochs": 1, "batch_size": 5}).model_dump(mode="json", exclude_none=True)
    with Queue(tmp_path) as queue:
        job = enqueue(queue, "sweep", {"sweep": {"name": "ranks", "settings": settings, "vary": {"network.rank": [1, 2]}}})
        killed = False
        while queue.get(job.id).state in ("queued", "running"):
            time.sleep(0.2)
            trials = [one for one in queue.jobs(("running",)) if one.kind == "train" and one.worker]
            if trials and not killed:
                os.kill(trials[0].worker, signal.SIGKILL)
                killed = True
        assert queue.get(job.id).state == "done", queue.get(job.id).sentence
        outcome = queue.get(job.id).outcome
        assert (tmp_path / outcome["page"]).is_file()
        trained = [one for one in queue.jobs() if one.kind == "train"]
        assert sorted(one.arguments["out"] for one in trained) == ["runs/ranks/trial-1", "runs/ranks/trial-2"]
        assert {one.state for one in trained} == {"done"}
        assert max(one.attempts for one in trained) == 2
