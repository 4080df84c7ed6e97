"""Manifests and shards train as their folder does: the same tensors, also after a kill, and everything that goes on around a run."""

import json
import random
import shutil
import tarfile

import pytest

from lorasmith.adapters.files.header import read_lora_header
from lorasmith.adapters.files.lora_file import load_tensors
from lorasmith.errors import RunError
from lorasmith.library.retrain import plan_retraining
from lorasmith.training.forecast.report import as_text, make_report
from lorasmith.training.run import resume, train
from lorasmith.training.settings.toml import settings_toml
from tests.training.torture import Forge, kill_and_resume, undisturbed


def json_lines(creatures, folder):
    shutil.copytree(creatures, folder / "pictures")
    rows = [{"file_name": f"pictures/{n}.png", "text": (creatures / f"{n}.txt").read_text(encoding="utf-8")} for n in range(5)]
    (folder / "set.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder / "set.jsonl"


def parquet(creatures, folder):
    pyarrow_parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    lines = json_lines(creatures, folder).read_text(encoding="utf-8").splitlines()
    pyarrow_parquet.write_table(pyarrow.Table.from_pylist([json.loads(line) for line in lines]), folder / "set.parquet")
    return folder / "set.parquet"


def shards(creatures, folder):
    """Two tars, the second of which begins in the middle of the set."""
    (folder / "shards").mkdir()
    for number, names in enumerate(("012", "34")):
        with tarfile.open(folder / "shards" / f"00000{number}.tar", "w") as tar:
            for name in names:
                tar.add(creatures / f"{name}.png", f"{name}.png")
                tar.add(creatures / f"{name}.txt", f"{name}.txt")
    return folder / "shards" / "{000000..000001}.tar"


ARRANGED = [json_lines, parquet, shards]
LENGTH = {"epochs": 1, "batch_size": 2}


@pytest.fixture
def manifest(creatures, tmp_path):
    return json_lines(creatures, tmp_path)


@pytest.fixture(scope="module")
def by_folder(settings_with_cache, tmp_path_factory):
    """The LoRA that the pictures give as a folder."""
    folder = tmp_path_factory.mktemp("by-folder")
    return train(settings_with_cache(folder / "cache", training=LENGTH), folder / "run")


@pytest.mark.parametrize("arranged", ARRANGED)
def test_manifests_and_shards_train_to_the_same_tensors_as_their_folder(arranged, settings_for, creatures, by_folder, tmp_path):
    """The order is that of the pictures in the set, whatever holds them; what names the set in the file's metadata differs."""
    source = arranged(creatures, tmp_path)
    by_rows = train(settings_for(datasets=[{"path": str(source)}], training=LENGTH), tmp_path / "run")
    one, other = load_tensors(by_folder.file).tensors, load_tensors(by_rows.file).tensors
    assert one.keys() == other.keys()
    assert all((one[name] == other[name]).all() for name in one)
    (counted,) = json.loads(read_lora_header(by_rows.file).metadata["ss_dataset_dirs"]).values()
    assert read_lora_header(by_rows.file).metadata["ss_bucket_info"] == read_lora_header(by_folder.file).metadata["ss_bucket_info"]
    assert counted == {"n_repeats": 1, "img_count": 5}
    assert plan_retraining(by_rows.file).exact


@pytest.fixture(scope="module")
def forge():
    started = Forge()
    yield started
    started.close()


@pytest.mark.slow
@pytest.mark.parametrize("arranged", ARRANGED)
def test_a_run_over_rows_that_is_killed_and_resumed_ends_in_the_same_bytes(arranged, forge, settings_for, creatures, tmp_path):
    """Indices and latents are made again by each life, which is killed while it makes them, too."""
    every_step = {"checkpoints": {"save_state_every_seconds": 0.001}}
    settings = tmp_path / "settings.toml"
    settings.write_text(
        settings_toml(settings_for(datasets=[{"path": str(arranged(creatures, tmp_path))}], **every_step)), encoding="utf-8"
    )
    alone = undisturbed(forge, settings, tmp_path / "alone")
    rng = random.Random(arranged.__name__)
    for life in range(3):
        kill_and_resume(forge, settings, tmp_path / f"killed-{life}", alone, rng, kills=2)


def test_a_manifest_that_has_changed_is_neither_resumed_nor_retrained_as_if_it_had_not(settings_for, manifest, tmp_path):
    by_rows = train(settings_for(datasets=[{"path": str(manifest)}], training=LENGTH), tmp_path / "other")
    metadata = read_lora_header(by_rows.file).metadata
    assert json.loads(metadata["ss_dataset_dirs"]) == {"set": {"n_repeats": 1, "img_count": 5}}
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
