"""GET /api/system."""

import subprocess

from lorasmith.studio import machine


def test_the_machine_is_described(script, workspace):
    system = script.get("/api/system").json()
    assert system["processors"] >= 1
    assert 0 < system["memory_free"] <= system["memory"]
    assert 0 < system["disk_free"] <= system["disk"]
    assert system["packages"]["pydantic"]


def test_an_extra_that_is_missing_comes_with_its_command(script, monkeypatch):
    monkeypatch.setattr(machine, "installed", lambda package: None if package == "pillow-heif" else "1.0")
    missing = script.get("/api/system").json()["missing"]
    assert missing == [{"name": "heic", "packages": ["pillow-heif"], "command": 'pip install "lorasmith[heic]"'}]


def test_graphics_cards_are_asked_for_without_torch(script, monkeypatch):
    monkeypatch.setattr(machine.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    listed = subprocess.CompletedProcess([], 0, stdout="0, NVIDIA H100, 81559, 80000\n1, NVIDIA H100, 81559, 1000\n")
    monkeypatch.setattr(machine.subprocess, "run", lambda *_, **__: listed)
    cards = script.get("/api/system").json()["accelerators"]
    assert [card["index"] for card in cards] == [0, 1]
    assert cards[1] == {"index": 1, "name": "NVIDIA H100", "memory": 81559 * 2**20, "memory_free": 1000 * 2**20}


def test_a_driver_that_fails_is_no_card(script, monkeypatch):
    def fails(*_, **__):
        raise subprocess.TimeoutExpired("nvidia-smi", 5)

    monkeypatch.setattr(machine.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(machine.subprocess, "run", fails)
    assert script.get("/api/system").json()["accelerators"] == []
