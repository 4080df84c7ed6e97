"""Each route of jobs: good, bad input, not there, busy, changed meanwhile. Nobody works through the queue here."""

import os

import pytest

from lorasmith.jobs.journal import Journal, Progressed
from lorasmith.jobs.queue import Queue


@pytest.fixture(autouse=True)
def pictures(workspace):
    """A folder that jobs are given."""
    (workspace / "pictures").mkdir()


@pytest.fixture
def queue(workspace):
    with Queue(workspace) as opened:
        yield opened


def add(script, **more):
    return script.post("/api/jobs", json={"kind": "audit", "arguments": {"dataset": "pictures"}, **more})


def test_a_job_is_added_listed_and_read(script):
    added = add(script)
    assert added.status_code == 201
    job = added.json()
    assert (job["state"], job["kind"], job["words"], job["progress"]) == ("queued", "audit", "Audit a dataset", None)
    assert script.get("/api/jobs").json() == [job]
    assert script.get(f"/api/jobs/{job['id']}").json() == job
    assert script.get("/api/jobs", params={"state": "done"}).json() == []
    assert script.get("/api/jobs", params={"state": ["queued", "done"]}).json() == [job]


def test_the_version_of_what_a_job_reads_changes_with_each_file_of_it(script, workspace):
    base, lora = workspace / "base", workspace / "mimi.safetensors"
    (base / "unet").mkdir(parents=True)
    weights = base / "unet" / "model.safetensors"
    for file in (weights, lora):
        file.write_bytes(b"first")
    asked = {"base": "base", "prompts": ["mimi"], "loras": [{"file": "mimi.safetensors"}], "out": "playground"}

    def version(**more):
        answer = script.post("/api/jobs:reads", json={"kind": "sample", "arguments": asked | more})
        assert answer.status_code == 200
        return answer.json()["version"]

    def replaced(file):
        """By a file of the same name and size that was written at another time."""
        file.unlink()
        file.write_bytes(b"other")
        os.utime(file, (1e9, 1e9))

    first, alone = version(), version(loras=[])
    assert (version(), version(seed=7), version(loras=[])) == (first, first, alone)
    replaced(lora)
    second = version()
    assert (second == first, version(loras=[]) == alone) == (False, True)
    replaced(weights)
    assert version() not in (first, second)
    assert version(loras=[]) != alone
    lora.unlink()
    assert version() != second
    assert script.get("/api/jobs").json() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kind": "audits"}, 422), ({"arguments": {}}, 422), ({"arguments": {"dataset": "x", "resolution": 1}}, 422),
        ({"arguments": {"dataset": "x", "nothing": 1}}, 422), ({"priority": 101}, 422), ({"project": "gone"}, 404),
        ({"arguments": {"dataset": "../outside"}}, 400), ({"arguments": {"dataset": "/etc"}}, 400),
        ({"arguments": {"dataset": "x", "cache": "/tmp/x"}}, 400), ({"arguments": {"dataset": "a\0b"}}, 400),
        ({"arguments": {"dataset": "gone"}}, 422), ({"kind": "train", "arguments": {"settings_file": "gone.toml"}}, 422),
        ({"kind": "import", "arguments": {"sources": ["/anywhere"], "into": "../x"}}, 400),
        ({"kind": "train", "arguments": {"settings": {"cache": "~/x"}}}, 400), ({"arguments": {"dataset": "~/x"}}, 400),
        ({"kind": "train", "arguments": {"run": "runs/x", "changes": {"cache": "/tmp/x"}}}, 400),
        ({"kind": "train", "arguments": {"settings": {"cache": "/tmp/x"}}}, 400), ({"kind": "train", "arguments": {"settings_file": "a.toml", "out": "/x"}}, 400),
    ],
)  # fmt: skip
def test_a_bad_job_is_not_added(script, body, status):
    assert add(script, **body).status_code == status
    assert script.get("/api/jobs").json() == []


def test_a_setting_that_cannot_be_is_named_at_once(script):
    settings = {"base": {"path": "base"}, "datasets": [{"path": "pictures"}], "training": {"epochs": 1}, "network": {"rank": -1}}
    refused = add(script, kind="train", arguments={"settings": settings})
    assert (refused.status_code, refused.json()["place"]) == (422, "network.rank")
    refused = add(script, kind="train", arguments={"settings": settings | {"network": {}}})
    assert (refused.status_code, refused.json()["place"], refused.json()["code"]) == (422, "base.path", "base.missing")


