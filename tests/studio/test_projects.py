"""Each route of projects: good, bad input, not there, busy, changed meanwhile."""

import tomllib

import pytest

from lorasmith.dataset_folder import locked
from lorasmith.demo.weights import BASE
from lorasmith.images import upscale
from tests.library.lora_files import write_lora


@pytest.fixture
def mimi(script):
    return script.post("/api/projects", json={"name": "Mimi"}).json()


def test_a_project_is_made_listed_and_read(script, workspace):
    made = script.post("/api/projects", json={"name": "Mimi", "kind": "style", "trigger": "mimi"})
    assert made.status_code == 201
    assert (made.json()["id"], made.json()["kind"], made.json()["standing"]["stage"]) == ("mimi", "style", "pictures")
    assert made.json()["folder"] == str(workspace / "projects" / "mimi")
    assert script.get("/api/projects").json() == [made.json()]
    read = script.get("/api/projects/mimi")
    assert read.json() == made.json()
    assert read.headers["etag"] == made.headers["etag"]


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": "  "}, {"name": "a\nb"}, {"name": "x", "kind": "charcter"}, {"name": "x" * 999}, {"name": 3}, []]
)
def test_bad_projects_are_not_made(script, body):
    assert script.post("/api/projects", json=body).status_code == 422
    assert script.get("/api/projects").json() == []


def test_a_project_takes_the_pictures_of_a_folder_that_is_there(script, tmp_path):
    (tmp_path / "pictures").mkdir()
    made = script.post("/api/projects", json={"name": "Mimi", "dataset": str(tmp_path / "pictures")})
    assert made.json()["dataset"] == str(tmp_path / "pictures")
    for wrong in ("../..", "pictures", str(tmp_path / "gone")):
        refused = script.post("/api/projects", json={"name": "Mimi", "dataset": wrong})
        assert (refused.status_code, refused.json()["code"]) == (400, "project.dataset")


@pytest.mark.parametrize("id", ["cat", "..", "%2e%2e", "mimi%00", "..%5c.."])
def test_a_project_that_is_not_there_is_404(script, mimi, id):
    assert script.get(f"/api/projects/{id}").status_code == 404
    assert script.patch(f"/api/projects/{id}", json={}).status_code == 404
    assert script.delete(f"/api/projects/{id}").status_code == 404
    assert script.post(f"/api/projects/{id}:move", json={"to": "dog"}).status_code == 404
    assert script.post(f"/api/projects:archived/{id}:restore").status_code == 404


def test_what_is_sent_is_changed_and_null_removes(script, mimi):
    changed = script.patch("/api/projects/mimi", json={"trigger": "mimi", "name": "Mimi the cat"})
    assert (changed.json()["trigger"], changed.json()["name"], changed.json()["id"]) == ("mimi", "Mimi the cat", "mimi")
    assert script.patch("/api/projects/mimi", json={"trigger": None}).json()["trigger"] is None
    refused = script.patch("/api/projects/mimi", json={"name": None})
    assert (refused.status_code, refused.json()["place"]) == (422, "name")
    assert script.patch("/api/projects/mimi", json={"level": "fast"}).status_code == 422


def test_checks_that_are_off_stay_so_in_the_project_s_file_and_misspelt_ones_are_refused(script, mimi, workspace):
    file = workspace / "projects" / "mimi" / "project.toml"
    assert "audit_without" not in file.read_text("utf-8"), "an older Lorasmith can read it"
    script.patch("/api/projects/mimi", json={"audit_without": ["dark", "greyscale"]})
    assert 'audit_without = ["dark", "greyscale"]' in file.read_text("utf-8")
    assert script.get("/api/projects/mimi").json()["audit_without"] == ["dark", "greyscale"]
    refused = script.patch("/api/projects/mimi", json={"audit_without": ["drak"]})
    assert refused.status_code == 422
    assert "did you mean 'dark'?" in refused.json()["detail"]
    file.write_text(file.read_text("utf-8").replace("greyscale", "grayscale"), "utf-8")
    damaged = script.get("/api/projects/mimi").json()
    assert "'grayscale' is not a check of the audit; did you mean 'greyscale'? Fix that line." in damaged["problem"]


