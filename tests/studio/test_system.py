"""GET /api/system."""

import subprocess

import pytest

from lorasmith.jobs.queue import Queue
from lorasmith.studio import machine
from lorasmith.studio.access import Access
from lorasmith.studio.app import make_api, make_app
from lorasmith.studio.studio import Studio


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


def test_a_queue_that_was_set_aside_is_told_of(script, workspace):
    assert script.get("/api/system").json()["notes"] == []
    (workspace / "other" / ".lorasmith").mkdir(parents=True)
    (workspace / "other" / ".lorasmith" / "jobs.db").write_bytes(b"no database" * 1000)
    (note,) = Studio(workspace / "other").notes
    assert "is damaged" in note
    assert "set aside as jobs-aside-" in note


def test_a_queue_that_cannot_be_opened_is_told_of_and_keeps_nothing_else_from_being_shown(workspace):
    (workspace / ".lorasmith").mkdir()
    (workspace / ".lorasmith" / "jobs.db").mkdir()
    studio = make_api(workspace).state.studio
    studio.continue_jobs()
    (note,) = studio.notes
    assert "jobs.db cannot be used" in note


@pytest.mark.parametrize("state", ["queued", "running", "paused", "done"])
def test_jobs_that_wait_or_that_a_reboot_ended_go_on_with_the_studio(workspace, state):
    started = []
    with Queue(workspace) as queue:
        job = queue.add("audit", {"dataset": "pictures"}, "cpu")
        if state in ("running", "done"):
            queue.claim("cpu", "cpu")
        if state == "done":
            queue.end(job.id, "done")
        if state == "paused":
            queue.request(job.id, "pause")
    make_app(workspace, Access(None, 8611), started.append)
    assert started == ([workspace] if state in ("queued", "running") else [])
