"""`lorasmith plan` as a user meets it."""

import json

from lorasmith.training.settings.toml import settings_toml
from tests.command_line import lorasmith


def test_plan_tells_buckets_files_memory_and_time(settings_for, tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(settings_toml(settings_for(samples={"prompts": ["{trigger}"], "steps": 2})), encoding="utf-8")
    told = lorasmith("plan", path, "--json")
    assert told.returncode == 0, told.stderr
    data = json.loads(told.stdout)
    assert (data["steps"], data["epochs"], data["batches_per_epoch"]) == (6, 2, 3)
    assert sum(row["samples"] for row in data["buckets"]) == data["samples_per_epoch"] == 5
    assert sum(row["batches"] for row in data["buckets"]) == 3
    assert data["files"]["loras"] == 2
    assert data["files"]["lora"] > 2 * data["files"]["parameters"]
    assert data["memory"]["peak"] == sum(data["memory"]["phases"][data["memory"]["peak_phase"]].values())
    assert data["memory"]["phases"].keys() == {"opening", "caching", "training", "sampling"}
    assert data["time"]["total"] >= data["time"]["steps"] > 0
    words = lorasmith("plan", path).stdout
    for line in ("6 steps: 2 epochs of 3", "files   2 LoRAs", "memory  about", "time    about"):
        assert line in words
