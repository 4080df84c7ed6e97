"""Each route of settings, plans, recipes and bases: good, bad input, not there."""

import time
import tomllib
from pathlib import Path

import pytest

from lorasmith.demo.weights import BASE
from lorasmith.studio import estimates


@pytest.fixture
def demo(script):
    return script.post("/api/projects:demo").json()


@pytest.fixture
def settings(script, demo):
    return script.post("/api/projects/demo/settings").json()["settings"]


def test_the_schema_describes_every_section(script):
    schema = script.get("/api/settings/schema").json()
    assert {"network", "datasets", "optimizer"} <= schema["properties"].keys()


def test_settings_are_suggested_with_reasons_and_can_be_trained(script, demo):
    suggested = script.post("/api/projects/demo/settings").json()
    assert suggested["settings"]["captions"]["trigger"] == "zorvex"
    assert suggested["settings"]["buckets"]["resolution"] == 64
    assert suggested["notes"]
    assert script.post("/api/settings:check", json={"settings": suggested["settings"]}).json()["errors"] == []


def test_a_check_says_which_settings_would_do_nothing(script, settings):
    checked = script.post("/api/settings:check", json={"settings": settings}).json()
    assert "lokr" in checked["idle"]["network.factor"]
    assert "epsilon" in checked["idle"]["flow.logit_mean"]
    settings["network"]["factor"] = 4
    assert script.post("/api/settings:check", json={"settings": settings}).json()["idle"] == {}  # it is an error by now


def test_no_settings_are_suggested_without_a_base_or_pictures(script):
    script.post("/api/projects", json={"name": "Mimi"})
    assert script.post("/api/projects/mimi/settings").json()["code"] == "project.no_base"
    script.patch("/api/projects/mimi", json={"base": str(BASE)})
    assert script.post("/api/projects/mimi/settings").json()["code"] == "dataset.no_pictures"
    assert script.post("/api/projects/gone/settings").status_code == 404
    assert script.post("/api/projects/mimi/settings", params={"base": "/gone"}).status_code == 400


def test_a_fault_is_named_with_its_place(script, settings):
    for change, place in (
        ({"network": {"rnak": 8}}, "network.rnak"),
        ({"network": {"rank": 0}}, "network.rank"),
        ({"base": {}}, "base.path"),
    ):
        (error,) = script.post("/api/settings:check", json={"settings": settings | change}).json()["errors"]
        assert (error["place"], error["status"]) == (place, 422)
    assert script.post("/api/settings:check", json={"settings": 3}).status_code == 422
    contradiction = settings | {"training": {**settings["training"], "epochs": 2, "max_train_steps": 3}}
    assert script.post("/api/settings:check", json={"settings": contradiction}).json()["errors"][0]["code"] == "settings.contradiction"


def test_settings_become_a_file(script, settings):
    text = script.post("/api/settings:toml", json={"settings": settings}).text
    assert tomllib.loads(text)["captions"]["trigger"] == "zorvex"
    assert script.post("/api/settings:toml", json={"settings": {"x": 1}}).status_code == 422


def test_a_plan_says_the_steps_at_once_and_the_rest_later(script, settings, monkeypatch):
    monkeypatch.setattr(estimates.subprocess, "run", _plans)
    plan = script.post("/api/plans", json={"settings": settings}).json()
    assert plan["steps"] == plan["steps_per_epoch"] * plan["epochs"] > 0
    assert sum(bucket["pictures"] for bucket in plan["buckets"]) == plan["pictures"] > 10
    while (estimate := script.get(f"/api/plans/{plan['id']}/estimate").json())["state"] == "estimating":
        time.sleep(0.05)
    assert (estimate["state"], estimate["time"]) == ("known", {"seconds": 3})
    assert script.post("/api/plans", json={"settings": settings}).json()["estimate"]["state"] == "known", "kept"


def test_many_findings_of_one_kind_are_one_with_all_their_subjects_and_what_mends_them(script, settings, monkeypatch):
    monkeypatch.setattr(estimates.subprocess, "run", _plans)
    dataset = Path(settings["datasets"][0]["path"])
    for number in range(5):
        (dataset / f"tiny {number}.png").write_bytes(b"no picture")
    found = script.post("/api/plans", json={"settings": settings}).json()["findings"]
    (unreadable,) = [finding for finding in found if finding["code"] == "folder.unreadable"]
    assert unreadable["subjects"] == [f"tiny {number}.png" for number in range(5)]
    assert [change["way"] for change in unreadable["fix"]["changes"]] == ["remove"]


