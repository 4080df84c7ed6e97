"""Jobs and runs as a user types them."""

import json
import time

import pytest
from typer.testing import CliRunner

from lorasmith.cli.main import app
from lorasmith.errors import InputError
from lorasmith.jobs.journal import Journal, Progressed
from lorasmith.jobs.lock import take_lock
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.supervisor_process import start_supervisor
from lorasmith.training.settings.toml import settings_toml


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """The queue of the current folder, at which no supervisor works."""
    monkeypatch.chdir(tmp_path)
    with Queue(tmp_path) as opened:
        lock = take_lock(opened.workspace.supervisor_lock)
        yield opened
        lock.release()


def run(*words, code=0):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output + str(result.exception)
    return result.output


def states(queue):
    return {job.id: job.state for job in queue.jobs()}


def test_a_job_is_added_listed_and_asked_for_things(queue, tmp_path):
    for place in ("datasets/anna", "b"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "a.zip").touch()
    assert run("jobs", "list") == "No jobs yet. Add one, such as: lorasmith train SETTINGS --queue\n"
    assert "Job 1 (audit) is queued." in run("jobs", "add", "audit", "dataset=datasets/anna", "resolution=512")
    assert "Job 2 (import)" in run("jobs", "add", "import", "sources=a.zip", "sources=b", "into=anna", "--priority", 3)
    assert queue.get(2).arguments == {"sources": ["a.zip", "b"], "into": "anna"}
    assert [line.split() for line in run("jobs", "list").splitlines()] == [["2", "queued", "import"], ["1", "queued", "audit"]]
    run("jobs", "move", 1, 1)
    assert [job.id for job in queue.jobs()] == [1, 2]
    run("jobs", "move", 1, "--priority", -1)
    assert [job.id for job in queue.jobs()] == [2, 1]
    run("jobs", "pause", 1, 2)
    run("jobs", "resume", 2)
    assert states(queue) == {1: "paused", 2: "queued"}
    run("jobs", "stop", 2)
    run("jobs", "cancel", 1, 2)
    run("jobs", "retry", 1)
    assert states(queue) == {1: "queued", 2: "cancelled"}


def test_a_dismissed_job_is_listed_with_all_or_when_it_goes_on_again_and_one_that_has_not_ended_is_not_dismissed(queue):
    for _ in range(2):
        queue.add("audit", {"dataset": "anna"}, "cpu")
    run("jobs", "cancel", 1)
    assert run("jobs", "dismiss", 1).split() == ["1", "cancelled", "audit"]
    assert [line.split()[0] for line in run("jobs", "list").splitlines()] == ["2", "and"]
    assert [line.split()[0] for line in run("jobs", "list", "--all").splitlines()] == ["2", "1"]
    refused = CliRunner().invoke(app, ["jobs", "dismiss", "2"])
    assert isinstance(refused.exception, InputError)
    assert "nobody can dismiss it" in str(refused.exception)
    run("jobs", "retry", 1)
    assert {line.split()[0] for line in run("jobs", "list").splitlines()} == {"1", "2"}


def test_a_running_job_shows_how_far_it_is(queue, tmp_path):
    (tmp_path / "anna").mkdir()
    run("jobs", "add", "audit", "dataset=anna")
    queue.claim("cpu", "cpu")
    folder = queue.workspace.job(1)
    folder.root.mkdir(parents=True)
    Journal(folder.events)(Progressed(12, 40, "picture", "looking", 3.5, 8.0))
    assert run("jobs", "list") == "   1  running     audit     looking, picture 12 of 40, 8.0 s left\n"
    (job,) = json.loads(run("jobs", "list", "--json"))["jobs"]
    assert (job["state"], job["progress"]["done"], job["progress"]["of"], job["progress"]["rate"]) == ("running", 12, 40, 3.5)