def test_without_spandrel_a_network_is_not_chosen_and_the_command_that_installs_it_is_said(script, mimi, workspace, monkeypatch):
    monkeypatch.setattr(upscale, "can_use_networks", lambda: False)
    write_lora(workspace / "up.safetensors", {})
    said = script.post("/api/models", json={"kind": "upscaler", "source": "up.safetensors"}).json()["model"]["problem"]
    assert "python -m pip install --no-deps spandrel einops" in said
    refused = script.patch("/api/projects/mimi", json={"upscaler": str(workspace / "up.safetensors")}).json()
    assert (refused["code"], refused["detail"]) == ("upscaler.not_installed", said)
    dataset = workspace / "projects" / "mimi" / "dataset"
    dataset.mkdir(exist_ok=True)
    enlarge = {"way": "upscale", "parameters": {"pixels": 512, "network": "up.safetensors"}}
    job = {"kind": "mend", "arguments": {"dataset": "projects/mimi/dataset", "changes": [enlarge]}}
    assert script.post("/api/jobs", json=job).json()["detail"] == said
    assert script.get("/api/jobs").json() == []


def test_a_project_enlarges_by_a_registered_upscaler_and_by_no_other(script, mimi, workspace, monkeypatch):
    monkeypatch.setattr(upscale, "can_use_networks", lambda: True)
    file = workspace / "projects" / "mimi" / "project.toml"
    write_lora(workspace / "up.safetensors", {})
    network = str(workspace / "up.safetensors")
    refused = script.patch("/api/projects/mimi", json={"upscaler": network})
    assert (refused.status_code, refused.json()["code"]) == (400, "project.upscaler")
    assert refused.json()["detail"] == f"{network} is not among the upscalers of the settings. Add it there, or choose Lanczos."
    script.post("/api/models", json={"kind": "upscaler", "source": "up.safetensors"})
    assert script.patch("/api/projects/mimi", json={"upscaler": network}).json()["upscaler"] == network
    assert tomllib.loads(file.read_text("utf-8"))["upscaler"] == network
    assert script.patch("/api/projects/mimi", json={"upscaler": ""}).json()["upscaler"] == ""
    assert "upscaler" not in file.read_text("utf-8"), "an older Lorasmith can read it"


def test_a_project_that_changed_meanwhile_is_412(script, mimi):
    old = script.get("/api/projects/mimi").headers["etag"]
    new = script.patch("/api/projects/mimi", json={"trigger": "mimi"}, headers={"If-Match": old}).headers["etag"]
    refused = script.patch("/api/projects/mimi", json={"trigger": "other"}, headers={"If-Match": old})
    assert (refused.status_code, refused.json()["code"]) == (412, "project.changed")
    assert script.delete("/api/projects/mimi", headers={"If-Match": old}).status_code == 412
    assert script.delete("/api/projects/mimi", headers={"If-Match": new}).status_code == 200


def test_a_project_moves_and_not_onto_another(script, mimi):
    script.post("/api/projects", json={"name": "Cat"})
    assert script.post("/api/projects/mimi:move", json={"to": "cat"}).status_code == 409
    assert script.post("/api/projects/mimi:move", json={"to": "../cat"}).status_code == 400
    assert script.post("/api/projects/mimi:move", json={"to": "dog"}).json()["id"] == "dog"
    assert script.get("/api/projects/mimi").status_code == 404


def test_a_project_in_use_is_423(script, mimi, workspace):
    with locked(workspace / "projects" / "mimi" / "dataset"):
        assert script.delete("/api/projects/mimi").status_code == 423
        assert script.post("/api/projects/mimi:move", json={"to": "dog"}).status_code == 423


def test_a_project_may_be_called_as_what_the_api_has_for_all(script):
    for name in ("Archived", "Demo"):
        id = script.post("/api/projects", json={"name": name}).json()["id"]
        assert script.get(f"/api/projects/{id}").json()["name"] == name


def test_a_project_goes_into_the_bin_and_comes_back(script, mimi):
    name = script.delete("/api/projects/mimi").json()["archived"]
    assert script.get("/api/projects").json() == []
    assert [one["id"] for one in script.get("/api/projects:archived").json()] == [name]
    assert script.post(f"/api/projects:archived/{name}:restore").json()["id"] == "mimi"
    assert script.get("/api/projects/mimi").json()["name"] == "Mimi"


def test_a_damaged_project_is_listed_with_the_reason(script, mimi, workspace):
    (workspace / "projects" / "mimi" / "project.toml").write_text("name = ", encoding="utf-8")
    (listed,) = script.get("/api/projects").json()
    assert listed["standing"] is None
    assert "is not valid TOML" in listed["problem"]


def test_the_demo_is_one_call_and_ready_to_train(script, workspace):
    made = script.post("/api/projects:demo")
    assert made.status_code == 201
    demo = made.json()
    assert demo["standing"]["stage"] == "train"
    assert demo["standing"]["pictures"] == demo["standing"]["captioned"] > 10
    assert (demo["trigger"], demo["base"]) == ("zorvex", str(BASE))
    assert script.post("/api/projects:demo").json()["id"] == "demo_2"
