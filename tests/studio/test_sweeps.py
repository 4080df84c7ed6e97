"""Each route of sweeps: what is shown is what the written page says; stopped, failed and damaged ones; plans, refusals and files."""

import tomllib

import pytest

from lorasmith import cluster
from lorasmith.jobs.lock import take_lock
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.sweep import search
from lorasmith.jobs.sweep.onlooker import statuses_of
from lorasmith.jobs.sweep.outcome import outcome_of
from lorasmith.jobs.sweep.page import write_sweep
from lorasmith.jobs.sweep.queue_runner import QueueRunner
from lorasmith.jobs.sweep.sweep_file import load_sweep
from lorasmith.jobs.sweep.sweep_folder import LOCK, RECORD, definition_of, sweep_in
from lorasmith.studio import outcomes
from lorasmith.training.settings.tree import settings_from
from tests.jobs.sweep.made_up_runner import made_up_sweep

VARY = {"optimizer.learning_rate": [1e-4, 1e-5, 1e-3]}


def score(settings):
    return {1e-5: 0.3, 1e-4: 0.8, 1e-3: 0.5}[settings.optimizer.learning_rate]


def loss(settings, epoch):
    return 1.0 + epoch if settings.optimizer.learning_rate == 1e-3 else 0.9


@pytest.fixture
def swept(workspace):
    """The folder of a sweep that is complete, with a trial that was ruled out."""
    return made_up_sweep(workspace / "projects" / "mimi" / "runs" / "rates", VARY, score, loss)


@pytest.fixture
def sweep(settings_for, workspace):
    """What the file of a sweep over real pictures and a real base says."""
    settings = settings_for(training={"epochs": 2, "batch_size": 5}).model_dump(mode="json", exclude_none=True)
    return {"name": "rates", "settings": {**settings, "cache": "cache"}, "vary": {"network.rank": [1, 2]}}


def test_a_sweep_is_listed_with_its_trials_as_runs_of_its_project(script, swept, workspace):
    made_up_sweep(workspace / "runs" / "alone", {"network.rank": [1, 2]}, lambda settings: 0.5, looks=1)
    by_id = {one["id"]: one for one in script.get("/api/sweeps").json()}
    assert set(by_id) == {"mimi~rates", "alone"}
    shown = by_id["mimi~rates"]
    assert (shown["project"], shown["state"], shown["trials"], shown["begun"], shown["ended"]) == ("mimi", "finished", 3, 3, 3)
    assert shown["runs"] == ["mimi~rates~trial-1", "mimi~rates~trial-2", "mimi~rates~trial-3"]
    assert (by_id["alone"]["state"], by_id["alone"]["job"]) == ("stopped", None)
    assert [one["id"] for one in script.get("/api/sweeps", params={"project": "mimi"}).json()] == ["mimi~rates"]
    assert {one["sweep"] for one in script.get("/api/runs", params={"project": "mimi"}).json()} == {"mimi~rates"}


def test_what_is_shown_is_what_the_written_page_says(script, swept, workspace):
    shown = script.get("/api/sweeps/mimi~rates").json()
    with Queue(workspace) as queue:
        found = outcome_of(sweep_in(swept.root), swept, statuses_of(queue, swept.root), complete=True)
    assert shown["sentences"] == list(found.sentences)
    assert [effect["sentence"] for effect in shown["effects"]] == [effect.sentence for effect in found.effects]
    assert [(row["state"], row["recommended"]) for row in shown["rows"]] == [("done", True), ("done", False), ("ruled out", False)]
    best, worse, out = shown["rows"]
    assert best["values"] == {"optimizer.learning_rate": "0.0001"}
    assert best["score"]["value"] == pytest.approx(found.trials[0].score)
    assert best["verdict"] == list(found.trials[0].verdict)
    assert (best["said"][0]["code"], shown["said"][0]["code"]) == ("verdict.use", "sweep.recommended")
    assert shown["said"][0]["values"]["verdict"] == {"sentence": best["said"][0]}
    assert shown["sentence_said"] == shown["said"][0]
    assert [(row["step"], row["steps"]) for row in shown["rows"]] == [(30, 30), (30, 30), (10, 30)]
    assert (best["file"], best["run"]) == ("checkpoints/toy.safetensors", "mimi~rates~trial-1")
    assert out["reason"].startswith("Ruled out after epoch 1")
    assert (out["reason_said"]["code"], out["reason_said"]["values"]["beside"]) == ("sweep.ruled_out", {"trial": 1})
    assert out["score"] is None
    assert worse["held_out"] == {"epoch": 3, "loss": 0.9, "change": {"value": 0.0, "error": None}}
    other = shown["effects"][0]["others"][0]
    assert (other["value"], other["differs"]) == ("1e-05", True)
    page = write_sweep(found).read_text(encoding="utf-8")
    for words in (f"{best['score']['value']:.2f}", f"{other['below']['value']:.2f}", out["reason"], shown["effects"][0]["sentence"]):
        assert words in page


