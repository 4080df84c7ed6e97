"""W&B gets a run's curves where it is installed and asked for; tested offline."""

import importlib.util
import os

import pytest

from lorasmith.errors import SettingsError
from lorasmith.training.events import Finished, Resumed, StepDone, Stopped
from lorasmith.training.listeners.wandb_log import WandbLog


def test_a_project_without_the_package_is_refused_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match="needs the package wandb. Install it with `pip install wandb`"):
        WandbLog(tmp_path, "mine", "toy", {})


@pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="wandb is not installed")
def test_a_run_is_logged_offline_and_keeps_its_identity_over_a_resume(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for reported in (
        [StepDone(1, 1, 0.5, {"unet": 1e-3}, 0.1), Stopped(1, "stopped")],
        [Resumed(1), StepDone(2, 1, 0.25, {"unet": 1e-3}, 0.1), Finished(2, 1.0, "a.safetensors")],
    ):
        listener = WandbLog(tmp_path, "mine", "toy", {"seed": 42})
        for event in reported:
            listener(event)
    identity = (tmp_path / "wandb-id.txt").read_text()
    files = sorted((tmp_path / "wandb").glob(f"offline-run-*-{identity}/run-{identity}.wandb"))
    assert files, os.listdir(tmp_path / "wandb")
    logged = b"".join(file.read_bytes() for file in files)
    assert b"loss/step" in logged
    assert b"0.25" in logged
