"""A LoRA is trained again from its file: the same tensors where its inputs are found, and what differs where they are not."""

import json
import shutil

import pytest
from PIL import Image
from typer.testing import CliRunner

from lorasmith.adapters.files.header import read_lora_header
from lorasmith.adapters.files.lora_file import load_tensors
from lorasmith.adapters.tools.resize import resize_file
from lorasmith.cli.main import app
from lorasmith.errors import InputError
from lorasmith.library.edit import edit_lora
from lorasmith.library.retrain import plan_retraining
from lorasmith.models.files.hashes import auto_v1, sha256
from lorasmith.training.run import resume, train
from tests.library.lora_files import write_lora
from tests.models.single_files import write_single_file
from tests.training.importers.test_lora_file import KOHYA, UNET, lora


@pytest.fixture(scope="module")
def workshop(settings_with_cache, toy_base, creatures, tmp_path_factory):
    """A finished run, with its base and its pictures; to be copied, never changed."""
    folder = tmp_path_factory.mktemp("workshop")
    shutil.copytree(toy_base, folder / "models" / toy_base.name)
    shutil.copytree(creatures, folder / "pictures" / creatures.name)
    (folder / "held").mkdir()
    for number in range(2):
        Image.new("RGB", (64, 64), (90 * number, 20, 200)).save(folder / "held" / f"{number}.png")
        (folder / "held" / f"{number}.txt").write_text("zorvex")
    settings = settings_with_cache(
        folder / "cache", base={"path": str(folder / "models" / toy_base.name)},
        datasets=[{"path": str(folder / "pictures" / creatures.name), "repeats": 2}], validation={"path": str(folder / "held")},
    )  # fmt: skip
    train(settings, folder / "run")
    return folder


@pytest.fixture
def trained(workshop, tmp_path, monkeypatch):
    """A file far from its run, with base and pictures under other roofs; the current folder is an empty one."""
    shutil.copytree(workshop, tmp_path, dirs_exist_ok=True)
    original = tmp_path / "run" / "checkpoints" / "toy.safetensors"
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path / "away")
    return shutil.copy(original, tmp_path / "away" / "mimi.safetensors"), original


def states(plan):
    return {each.setting: each.state for each in plan.inputs}


def differences(plan):
    return [difference for each in plan.inputs for difference in each.differs]