def test_verdicts_are_worked_out_again_only_where_something_has_changed(script, swept, monkeypatch):
    worked_out, once = [], outcome_of
    monkeypatch.setattr(outcomes, "outcome_of", lambda *of: worked_out.append(of) or once(*of))
    for _ in range(3):
        script.get("/api/sweeps/mimi~rates")
    assert len(worked_out) == 1
    (swept.trial(1) / "proof" / "proof.json").touch()
    swept.record.ruled_out[2] = "Ruled out, too."
    swept.save()
    of_earlier = script.get("/api/sweeps/mimi~rates").json()["rows"][1]
    assert (of_earlier["reason"], of_earlier["reason_said"]) == ("Ruled out, too.", None)
    assert len(worked_out) == 2


def test_a_stopped_sweep_goes_on_by_a_job_and_one_that_a_shell_works_on_is_left_to_it(script, workspace, sweep):
    vary, settings = sweep["vary"], sweep["settings"]
    folder = made_up_sweep(workspace / "runs" / "rates", vary, lambda settings: 0.5, looks=1, settings=settings)
    lock = take_lock(folder.root / LOCK)
    assert script.get("/api/sweeps/rates").json()["state"] == "running"
    refused = script.post("/api/sweeps/rates:resume")
    assert (refused.status_code, refused.json()["code"]) == (423, "sweep.in_use")
    lock.release()
    assert script.get("/api/sweeps/rates").json()["state"] == "stopped"
    job = script.post("/api/sweeps/rates:resume").json()
    assert (job["kind"], job["arguments"]) == ("sweep", {"file": "runs/rates"})
    assert script.post("/api/sweeps/rates:resume").json()["id"] == job["id"], "it waits already"
    assert (script.get("/api/sweeps/rates").json()["state"], script.get("/api/sweeps/rates").json()["job"]) == ("waiting", job["id"])
    script.post(f"/api/jobs/{job['id']}:stop")
    assert script.get("/api/sweeps/rates").json()["state"] == "stopped"
    again = script.post("/api/sweeps/rates:resume").json()
    assert (again["id"], again["state"]) == (job["id"], "queued")
    with Queue(workspace) as queue:
        queue.claim("cpu", "cpu")
        queue.end(job["id"], "failed", "The base is gone.")
    shown = script.get("/api/sweeps/rates").json()
    assert (shown["state"], shown["reason"]) == ("failed", "The base is gone.")


def test_a_sweep_that_is_cancelled_stops_its_trials_and_goes_on_with_them(script, workspace, sweep):
    (workspace / "projects" / "mimi" / "dataset").mkdir(parents=True)
    (workspace / "projects" / "mimi" / "project.toml").write_text('name = "mimi"\n', encoding="utf-8")
    given = {"sweep": sweep, "out": "projects/mimi/runs/rates"}
    job = script.post("/api/jobs", json={"kind": "sweep", "arguments": given, "project": "mimi"}).json()["id"]
    with Queue(workspace) as queue:
        runner = QueueRunner(queue, workspace / "projects/mimi/runs/rates", lambda root: None, queue.claim("cpu", "cpu"))
        settings = settings_from(sweep["settings"])
        for number in (1, 2):
            runner.submit(workspace / f"projects/mimi/runs/rates/trial-{number}", settings, "quick")
        queue.claim("accelerator", "machine")
        trials = [one["id"] for one in script.get("/api/jobs", params={"project": "mimi"}).json() if one["kind"] == "train"]
        assert len(trials) == 2, "they are listed with their project"
        assert script.post(f"/api/jobs/{job}:cancel").json()["state"] == "cancelling"
        assert [queue.get(id).state for id in trials] == ["stopping", "stopped"]
        queue.end(job, "cancelled"), queue.end(trials[0], "stopped")
        assert script.post(f"/api/jobs/{job}:retry").json()["state"] == "queued"
        assert {status.state for status in runner.look().values()} == {"paused"}, "what a sweep that goes on resumes"