def _plans(command, **_):
    import subprocess

    assert command[3:5] == ["lorasmith", "plan"]
    return subprocess.CompletedProcess(command, 0, stdout=b'{"time": {"seconds": 3}, "files": null, "memory": null}', stderr=b"")


def test_what_is_in_a_workspace_is_data_to_an_estimate_whatever_it_is_called(tmp_path):
    for module in ("tomllib", "pydantic", "json"):
        (tmp_path / f"{module}.py").write_text("open('was_run', 'w').close()", encoding="utf-8")
    made = estimates.Estimates(tmp_path)
    made.folder.mkdir(parents=True)
    (made.folder / "x.toml").write_text("this is no TOML", encoding="utf-8")
    made._make("x", "plan")
    assert "x.toml is not valid TOML" in made.look("x").problem
    assert not (tmp_path / "was_run").exists()


def test_an_estimate_that_fails_says_why(script, settings, monkeypatch):
    import subprocess

    failed = subprocess.CompletedProcess([], 2, stdout=b"", stderr=b"error: There is no GPU.\n")
    monkeypatch.setattr(estimates.subprocess, "run", lambda *_, **__: failed)
    id = script.post("/api/plans", json={"settings": settings}).json()["id"]
    while (estimate := script.get(f"/api/plans/{id}/estimate").json())["state"] == "estimating":
        time.sleep(0.05)
    assert (estimate["state"], estimate["problem"]) == ("failed", "There is no GPU.")


def test_what_cannot_be_planned_is_refused(script, settings):
    assert script.post("/api/plans", json={"settings": {}}).status_code == 422
    refused = script.post("/api/plans", json={"settings": settings | {"base": {"path": "/gone"}}})
    assert (refused.status_code, refused.json()["place"]) == (422, "base.path")
    assert script.get(f"/api/plans/{'0' * 24}/estimate").status_code == 404
    assert script.get("/api/plans/..%2fx/estimate").status_code in (404, 422)


def test_recipes_come_with_reasons(script):
    listed = script.get("/api/recipes").json()
    assert "character" in listed["kinds"]
    recipe = script.get("/api/recipes/style/sdxl/standard", params={"images": 80}).json()
    assert all(choice["reason"] and choice["said"]["code"].startswith("recipe.") for choice in recipe)
    assert script.get("/api/recipes/stile/sdxl/standard").status_code == 422
    assert script.get("/api/recipes/style/sdxl/standard", params={"images": 0}).status_code == 422


def test_the_reason_of_a_rate_says_that_the_base_is_narrow(script):
    found = {choice["setting"]: choice for choice in script.get("/api/recipes/character/sd1/standard", params={"base": str(BASE)}).json()}
    assert found["optimizer.unet_lr"]["value"] == 1e-3
    assert "6.7 times narrower than usual" in found["optimizer.unet_lr"]["reason"]
    assert script.get("/api/recipes/character/sd1/standard", params={"base": "gone"}).status_code == 400


def test_bases_are_those_of_the_projects_and_say_what_they_are(script, demo):
    assert script.get("/api/bases").json() == [{"source": str(BASE), "name": "Demo base"}]
    base = script.get("/api/bases:describe", params={"source": str(BASE)}).json()
    assert (base["side"], base["missing"]) == (64, [])
    assert script.get("/api/bases:describe", params={"source": "/gone"}).status_code == 400
    assert script.get("/api/bases:describe").status_code == 422


def test_the_schema_says_what_sd_scripts_calls_a_setting(script):
    parts = script.get("/api/settings/schema").json()["$defs"]
    assert parts["NetworkSettings"]["properties"]["rank"]["sd_scripts"] == ["network_dim"]
    assert parts["DatasetSettings"]["properties"]["repeats"]["sd_scripts"] == ["num_repeats"]
    assert "sd_scripts" not in parts["OptimizerSettings"]["properties"]["unet_lr"]  # the same there
