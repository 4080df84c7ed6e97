"""What `lorasmith demo run` does to a folder that an earlier demo used. Training and measuring are stood in for: they take minutes."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from lorasmith.demo import tour as demo
from lorasmith.demo.proof import Proof
from lorasmith.demo.recipes import recipe
from lorasmith.errors import SettingsError
from lorasmith.evaluation.prove import Proven
from lorasmith.evaluation.verdict.verdict import verdict_on
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.run import RunResult

PROOF = Proof("character", "zorvex", 3, 0.0, 1.0, 0.9, 0.9)


@pytest.fixture
def done(monkeypatch, tmp_path: Path) -> list[str]:
    """What the demo did, in order."""
    did: list[str] = []

    def train(settings, folder, listeners, commands):
        did.append("train")
        RunFolder(folder).create(settings)
        (folder / "checkpoints" / "zorvex.safetensors").write_bytes(b"a LoRA")
        return RunResult(folder, True, 8, folder / "checkpoints" / "zorvex.safetensors")

    def resume(folder, listeners, commands):
        did.append("resume")
        return RunResult(folder, True, 8, folder / "checkpoints" / "zorvex.safetensors")

    monkeypatch.setattr(demo, "train", train)
    monkeypatch.setattr(demo, "resume", resume)
    monkeypatch.setattr(demo, "write_dataset", lambda out, name: out / name)
    monkeypatch.setattr(demo, "write_held_out", lambda *_: None)
    monkeypatch.setattr(demo, "open_base", lambda *_: None)
    monkeypatch.setattr(demo, "judge", lambda *_, **__: did.append("judge") or Proven(verdict_on([]), (), tmp_path, True))
    monkeypatch.setattr(demo, "prove", lambda *_: did.append("measure") or PROOF)
    monkeypatch.setattr(demo, "before_after", lambda _: Image.new("RGB", (8, 8)))
    monkeypatch.setattr(demo, "write_report", lambda folder: folder / "report.html")
    return did


def test_a_finished_run_is_measured_again_and_not_trained_again(tmp_path: Path, done):
    demo.tour(tmp_path, 3)
    file = demo.tour(tmp_path, 3).file
    assert done == ["train", "judge", "measure", "resume", "judge", "measure"]  # to resume a finished run leaves it as it is
    assert file.read_bytes() == b"a LoRA"


def test_the_command_in_the_report_names_no_folder_of_the_machine(tmp_path: Path, done):
    demo.tour(tmp_path / "my demo", 3)
    assert "lorasmith demo run --out 'my demo' --samples 3" in (tmp_path / "my demo" / "run-zorvex" / "proof.json").read_text()


def test_only_if_asked_to_an_earlier_run_is_deleted(tmp_path: Path, done):
    demo.tour(tmp_path, 3)
    demo.tour(tmp_path, 3, force=True)
    assert done == ["train", "judge", "measure", "train", "judge", "measure"]


@pytest.mark.parametrize("force", [False, True])
def test_the_run_of_somebody_elses_base_is_refused(tmp_path: Path, done, force):
    settings = recipe("character", "zorvex", tmp_path, tmp_path, tmp_path, 1)
    own = settings.model_copy(update={"base": settings.base.model_copy(update={"path": str(tmp_path / "base")})})
    RunFolder(tmp_path / "run-zorvex").create(own)
    with pytest.raises(SettingsError, match="not a demo run"):
        demo.tour(tmp_path, 3, force=force)
    assert (tmp_path / "run-zorvex" / "settings.toml").is_file()
    assert done == []
