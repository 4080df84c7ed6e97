"""Settings of other trainers and of LoRA files, over the API: good, bad input, not there."""

import json

import pytest

from lorasmith.demo.weights import BASE


@pytest.fixture
def theirs():
    return {"network_dim": 24, "network_alpha": 12, "unet_lr": 2e-4, "max_train_epochs": 6, "sdpa": True, "no_such_option": 3}


@pytest.fixture
def demo(script):
    return script.post("/api/projects:demo").json()


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


def test_a_settings_file_of_our_own_comes_back_as_it_went(script, demo):
    settings = script.post("/api/projects/demo/settings").json()["settings"]
    settings["network"]["rank"] = 24
    text = script.post("/api/settings:toml", json={"settings": settings}).text
    imported = script.post("/api/settings:import", json={"file": "mine.toml", "text": text, "base": str(BASE), "datasets": ["set"]}).json()
    assert (imported["form"], imported["fault"]) == ("a settings file of Lorasmith", "")
    assert imported["settings"]["network"]["rank"] == 24
    assert imported["settings"]["samples"]["prompts"] == settings["samples"]["prompts"]


def test_a_recipe_of_ones_own_begins_where_it_says_and_changes_what_it_says(script, demo):
    text = 'begin_with = "character/sd1/standard"\n[settings]\n"network.rank" = 24\n'
    imported = script.post("/api/settings:import", json={"file": "mine.toml", "text": text, "project": "demo"}).json()
    usual = script.post("/api/projects/demo/settings").json()["settings"]
    assert imported["carried"] == [{"theirs": "network.rank", "ours": "network.rank", "value": 24, "why": ""}]
    assert imported["settings"] == usual | {"network": usual["network"] | {"rank": 24}}


def test_what_is_wrong_with_a_recipe_is_said_by_the_name_that_the_user_knows(script, demo):
    text = 'begin_with = "character/sd1/standard"\n[settings]\n"network.rnak" = 24\n'
    answer = script.post("/api/settings:import", json={"file": "mine.toml", "text": text, "project": "demo"})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("The recipe mine.toml sets 'network.rnak'")