def test_of_many_jobs_that_have_ended_the_latest_are_listed(queue):
    for _ in range(12):
        queue.add("audit", {"dataset": "anna"}, "cpu")
        queue.claim("cpu", "cpu")
    for number in range(1, 13):
        queue.end(number, "failed", "anna is not there.")
    lines = run("jobs", "list").splitlines()
    assert lines[0] == "  12  failed      audit     anna is not there."
    assert lines[-1] == "and 2 more that have ended; --all lists them"
    assert len(run("jobs", "list", "--all").splitlines()) == 12


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("jobs", "add", "tga"), "There is no kind of job called 'tga'; did you mean 'tag'?"),
        (("jobs", "add", "audit", "dataset"), "'dataset' sets nothing. Write NAME=VALUE"),
        (("jobs", "pause", 9), "There is no job 9."),
    ],
)
def test_what_cannot_be_is_said(queue, words, sentence):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert sentence in str(result.exception)


def test_every_kind_is_listed_with_its_arguments(queue):
    assert "train: Train a LoRA\n" in run("jobs", "kinds")
    assert "dataset" in json.loads(run("jobs", "kinds", "--json"))["kinds"]["audit"]["arguments"]["properties"]


def test_a_training_is_queued_with_the_settings_of_now(queue, tmp_path, settings_for):
    settings = settings_for()
    file = tmp_path / "toy.toml"
    file.write_text(settings_toml(settings), encoding="utf-8")
    job = json.loads(run("train", file, "--queue", "--out", "runs/mine", "--json"))["job"]
    file.unlink()
    assert (job["kind"], job["needs"], job["arguments"]["out"]) == ("train", "accelerator", "runs/mine")
    assert job["arguments"]["settings"]["network"]["rank"] == 2


def test_the_background_process_works_through_the_queue_and_the_log_can_be_followed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Queue(tmp_path) as queue:
        queue.add("audit", {"dataset": "nowhere"}, "cpu")
        (tmp_path / "json.py").write_text("raise SystemExit('a file of the workspace was run as code')", encoding="utf-8")
        supervisor = start_supervisor(tmp_path)
        try:
            assert "nowhere does not exist" in run("jobs", "log", 1, "--follow")
            assert "is working through this queue already" in run("jobs", "work", code=1)
            assert start_supervisor(tmp_path) is None
        finally:
            supervisor.terminate()  # it lives for a minute
            supervisor.wait()
        assert queue.get(1).state == "failed"


def test_runs_are_listed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "There is no run below" in run("runs")
    (tmp_path / "runs/anna/state").mkdir(parents=True)
    (tmp_path / "runs/anna/settings.toml").touch()
    (tmp_path / "runs/anna/events.jsonl").write_text(
        '{"event": "Planned", "version": 2, "steps": 9, "epochs": 3, "images": 3, "batches_per_epoch": 3, "trainable_parameters": 8}\n'
        f'{{"event": "Stopped", "version": 2, "time": {time.time()}, "step": 4, "reason": "Stopped after step 4."}}\n',
        encoding="utf-8",
    )
    assert run("runs") == "runs/anna  stopped           4/9  Stopped after step 4.\n"
    (found,) = json.loads(run("runs", "--json"))["runs"]
    assert (found["state"], found["step"], found["steps"]) == ("stopped", 4, 9)


def test_a_training_in_the_queue_is_not_profiled_in_silence(queue):
    result = CliRunner().invoke(app, ["train", "any.toml", "--queue", "--profile", "3"])
    assert "Leave --profile or --queue out" in str(result.exception)


def test_a_training_over_ray_is_not_profiled_in_silence(queue):
    result = CliRunner().invoke(app, ["train", "any.toml", "--ray", "auto", "--profile", "3"])
    assert "Leave --profile or --ray out" in str(result.exception)
    assert queue.jobs() == []


def test_a_training_over_ray_waits_in_the_queue(queue, tmp_path, settings_for):
    pytest.importorskip("ray", reason="the extra for several machines is not installed")
    file = tmp_path / "toy.toml"
    file.write_text(settings_toml(settings_for()), encoding="utf-8")
    job = json.loads(run("train", file, "--queue", "--ray", "10.0.0.1:6379", "--json"))["job"]
    assert (job["kind"], job["arguments"]["ray"]) == ("train", "10.0.0.1:6379")