def retrain(*arguments):
    result = CliRunner().invoke(app, ["retrain", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_file_alone_gives_the_same_tensors_bit_for_bit(trained, tmp_path):
    """Base and pictures have other names and places, and are found by what is in them."""
    file, _ = trained
    (tmp_path / "models").rename(tmp_path / "moved")
    (base,) = (tmp_path / "moved").iterdir()
    (pictures,) = (tmp_path / "pictures").iterdir()
    pictures.rename(tmp_path / "pictures" / "renamed")
    shutil.rmtree(tmp_path / "run")
    said = retrain(file, "--data", tmp_path / "pictures", "--base", base, "--out", tmp_path / "again").stdout
    assert "the same tensors will come out" in said
    (new,) = (tmp_path / "again" / "checkpoints").glob("toy.safetensors")
    a, b = load_tensors(file).tensors, load_tensors(new).tensors
    assert a.keys() == b.keys()
    assert all(a[key].numpy().tobytes() == b[key].numpy().tobytes() for key in a)
    assert read_lora_header(new).metadata["sshs_model_hash"] == read_lora_header(file).metadata["sshs_model_hash"]


def test_in_its_runs_folder_a_file_needs_no_help(trained):
    _, original = trained
    plan = plan_retraining(original)
    assert plan.exact
    assert states(plan) == {"base.path": "same", "datasets.0.path": "same"}


def test_names_below_the_current_folder_are_found(trained, tmp_path, monkeypatch):
    file, _ = trained
    monkeypatch.chdir(tmp_path)
    shutil.rmtree(tmp_path / "run")
    assert plan_retraining(file).exact


def test_what_is_missing_is_named_and_nothing_is_written(trained, tmp_path):
    file, _ = trained
    plan = plan_retraining(file)
    assert states(plan) == {"base.path": "missing", "datasets.0.path": "missing"}
    with pytest.raises(InputError, match="--base"):
        retrain(file, "--out", tmp_path / "again")
    assert not (tmp_path / "again").exists()
    with pytest.raises(InputError, match="no folder"):
        plan_retraining(file, [tmp_path / "nowhere"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "0.txt").write_text("zorvex, another"), "the caption (or mask) of 1 picture is another (0.png)"),
        (lambda folder: (folder / "0.txt").unlink(), "the caption (or mask) of 1 picture is another (0.png)"),
        (lambda folder: (folder / "0.png").unlink(), "1 of 5 pictures is not there, or changed"),
        (lambda folder: (folder / "0.png").write_bytes((folder / "0.png").read_bytes() + b"x"), "1 picture was not in the training (0.png)"),
        (lambda folder: [(folder / f"0{suffix}").rename(folder / f"9{suffix}") for suffix in (".png", ".txt")], "the pictures are in another order, as their names are others: every draw depends on it"),
    ],
)  # fmt: skip
def test_what_differs_is_said(trained, tmp_path, change, words):
    file, _ = trained
    (folder,) = (tmp_path / "pictures").iterdir()
    change(folder)
    (base,) = (tmp_path / "models").iterdir()
    plan = plan_retraining(file, [tmp_path / "pictures"], base)
    assert words in differences(plan)
    assert not plan.exact
    with pytest.raises(InputError, match="--anyway"):
        plan.ready()
    assert plan.ready(anyway=True).datasets[0].path == folder


def test_another_base_of_the_same_name_is_said(trained, tmp_path):
    file, _ = trained
    (base,) = (tmp_path / "models").iterdir()
    config = json.loads((base / "scheduler" / "scheduler_config.json").read_text())
    weights = next((base / "vae").glob("*.safetensors"))
    edit_lora(weights, {"title": "another file with the same numbers"}, in_place=True)
    assert config
    plan = plan_retraining(file, [tmp_path / "pictures"], base)
    assert states(plan)["base.path"] == "differs"
    assert differences(plan) == ["other weights or settings of its vae"]


def test_a_private_file_is_still_found_by_hash(trained, tmp_path):
    file, _ = trained
    edit_lora(file, private=True, in_place=True)
    (base,) = (tmp_path / "models").iterdir()
    plan = plan_retraining(file, [tmp_path / "pictures"], base)
    assert plan.exact


def test_a_file_that_was_resized_is_said_to_come_out_as_it_was_trained(trained, tmp_path):
    _, original = trained
    resize_file(original, original.with_name("small.safetensors"), rank=1)
    plan = plan_retraining(original.with_name("small.safetensors"))
    assert "its rank is now 1" in " ".join(plan.notes)
    assert not plan.exact


def test_a_run_that_went_on_with_other_settings_says_so(settings_for, tmp_path):
    train(settings_for(), tmp_path / "run")
    file = resume(tmp_path / "run", changes={"training.epochs": 3}).file
    plan = plan_retraining(file)
    assert not plan.exact
    assert plan.notes == (
        "The run went on after step 6 with other settings (training.epochs from 2 to 3), and begins with the last of them now.",
    )


def test_a_file_that_was_trained_in_another_order_says_so(trained, tmp_path):
    file, _ = trained
    content = file.read_bytes()
    assert b'order\\":2' in content
    file.write_bytes(content.replace(b'order\\":2', b'order\\":1'))
    (base,) = (tmp_path / "models").iterdir()
    plan = plan_retraining(file, [tmp_path / "pictures"], base)
    assert not plan.exact
    assert "shows the pictures in another order" in " ".join(plan.notes)