def test_what_cannot_be_read_is_listed_with_the_reason_and_what_is_not_there_is_not(script, swept):
    (swept.root / RECORD).write_text("{", encoding="utf-8")
    (shown,) = script.get("/api/sweeps").json()
    assert shown["state"] == "unreadable"
    assert "sweep.json is damaged" in shown["reason"]
    assert script.get("/api/sweeps/mimi~rates").json()["code"] == "sweep.damaged"
    gone = script.get("/api/sweeps/none")
    assert (gone.status_code, gone.json()["code"]) == (404, "sweep.not_found")


def test_the_file_of_a_sweep_is_read_as_the_same_sweep(script, swept, tmp_path):
    (tmp_path / "mine.toml").write_text(script.get("/api/sweeps/mimi~rates/file").text, encoding="utf-8")
    assert definition_of(load_sweep(tmp_path / "mine.toml")) == definition_of(sweep_in(swept.root))


def test_a_plan_counts_trials_and_steps_and_a_wrong_trial_or_setting_is_refused_in_its_place(script, sweep):
    plan = script.post("/api/sweep-plans", json={"sweep": sweep}).json()
    assert (plan["name"], plan["trials"], plan["in_full"], plan["values"]) == (
        "rates", 2, False, [{"network.rank": "1"}, {"network.rank": "2"}]
    )  # fmt: skip
    (one,) = {script.post("/api/plans", json={"settings": sweep["settings"]}).json()["steps"]}
    assert plan["steps"] == 2 * one
    assert plan["estimate"]["state"] in ("estimating", "known")
    assert script.get(f"/api/sweep-plans/{plan['id']}/estimate").status_code == 200
    for vary, place, words in (
        ({"network.rang": [1, 2]}, "network.rang", "there is no such setting"),
        ({"network.rank": [1]}, "network.rank", "needs two values"),
        ({"network.rank": [1, -1]}, "network.rank", "Trial 2"),
    ):
        refused = script.post("/api/sweep-plans", json={"sweep": {**sweep, "vary": vary}})
        assert (refused.status_code, refused.json()["place"]) == (422, place)
        assert words in refused.json()["detail"]


def test_what_is_not_installed_is_a_sentence_with_the_command(script, sweep, monkeypatch):
    for module in (cluster, search):
        monkeypatch.setattr(module, "find_spec", lambda package: None)
    refused = script.post("/api/sweep-plans", json={"sweep": sweep, "ray": "auto"}).json()
    assert (refused["place"], 'pip install "lorasmith[scale]"' in refused["detail"]) == ("ray", True)
    refused = script.post("/api/sweep-plans", json={"sweep": {**sweep, "search": "tpe", "trials": 2}}).json()
    assert (refused["place"], 'pip install "lorasmith[sweep]"' in refused["detail"]) == ("search", True)
    job = {"kind": "train", "arguments": {"settings": sweep["settings"], "out": "runs/x", "ray": "auto"}}
    assert script.post("/api/jobs", json=job).json()["place"] == "ray"


def test_the_ladder_of_settings_is_a_sweep_that_can_be_written_and_begun(script, sweep, workspace):
    ladder = script.post("/api/sweep-plans:ladder", json={"settings": sweep["settings"]}).json()["sweep"]
    assert (ladder["name"], ladder["share"], len(ladder["vary"])) == ("toy-ladder", 0.3, 2)
    written = script.post("/api/sweep-plans:toml", json={"sweep": ladder}).text
    assert tomllib.loads(written)["share"] == 0.3
    job = script.post("/api/jobs", json={"kind": "sweep", "arguments": {"sweep": ladder, "out": "runs/ladder"}})
    assert (job.status_code, job.json()["state"]) == (201, "queued"), job.json()


def test_no_sweep_writes_outside_of_the_workspace(script, sweep, tmp_path):
    outside = str(tmp_path / "outside")
    elsewhere = {**sweep, "settings": {**sweep["settings"], "cache": outside}}
    for arguments in ({"sweep": sweep, "out": outside}, {"sweep": elsewhere, "out": "runs/x"}, {"file": str(tmp_path)}):
        assert script.post("/api/jobs", json={"kind": "sweep", "arguments": arguments}).json()["code"] == "jobs.outside"


def test_a_list_of_runs_is_as_it_was_where_there_is_no_sweep(script):
    assert script.get("/api/sweeps").json() == []
