"""What a sweep will take, said before anything runs."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from lorasmith.adapters.settings import NetworkSettings
from lorasmith.cli.main import app
from lorasmith.jobs.sweep.forecast import SweepForecast
from lorasmith.training.forecast.report import make_report
from lorasmith.training.settings.toml import load_settings, settings_toml


def test_the_dry_run_counts_trials_time_memory_and_disk_and_trains_nothing(settings_for, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy.toml").write_text(settings_toml(settings_for(training={"epochs": 1})), encoding="utf-8")
    (tmp_path / "ranks.toml").write_text('settings = "toy.toml"\n[vary]\nnetwork.rank = [1, 4]\n', encoding="utf-8")
    printed = CliRunner().invoke(app, ["sweep", "ranks.toml", "--plan", "--json"])
    found = json.loads(printed.stdout)
    assert (found["trials"], found["estimated"], found["in_full"], found["held_out"]) == (2, 2, False, False)
    assert found["steps"] == 2 * make_report(load_settings("toy.toml"), estimate=False).plan.steps
    assert found["seconds"] > 0
    assert found["memory"] > 0
    settings = load_settings("toy.toml")
    trials = [
        settings.model_copy(update={"name": f"toy-{number}", "network": NetworkSettings(rank=rank)}) for number, rank in ((1, 1), (2, 4))
    ]
    assert found["disk"] == sum(make_report(trial).forecast.files.total for trial in trials)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("known", "lines"),
    [
        (
            {"in_full": True, "devices": 2, "held_out": True},
            ["trials  6 trials, then the winner in full, 2 at once", "time    about 20 min for training and proofs, if none is stopped early (from 4 trials)"],
        ),
        ({"proofs": False}, ["time    about 20 min for training (how long the proofs take is not known), if none is stopped early (from 4 trials)"]),
        ({"seconds": None, "memory": None, "disk": None}, ["trials  6 trials, 1 at once", "steps   1,200 in all"]),
        ({}, ["memory  about 2 GB for the largest", "disk    about 30 MB", "No trial is stopped early: nothing is held out. Set pictures aside with: lorasmith layout DATASET --holdout 0.1"]),
    ],
)  # fmt: skip
def test_it_is_said_in_lines(known, lines):
    usual = {
        "trials": 6, "in_full": False, "steps": 1200, "devices": 1, "held_out": False, "estimated": 4, "seconds": 1200.0, "proofs": True,
        "memory": 2 * 10**9, "disk": 30 * 10**6,
    }  # fmt: skip
    said = str(SweepForecast(**{**usual, **known})).splitlines()
    assert [line for line in lines if line not in said] == []
