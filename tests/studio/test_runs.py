"""Each route of runs: good, bad input, not there, busy. Runs are made by hand here, as their folders are all that counts."""

import json

import pytest

from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene
from lorasmith.studio import courses
from lorasmith.training import events
from lorasmith.training.records import course
from lorasmith.training.records.event_log import EventLog
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.settings.tree import settings_from


def step(number, loss):
    return events.StepDone(number, 1, loss, {"unet": 1e-4}, 0.1, loss_smoothed=loss, images_per_second=2.0, eta=30.0)


HAPPENED = [events.Planned(10, 5, 4, 2, 1000), step(1, 0.5), step(2, float("nan")), events.SampleReady("samples/a b.png", "a <b>", 7, 1, 2),
    events.Warned("token = hf_abcdefghijklmnopqrstuvwxyz"), events.CheckpointSaved("checkpoints/x.safetensors", 1, 2)]  # fmt: skip


def make_run(folder, rank=8, happened=HAPPENED, pictures="pictures"):
    run = RunFolder(folder)
    run.create(settings_from({"name": "x", "base": {"path": "base"}, "datasets": [{"path": pictures}], "network": {"rank": rank}}))
    log = EventLog(run.events)
    for event in happened:
        log(event)
    log.close()
    draw_scene(random_scene(1)).save(run.samples / "a b.png")
    return run


@pytest.fixture
def run(workspace):
    return make_run(workspace / "runs" / "zorvex")


def test_a_run_of_a_shell_and_one_of_a_project_are_listed(script, run, workspace):
    script.post("/api/projects", json={"name": "Mimi"})
    make_run(workspace / "projects" / "mimi" / "runs" / "first", happened=[])
    listed = script.get("/api/runs").json()
    assert [(one["id"], one["project"]) for one in listed] == [("zorvex", ""), ("mimi~first", "mimi")]
    assert [one["id"] for one in script.get("/api/runs", params={"project": "mimi"}).json()] == ["mimi~first"]
    assert listed[1]["last_event"] is None


def test_a_trial_of_a_sweep_is_a_run_of_the_sweeps_project(script, workspace):
    script.post("/api/projects", json={"name": "Mimi"})
    make_run(workspace / "projects" / "mimi" / "runs" / "rates" / "trial-1")
    make_run(workspace / "runs" / "rates" / "trial-1")
    assert {(one["id"], one["project"]) for one in script.get("/api/runs").json()} == {
        ("mimi~rates~trial-1", "mimi"),
        ("~runs~rates~trial-1", ""),
    }
    assert script.get("/api/runs/mimi~rates~trial-1").json()["name"] == "trial-1"


def test_a_run_says_how_far_it_is(script, run):
    with run.in_use():
        going = script.get("/api/runs/zorvex").json()
    assert (going["state"], going["step"], going["steps"], going["eta"], going["images_per_second"]) == ("running", 2, 10, 30.0, 2.0)
    gone = script.get("/api/runs/zorvex").json()
    assert (gone["state"], gone["eta"], gone["loss"]) == ("killed", None, None), "its loss is not a number"
    assert gone["settings"]["network"]["rank"] == 8
    assert gone["files"] == [{"file": "checkpoints/x.safetensors", "epoch": 1, "step": 2, "final": False}]
    EventLog(run.events)(events.Stopped(2, "by hand"))
    assert (script.get("/api/runs/zorvex").json()["state"], script.get("/api/runs/zorvex").json()["reason"]) == ("stopped", "by hand")
    EventLog(run.events)(events.Finished(10, 1.0, "x.safetensors"))
    assert script.get("/api/runs/zorvex").json()["state"] == "finished"


def test_a_run_anywhere_in_the_workspace_is_listed_and_one_that_cannot_be_read_hides_no_other(script, run, workspace):
    make_run(workspace / "tries" / "a").events.write_text('{"event": "StepDone", "version": 2}\n', encoding="utf-8")
    make_run(workspace / "tries" / "b").events.write_text('{"event": "StepDone", "version": 99}\n', encoding="utf-8")
    states = {one["id"]: one["state"] for one in script.get("/api/runs").json()}
    assert states == {"zorvex": "killed", "~tries~a": "unreadable", "~tries~b": "unreadable"}
    assert script.get("/api/runs/~tries~b/curve").json()["code"] == "run.newer_version"


def test_runs_whose_events_stay_as_they_are_are_not_read_again_however_many_there_are(script, workspace, monkeypatch):
    monkeypatch.setattr(courses, "MOST_FOLLOWED", 2)
    runs = [make_run(workspace / "runs" / name) for name in ("a", "b", "c")]
    script.get("/api/runs")
    read, read_one = [], course.events_since
    monkeypatch.setattr(course, "events_since", lambda path, start, **more: read.append(path) or read_one(path, start, **more))
    EventLog(runs[0].events)(step(3, 0.4))
    assert {one["id"]: one["step"] for one in script.get("/api/runs").json()} == {"a": 3, "b": 2, "c": 2}
    assert read == [runs[0].events]