def test_a_file_of_sd_scripts_is_found_by_names_and_counts(tmp_path, monkeypatch, creatures, toy_base):
    folders = {"10_zorvex": {"n_repeats": 10, "img_count": 5}}
    metadata = {**KOHYA, "ss_sd_model_name": toy_base.name, "ss_dataset_dirs": json.dumps(folders)}
    metadata.pop("ss_reg_dataset_dirs")
    file = lora(tmp_path, metadata, tensors=(UNET,))
    shutil.copytree(creatures, tmp_path / "train" / "10_zorvex")
    monkeypatch.chdir(tmp_path)
    plan = plan_retraining(file, base=toy_base)
    assert states(plan) == {"base.path": "found", "datasets.0.path": "found"}
    assert any("ss_custom_thing" in note for note in plan.notes)
    assert plan.ready().datasets[0].path == tmp_path / "train" / "10_zorvex"
    (tmp_path / "train" / "10_zorvex" / "0.png").unlink()
    assert differences(plan_retraining(file, base=toy_base)) == ["4 pictures, and 5 then"]


def test_the_base_of_another_trainers_file_is_found_by_its_hashes(tmp_path, monkeypatch, creatures, toy_base):
    """It has another name than it had then; a base of the old name is another one."""
    (tmp_path / "models").mkdir()
    base = write_single_file(toy_base, tmp_path / "models" / "renamed.safetensors")
    (tmp_path / "models" / "anime.safetensors").write_bytes(base.read_bytes()[:-1] + b"x")
    shutil.copytree(creatures, tmp_path / "train" / "10_zorvex")
    metadata = {**KOHYA, "ss_sd_model_name": "anime.safetensors", "ss_new_sd_model_hash": sha256(base), "ss_sd_model_hash": auto_v1(base)}
    metadata["ss_dataset_dirs"] = json.dumps({"10_zorvex": {"n_repeats": 10, "img_count": 5}})
    metadata.pop("ss_reg_dataset_dirs")
    monkeypatch.chdir(tmp_path)
    plan = plan_retraining(lora(tmp_path, metadata, tensors=(UNET,)))
    assert states(plan)["base.path"] == "same"
    assert plan.ready().base.path == tmp_path / "models" / "renamed.safetensors"
    base.unlink()
    plan = plan_retraining(lora(tmp_path, metadata, tensors=(UNET,)))
    assert (states(plan)["base.path"], differences(plan)) == ("differs", ["it is another file of that name"])


def test_another_trainers_file_that_was_resized_is_said_to_come_out_as_it_was_trained(tmp_path, monkeypatch, creatures, toy_base):
    """Tools that resize may leave the rank in the metadata as it was."""
    shutil.copytree(creatures, tmp_path / "10_zorvex")
    metadata = {**KOHYA, "ss_network_dim": "16", "ss_dataset_dirs": json.dumps({"10_zorvex": {"n_repeats": 10, "img_count": 5}})}
    metadata.pop("ss_reg_dataset_dirs")
    monkeypatch.chdir(tmp_path)
    notes = plan_retraining(write_lora(tmp_path / "small.safetensors", metadata, rank=4), base=toy_base).notes
    assert any("its rank is now 4" in note and "of rank 16" in note for note in notes)


def test_layers_of_ranks_of_their_own_are_not_taken_for_a_resized_file(settings_for, tmp_path):
    settings = settings_for(network={"layers": [{"pattern": "*attn1*", "rank": 1}]}, training={"epochs": None, "max_train_steps": 1})
    assert not any("rewritten" in note for note in plan_retraining(train(settings, tmp_path / "run").file).notes)


def test_the_plan_as_json_is_one_object(trained, tmp_path):
    file, _ = trained
    (base,) = (tmp_path / "models").iterdir()
    said = json.loads(retrain(file, "--data", tmp_path / "pictures", "--base", base, "--dry-run", "--json").stdout)
    assert (said["exact"], [each["state"] for each in said["inputs"]]) == (True, ["same", "same"])
