"""Settings of other trainers and of LoRA files, over the API: good, bad input, not there."""

import json

import pytest

from lorasmith.demo.weights import BASE


@pytest.fixture
def theirs():
    return {"network_dim": 24, "network_alpha": 12, "unet_lr": 2e-4, "max_train_epochs": 6, "sdpa": True, "no_such_option": 3}


def sent(theirs, **more):
    return {"file": "config.toml", "text": "\n".join(f"{name} = {json.dumps(value)}" for name, value in theirs.items()), **more}


def test_settings_that_are_sent_say_what_was_taken_and_what_was_left_out(script, workspace, theirs):
    imported = script.post("/api/settings:import", json=sent(theirs, base=str(BASE), datasets=[str(workspace)])).json()
    assert imported["settings"]["network"]["rank"] == 24
    assert imported["settings"]["base"]["path"] == str(BASE)
    assert imported["settings"]["datasets"][0]["path"] == str(workspace)
    assert {"theirs": "network_dim", "ours": "network.rank", "value": 24, "why": ""} in imported["carried"]
    left_out = {finding["subjects"][0]: finding["code"] for finding in imported["findings"] if finding["about"] == "option"}
    assert left_out["no_such_option"] == "import.unknown"
    assert script.post("/api/settings:check", json={"settings": imported["settings"]}).json()["errors"] == []


def test_without_base_and_pictures_there_are_no_settings_and_a_reason(script, theirs):
    imported = script.post("/api/settings:import", json=sent(theirs)).json()
    assert imported["settings"] is None
    assert "base model" in imported["fault"]


def test_a_file_of_the_workspace_is_read_by_its_path(script, workspace, theirs):
    (workspace / "theirs.toml").write_text(sent(theirs)["text"], encoding="utf-8")
    imported = script.post("/api/settings:import", json={"file": "theirs.toml", "base": str(BASE), "datasets": ["set"]}).json()
    assert imported["settings"]["training"]["epochs"] == 6


@pytest.mark.parametrize("text", ["{", "hello", ""])
def test_text_that_is_no_settings_is_refused_by_the_name_that_the_user_knows(script, text):
    answer = script.post("/api/settings:import", json={"file": "mine.json", "text": text})
    assert answer.status_code == 422
    assert "mine.json" in answer.json()["detail"]
    assert "/settings.json" not in answer.json()["detail"]


def test_a_file_that_is_not_there_is_refused(script):
    answer = script.post("/api/settings:import", json={"file": "gone.toml"})
    assert answer.status_code == 422
    assert "gone.toml" in answer.json()["detail"]


def test_a_safetensors_file_that_is_text_is_refused(script):
    answer = script.post("/api/settings:import", json={"file": "lora.safetensors", "text": "x"})
    assert answer.status_code in (400, 422)
    assert "lora.safetensors" in answer.json()["detail"]