def test_the_curve_is_read_as_it_grows_and_says_where_to_watch_from(script, run):
    curve = script.get("/api/runs/zorvex/curve").json()
    assert curve["series"]["loss/step"] == {"steps": [1, 2], "values": [0.5, None]}
    assert curve["offset"] == run.events.stat().st_size
    EventLog(run.events)(step(3, 0.25))
    assert script.get("/api/runs/zorvex/curve", params={"from": 3, "name": "loss/"}).json()["series"] == {
        "loss/step": {"steps": [3], "values": [0.25]}, "loss/smoothed": {"steps": [3], "values": [0.25]}
    }  # fmt: skip
    assert script.get("/api/runs/zorvex/curve", params={"most": 1}).status_code == 422


def test_samples_are_pictures_that_can_be_opened(script, run):
    (sample,) = script.get("/api/runs/zorvex/samples").json()
    assert (sample["prompt"], sample["url"]) == ("a <b>", "/files/runs/zorvex/samples/a%20b.png")
    assert script.get(sample["url"]).headers["content-type"] == "image/png"
    (run.samples / "a b.png").unlink()
    assert script.get("/api/runs/zorvex/samples").json() == []


def test_nothing_but_pictures_of_the_run_is_served(script, run):
    for name in ("../../zorvex/settings.toml", "..%2f..%2fx", "%2e%2e/x", "/etc/passwd", "a%00b", "..%5cx"):
        assert script.get(f"/files/runs/zorvex/{name}").status_code in (400, 404), name
    assert script.get("/files/runs/zorvex/settings.toml").status_code == 400, "no picture"
    assert script.get("/files/runs/zorvex/gone.png").status_code == 404
    (run.samples / "out.png").symlink_to("/etc/passwd")
    assert script.get("/files/runs/zorvex/samples/out.png").status_code == 400


def test_the_log_has_no_secrets(script, run):
    log = script.get("/api/runs/zorvex/log", params={"count": 2}).json()
    assert len(log["lines"]) == 2
    assert "hf_abc" not in json.dumps(log)
    assert script.get("/api/runs/zorvex/log", params={"before": log["before"]}).json()["before"] is None


def test_runs_are_compared_by_the_settings_in_which_they_differ(script, run, workspace):
    make_run(workspace / "runs" / "other", rank=4)
    assert script.get("/api/runs:compare", params={"runs": ["zorvex", "other"]}).json() == [
        {"setting": "network.rank", "values": {"zorvex": 8, "other": 4}}
    ]
    assert script.get("/api/runs:compare", params={"runs": ["zorvex", "gone"]}).status_code == 404


def test_runs_whose_names_mean_something_in_addresses_are_shown_and_compared(script, run, workspace):
    for name, rank in (("compare", 4), ("first, again", 2)):
        make_run(workspace / "runs" / name, rank=rank)
        assert script.get(f"/api/runs/{name}").json()["id"] == name
    (difference,) = script.get("/api/runs:compare", params={"runs": ["compare", "first, again"]}).json()
    assert difference["values"] == {"compare": 4, "first, again": 2}


def test_of_datasets_that_differ_only_the_settings_that_differ_are_told(script, run, workspace):
    make_run(workspace / "runs" / "other", pictures="drawings")
    assert script.get("/api/runs:compare", params={"runs": ["zorvex", "other"]}).json() == [
        {"setting": "datasets.1.path", "values": {"zorvex": "pictures", "other": "drawings"}}
    ]


def test_a_run_that_goes_on_is_asked_to_stop_wherever_it_was_started(script, run):
    assert script.post("/api/runs/zorvex:stop").status_code == 409, "nobody works on it"
    with run.in_use():
        assert script.post("/api/runs/zorvex:stop").status_code == 202
        assert script.post("/api/runs/zorvex:explode").status_code == 422
    assert (run.commands / "stop").exists()


@pytest.mark.parametrize("id", ["gone", "..", "%2e%2e", "zorvex%00", "mimi~zorvex", "~zorvex"])
def test_a_run_that_is_not_there_is_404(script, run, id):
    for path in ("", "/curve", "/samples", "/log", "/proof"):
        assert script.get(f"/api/runs/{id}{path}").status_code == 404
    assert script.get(f"/files/runs/{id}/samples/a%20b.png").status_code == 404
    assert script.post(f"/api/runs/{id}:stop").status_code == 404


def test_a_run_that_ended_says_by_which_code(script, run):
    assert script.get("/api/runs/zorvex").json()["code"] == ""
    with run.events.open("a", encoding="utf-8") as events:
        events.write('{"event": "Stopped", "time": 9.0, "step": 3, "reason": "The GPU ran out of memory.", "code": "run.out_of_memory"}\n')
    assert script.get("/api/runs/zorvex").json()["code"] == "run.out_of_memory"
