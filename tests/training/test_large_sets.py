"""A manifest trains as its folder does: the same tensors, and everything that goes on around a run."""

import json
import shutil

import pytest

from lorasmith.adapters.files.header import read_lora_header
from lorasmith.adapters.files.lora_file import load_tensors
from lorasmith.errors import RunError
from lorasmith.library.retrain import plan_retraining
from lorasmith.training.forecast.report import as_text, make_report
from lorasmith.training.run import resume, train


@pytest.fixture
def manifest(creatures, tmp_path):
    shutil.copytree(creatures, tmp_path / "pictures")
    rows = [{"file_name": f"pictures/{n}.png", "text": (creatures / f"{n}.txt").read_text(encoding="utf-8")} for n in range(5)]
    (tmp_path / "set.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return tmp_path / "set.jsonl"


def test_a_manifest_trains_to_the_same_tensors_as_its_folder(settings_for, manifest, tmp_path):
    length = {"epochs": 1, "batch_size": 2}
    by_folder = train(settings_for(datasets=[{"path": str(tmp_path / "pictures")}], training=length), tmp_path / "one")
    settings = settings_for(datasets=[{"path": str(manifest)}], training=length)
    by_rows = train(settings, tmp_path / "other")
    one, other = load_tensors(by_folder.file).tensors, load_tensors(by_rows.file).tensors
    assert one.keys() == other.keys()
    assert all((one[name] == other[name]).all() for name in one)
    metadata = read_lora_header(by_rows.file).metadata
    assert json.loads(metadata["ss_dataset_dirs"]) == {"set": {"n_repeats": 1, "img_count": 5}}
    assert json.loads(metadata["ss_bucket_info"]) == json.loads(read_lora_header(by_folder.file).metadata["ss_bucket_info"])
    assert plan_retraining(by_rows.file).exact

    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace("zorvex", "zorvax"), encoding="utf-8")
    assert "not there, or changed" in plan_retraining(by_rows.file).inputs[-1].differs[0]
    with pytest.raises(RunError, match=r"set\.jsonl has changed"):
        resume(tmp_path / "other", changes={"training.epochs": 2})


def test_a_plan_reads_a_manifest(settings_for, manifest):
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    rows[0]["held_out"] = True
    manifest.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    report = make_report(settings_for(datasets=[{"path": str(manifest), "repeats": 3}]), estimate=False)
    assert "4 pictures, 12 samples per epoch" in as_text(report)
    assert report.plan.samples_per_epoch == 12


def test_held_out_rows_validate(settings_for, manifest):
    from lorasmith.training.planning.check import check

    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    rows[1]["held_out"] = True
    manifest.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    checked = check(settings_for(datasets=[{"path": str(manifest)}]))
    assert [item.picture.path.name for item in checked.validation_set.held_out] == ["1.png"]
    assert "1.png" not in [item.picture.path.name for item in checked.training_set.pictures]