def test_a_job_may_write_to_a_registered_folder(script, tmp_path):
    (tmp_path / "pictures").mkdir()
    script.post("/api/projects", json={"name": "Mimi", "dataset": str(tmp_path / "pictures")})
    assert add(script, arguments={"dataset": str(tmp_path / "pictures")}, project="mimi").status_code == 201
    (tmp_path / "pictures" / "out").symlink_to("/etc")
    assert add(script, arguments={"dataset": str(tmp_path / "pictures" / "out")}).status_code == 400


def test_a_job_may_write_to_a_folder_of_the_library(script, tmp_path, workspace):
    given = {"kind": "resize", "arguments": {"file": "a.safetensors", "rank": 4, "out": str(tmp_path / "loras" / "b.safetensors")}}
    assert add(script, **given).status_code == 400
    (tmp_path / "loras").mkdir()
    (workspace / "a.safetensors").touch()
    script.put("/api/library/folders", json={"folders": [str(tmp_path / "loras")]})
    assert add(script, **given).status_code == 201


def test_a_job_that_is_not_there_is_404(script):
    assert script.get(f"/api/jobs/{10**30}").status_code == 404
    assert script.get("/api/jobs/-1").status_code == 404
    assert script.get("/api/jobs/7").status_code == 404
    assert script.patch("/api/jobs/7", json={"priority": 1}).status_code == 404
    assert script.post("/api/jobs/7:stop").status_code == 404
    assert script.get("/api/jobs/7/log").status_code == 404
    assert script.get("/api/jobs/x").status_code == 422
    assert script.post("/api/jobs/7:explode").status_code == 422


def test_jobs_move_in_the_queue(script):
    ids = [add(script).json()["id"] for _ in range(3)]
    script.patch(f"/api/jobs/{ids[2]}", json={"order": 1})
    assert [job["id"] for job in script.get("/api/jobs").json()] == [ids[2], ids[0], ids[1]]
    script.patch(f"/api/jobs/{ids[1]}", json={"priority": 5})
    assert script.get("/api/jobs").json()[0]["id"] == ids[1]
    assert script.patch(f"/api/jobs/{ids[1]}", json={"order": 0}).status_code == 422


def test_a_job_is_paused_resumed_cancelled_and_retried(script):
    id = add(script).json()["id"]
    for verb, state in (("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled"), ("retry", "queued"), ("stop", "stopped")):
        assert script.post(f"/api/jobs/{id}:{verb}").json()["state"] == state


def test_what_a_job_cannot_do_now_is_409(script, queue):
    id = add(script).json()["id"]
    queue.claim("cpu", "cpu")
    queue.end(id, "done")
    refused = script.post(f"/api/jobs/{id}:pause")
    assert (refused.status_code, refused.json()["code"]) == (409, "jobs.state")
    assert script.patch(f"/api/jobs/{id}", json={"order": 1}).status_code == 409
    assert script.post(f"/api/jobs/{id}:save").json()["code"] == "jobs.takes_no_commands"


def test_a_training_that_runs_is_asked_to_save(script, queue):
    id = queue.add("train", {"settings_file": "a.toml"}, "accelerator").id
    assert script.post(f"/api/jobs/{id}:save").status_code == 409, "it waits"
    queue.claim("accelerator", "machine")
    assert script.post(f"/api/jobs/{id}:save").status_code == 200
    assert queue.commands(id) == ["save"]


def test_progress_and_log_are_shown_without_secrets(script, queue):
    id = add(script).json()["id"]
    folder = queue.workspace.job(id)
    folder.root.mkdir(parents=True)
    assert script.get(f"/api/jobs/{id}/log").json() == {"lines": [], "before": None}
    Journal(folder.events)(Progressed(3, 10, "picture", "looking", 2.0, 3.5))
    folder.log.write_text("".join(f"line {n}\n" for n in range(10)) + "token=hf_abcdefghijklmnopqrstuvwxyz\n<script>\n", encoding="utf-8")
    assert script.get(f"/api/jobs/{id}").json()["progress"] == {
        "done": 3,
        "of": 10,
        "unit": "picture",
        "doing": "looking",
        "rate": 2.0,
        "eta": 3.5,
    }
    last = script.get(f"/api/jobs/{id}/log", params={"count": 3}).json()
    assert last["lines"] == ["line 9", "token=(not shown)", "<script>"]
    rest = script.get(f"/api/jobs/{id}/log", params={"before": last["before"]}).json()
    assert (rest["lines"], rest["before"]) == ([f"line {n}" for n in range(9)], None)


def test_the_kinds_say_what_they_take(script):
    kinds = {kind["name"]: kind for kind in script.get("/api/jobs/kinds").json()}
    assert kinds["train"]["takes_commands"]
    assert "dataset" in kinds["audit"]["arguments"]["properties"]
