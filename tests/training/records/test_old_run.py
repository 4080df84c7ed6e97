"""The folder of a run that was made before the field's words came in: read, or refused with what to do.

`old_run/` has the settings, the events and the manifest of a run of six steps that was stopped after four.
"""

import hashlib
import io
import json
import shutil
from pathlib import Path

import pytest
import torch

from lorasmith.errors import RunError
from lorasmith.evaluation.report import write_report
from lorasmith.training.records.manifest import check_inputs_unchanged
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.run import resume
from lorasmith.training.settings.toml import settings_toml

OLD_RUN = Path(__file__).parent / "old_run"


@pytest.fixture
def old_run(tmp_path):
    shutil.copytree(OLD_RUN, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def test_its_settings_migrate(old_run):
    settings = old_run.read_settings()
    assert settings.version == 2
    assert (settings.training.max_non_finite_steps, settings.validation.max_images) == (5, 16)


def test_its_report_can_be_written(old_run):
    page = write_report(old_run.root).read_text(encoding="utf-8")
    assert "Stopped after" in page
    assert "lorasmith resume" in page


def test_its_inputs_are_compared_also_where_a_key_was_renamed(old_run):
    manifest = json.loads(old_run.manifest.read_text(encoding="utf-8"))
    inputs = {**manifest["inputs"], "parent": "abc"}
    manifest["inputs"]["ancestor"] = "abc"
    old_run.manifest.write_text(json.dumps(manifest), encoding="utf-8")
    check_inputs_unchanged(old_run.manifest, inputs)
    with pytest.raises(RunError, match="because the LoRA that it started from has changed"):
        check_inputs_unchanged(old_run.manifest, {**inputs, "parent": "def"})


def test_it_is_not_continued_from_a_state_of_the_old_layout(old_run, settings_for):
    content = io.BytesIO()
    torch.save({"step": 4, "adapter": {"unet.w": torch.ones(1)}, "average": {}, "spoilt_in_a_row": 0}, content)
    old_run.state.mkdir()
    digest = hashlib.sha256(content.getbuffer()).hexdigest().encode()
    (old_run.state / "step-00000004.pt").write_bytes(digest + b"\n" + content.getbuffer())
    old_run.settings.write_text(settings_toml(settings_for()), encoding="utf-8")  # of pictures and a base that are here
    with pytest.raises(RunError, match=r"saved by an older Lorasmith .*start a new run from its newest LoRA in .*checkpoints"):
        resume(old_run.root)
