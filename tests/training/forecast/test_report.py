"""The report of a run that has not started: findings with codes, and no torch where no estimate is asked for."""

import json
import re
import shutil
import subprocess
import sys

import pytest
from PIL import Image

from lorasmith.datasets import order
from lorasmith.errors import SettingsError
from lorasmith.images.read import read_picture
from lorasmith.training.forecast.report import as_text, make_report
from lorasmith.training.settings.toml import settings_toml

PROGRAM = """
import json, sys
from lorasmith.training.forecast.report import as_text, make_report
from lorasmith.training.settings.toml import load_settings
report = make_report(load_settings(sys.argv[1]), estimate=False)
print(json.dumps({"heavy": [name for name in ("torch", "diffusers", "transformers") if name in sys.modules], "text": as_text(report)}))
"""


def test_a_plan_without_the_estimate_imports_no_torch(settings_for, tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text(settings_toml(settings_for()), encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["heavy"] == []
    assert "6 steps: 2 epochs of 3" in told["text"]
    assert "memory" not in told["text"]


def test_findings_come_with_code_reason_fix_and_source_the_worst_first(settings_for):
    report = make_report(settings_for(captions={"shuffle_caption": False}), estimate=False)
    codes = [finding.code for finding in report.findings]
    assert "lint.few_pictures" in codes
    assert "settings.little_effect" in codes  # keep_tokens without shuffle_caption
    data = report.as_data
    assert json.loads(json.dumps(data["findings"])) == [finding.as_data for finding in report.findings]
    assert data["memory"] is None
    text = as_text(report)
    assert "warning: The dataset has 5 pictures" in text or "warning: creatures" in text
    assert "[lint.few_pictures]" in text
    assert "What a few pictures share by chance is learnt with the rest." in text


def test_one_of_a_thing_is_in_the_singular(settings_for, tmp_path, creatures):
    shutil.copy(creatures / "0.png", tmp_path / "0.png")
    shutil.copy(creatures / "0.txt", tmp_path / "0.txt")
    made = settings_for(datasets=[{"path": str(tmp_path), "repeats": 4}], training={"epochs": 1, "batch_size": 4})
    text = as_text(make_report(made, estimate=False))
    assert "1 picture, 4 samples per epoch with their repeats, in 1 batch\n1 step: 1 epoch of 1\n" in text
    assert "has 1 picture, and one subject needs" in text
    assert "With 1 epoch of 4 repeats there is 1 checkpoint to choose from." in text
    assert not re.search(r"\b1 \w+s\b(?! to)", text.partition("bucket  ")[0].replace("1 pass", ""))


def test_a_run_is_described_once(settings_for, monkeypatch):
    from lorasmith.training.planning import check as planning

    described = []
    describe = planning.describe
    monkeypatch.setattr(planning, "describe", lambda *args, **more: described.append(1) or describe(*args, **more))
    make_report(settings_for(), estimate=False)
    assert len(described) == 1


def test_a_plan_draws_no_order_of_samples(settings_for, monkeypatch):
    """Of an epoch it needs the shapes of the batches alone; an order takes a draw for each sample."""
    monkeypatch.setattr(order, "seed_of", lambda *purpose: pytest.fail("a draw"))
    assert make_report(settings_for()).forecast is not None


def test_the_plan_counts_the_pictures_of_which_parts_are_left_out(settings_for, tmp_path, creatures):
    for name in ("0.png", "0.txt", "1.png", "1.txt"):
        shutil.copy(creatures / name, tmp_path / name)
    dataset = {"path": str(tmp_path), "repeats": 4}
    unmasked = make_report(settings_for(datasets=[dataset]), estimate=False)
    assert "leaves out" not in as_text(unmasked)
    with pytest.raises(SettingsError, match="unmasked_weight has no effect without masks"):
        make_report(settings_for(datasets=[dataset], loss={"unmasked_weight": 0.1}), estimate=False)
    size = read_picture(tmp_path / "0.png").size
    mask = Image.new("L", size, 255)
    mask.paste(0, (0, 0, size[0] // 2, size[1] // 2))
    mask.save(tmp_path / "0-masklabel.png")
    report = make_report(settings_for(datasets=[dataset], loss={"unmasked_weight": 0.1}), estimate=False)
    assert "\n1 picture has regions that training leaves out (masks)\n" in as_text(report)
    assert report.as_data["masked_pictures"] == 1
