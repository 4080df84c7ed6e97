"""A run that continues with other settings: what may change begins a new stretch, what may not is refused by name."""

import json
import shutil

import pytest
import torch
from PIL import Image
from safetensors import safe_open

from lorasmith.adapters.files.lora_file import load_tensors
from lorasmith.errors import SettingsError
from lorasmith.training import events
from lorasmith.training.commands import Commands
from lorasmith.training.learner.continuation import KEPT_AS, forget_parent
from lorasmith.training.learner.saved_states import newest_step
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.run import resume, train
from lorasmith.training.settings.changes import (
    CHANGEABLE,
    CHANGEABLE_SECTIONS,
    changes_between,
    check_changes,
    parse_changes,
    with_changes,
)
from lorasmith.training.settings.tree import Settings, setting_names
from tests.command_line import lorasmith

CONSTANT = {"schedule": {"lr_scheduler": "constant"}}


@pytest.fixture(scope="module")
def stopped_run(settings_with_cache, tmp_path_factory):
    """A run of two epochs of three steps, stopped after the fourth; to be copied, never changed."""
    folder, commands = tmp_path_factory.mktemp("stopped"), Commands()
    settings = settings_with_cache(folder / "cache", **CONSTANT)
    train(settings, folder / "run", [lambda e: commands.stop() if getattr(e, "step", 0) >= 4 else None], commands)
    return folder / "run"


@pytest.fixture
def stopped(stopped_run, tmp_path):
    """The stopped run's folder, the test's own."""
    return RunFolder(shutil.copytree(stopped_run, tmp_path / "run"))


def edit(folder, old, new):
    text = folder.settings.read_text(encoding="utf-8")
    assert old in text
    folder.settings.write_text(text.replace(old, new), encoding="utf-8")


def stretches(folder):
    return json.loads(folder.manifest.read_text(encoding="utf-8"))["stretches"]


def test_more_epochs_and_another_rate_begin_a_new_stretch(stopped):
    seen = []
    result = resume(stopped.root, [seen.append], changes={"training.epochs": 3, "optimizer.learning_rate": 1e-4})
    done = [event for event in seen if isinstance(event, events.StepDone)]
    assert (result.finished, [event.step for event in done]) == (True, [5, 6, 7, 8, 9])
    assert {rate for event in done for rate in event.lr.values()} == {1e-4}
    assert [(stretch["step"], stretch["settings"]["training"]["epochs"]) for stretch in stretches(stopped)] == [(0, 2), (4, 3)]
    assert stopped.read_settings().optimizer.learning_rate == 1e-4
    (warned,) = [
        event for event in seen if isinstance(event, events.Warned) and (event.finding or {}).get("code") == "run.settings_changed"
    ]
    assert warned.message == (
        "The run continues after step 4 with changed settings: training.epochs from 2 to 3; optimizer.learning_rate from 0.001 to 0.0001."
    )


def test_an_edit_of_the_runs_settings_is_noticed_and_recorded_once(stopped):
    edit(stopped, "learning_rate = 0.001", "learning_rate = 0.0001")
    seen = []
    resume(stopped.root, [seen.append])
    assert any("optimizer.learning_rate from 0.001 to 0.0001" in getattr(event, "message", "") for event in seen)
    assert [stretch["step"] for stretch in stretches(stopped)] == [0, 4]
    resume(stopped.root)
    assert [stretch["step"] for stretch in stretches(stopped)] == [0, 4]


@pytest.mark.parametrize(
    ("old", "new", "setting"),
    [
        ("rank = 2\n", "rank = 4\n", "network.rank from 2 to 4"), ('type = "AdamW"', 'type = "Prodigy"', 'optimizer.type from "AdamW"'),
        ("seed = 42", "seed = 43", "training.seed from 42 to 43"), ("batch_size = 2\n", "batch_size = 1\n", "training.batch_size from 2 to 1"),
        ("resolution = 32", "resolution = 40", "buckets.resolution"), ("shuffle_caption = true", "shuffle_caption = false", "captions.shuffle"),
        ("# repeats =", "repeats = 2", "datasets[0].repeats from nothing to 2"), ("learning_rate = 0.001", "learning_rate = 0.001\ntext_encoder_lr = 0.0", "text_encoder"),
    ],
)  # fmt: skip
def test_what_makes_a_run_what_it_is_cannot_change_and_is_named(stopped, old, new, setting):
    edit(stopped, old, new)
    before = stopped.manifest.read_bytes()
    with pytest.raises(SettingsError) as refused:
        resume(stopped.root)
    assert refused.value.code == "run.cannot_change"
    assert setting in str(refused.value)
    assert stopped.manifest.read_bytes() == before


def test_the_batches_of_a_step_can_be_shared_in_another_way_but_not_be_more_or_fewer(stopped):
    with pytest.raises(SettingsError, match=r"training.gradient_accumulation_steps from 1 to 2.*their product, .* stays 1"):
        resume(stopped.root, changes={"training.gradient_accumulation_steps": 2})
    before = with_changes(stopped.read_settings(), {"training.gradient_accumulation_steps": 4})
    for changes in (
        {"training.gradient_accumulation_steps": 2, "training.num_processes": 2},
        {"training.gradient_accumulation_steps": 1, "training.num_processes": 4},
    ):
        after = with_changes(before, changes)
        assert [change.setting for change in check_changes(before, after, "run")] == list(changes)
    with pytest.raises(SettingsError, match=r"training.num_processes from 1 to 2"):
        check_changes(before, with_changes(before, {"training.num_processes": 2}), "run")


def test_a_change_that_is_refused_leaves_the_settings_alone(stopped):
    before = stopped.settings.read_bytes()
    for changes, code in (
        ({"network.rank": 4}, "run.cannot_change"), ({"training.epochs": 1}, "run.cannot_shorten"), ({"training.epochs": 0}, "settings.value"),
        ({"optimizer.learning_rat": 1}, "settings.unknown_key"), ({"optimizer.learning_rate": 0.0}, "settings.value"),
        ({"training.max_train_steps": 9}, "settings.contradiction"),
    ):  # fmt: skip
        with pytest.raises(SettingsError) as refused:
            resume(stopped.root, changes=changes)
        assert refused.value.code == code
        assert stopped.settings.read_bytes() == before


def test_a_finished_run_goes_on_and_its_last_lora_is_kept(settings_for, tmp_path):
    training = {"epochs": 2, "batch_size": 2, "ema_decay": 0.9}
    first = train(settings_for(training=training, **CONSTANT), tmp_path / "run").file
    content = first.read_bytes()
    result = resume(tmp_path / "run", changes={"training.epochs": 3})
    names = sorted(path.name for path in first.parent.iterdir())
    assert names == [
        "toy-000001-ema.safetensors", "toy-000001.safetensors", "toy-000002-ema.safetensors", "toy-000002.safetensors", "toy-ema.safetensors",
        "toy.safetensors",
    ]  # fmt: skip
    assert first.with_name("toy-000002.safetensors").read_bytes() == content != result.file.read_bytes()
    with safe_open(result.file, "pt") as file:
        assert file.metadata()["ss_steps"] == "9"


def test_a_kept_lora_may_take_the_place_of_the_same_one(settings_for, tmp_path):
    """As where a run that ended early, after an epoch whose LoRA was written, goes on: on Windows nothing may be renamed onto it."""
    folder = RunFolder(tmp_path / "run")
    train(settings_for(), folder.root)
    last = (folder.checkpoints / "toy.safetensors").read_bytes()
    (folder.checkpoints / "toy-000002.safetensors").write_bytes(last)
    resume(folder.root, changes={"training.epochs": 3})
    assert (folder.checkpoints / "toy-000002.safetensors").read_bytes() == last


def test_a_longer_run_at_a_constant_rate_is_the_same_as_one_that_was_as_long_from_the_start(settings_for, tmp_path):
    whole = train(settings_for(training={"epochs": 3}, **CONSTANT), tmp_path / "whole").file
    train(settings_for(**CONSTANT), tmp_path / "run")
    longer = resume(tmp_path / "run", changes={"training.epochs": 3}).file
    a, b = load_tensors(longer), load_tensors(whole)
    assert a.tensors.keys() == b.tensors.keys()
    assert all(torch.equal(tensor, b.tensors[key]) for key, tensor in a.tensors.items())
    said = ({key: text for key, text in file.metadata.items() if key not in ("lorasmith_inputs", "sshs_legacy_hash")} for file in (a, b))
    assert next(said) == next(said), "what is recorded of the inputs says that its settings were changed"


@pytest.fixture(scope="module")
def before_a_step(settings_with_cache, creatures, tmp_path_factory):
    """The LoRAs `a` and `b`, a folder of a held-out picture, and a run from `a`, stopped while its base was validated; never changed."""
    folder, commands = tmp_path_factory.mktemp("before-a-step"), Commands()
    once = {"epochs": None, "max_train_steps": 1, "batch_size": 2}
    for name in ("a", "b"):
        train(settings_with_cache(folder / "cache", name=name, training={**once, "seed": ord(name)}), folder / name)
    (folder / "unseen").mkdir()
    Image.open(creatures / "0.png").transpose(Image.Transpose.ROTATE_180).save(folder / "unseen" / "0.png")
    settings = settings_with_cache(
        folder / "cache", training=once, network={"rank": 2, "weights": lora_of(folder, "a")}, checkpoints={"save_every_n_epochs": 0},
        validation={"path": str(folder / "unseen"), "timesteps": [100]},
    )  # fmt: skip
    result = train(settings, folder / "run", [lambda e: commands.stop() if isinstance(e, events.ValidationDone) else None], commands)
    assert (result.finished, result.step, result.file) == (False, 0, None)
    return folder


@pytest.fixture
def before_its_first_step(before_a_step, tmp_path):
    """The run that was stopped before its first step, the test's own."""
    return RunFolder(shutil.copytree(before_a_step / "run", tmp_path / "run"))


def lora_of(folder, name):
    return str(folder / name / "checkpoints" / f"{name}.safetensors")


def test_a_run_that_was_stopped_before_its_first_step_starts_again_with_any_settings(before_its_first_step, before_a_step, tmp_path):
    changes = {
        "training.seed": 3,
        "network.weights": lora_of(before_a_step, "b"),
        "captions.trigger": "quon",
        "validation.timesteps": [900],
    }
    assert newest_step(before_its_first_step.state) == 0
    settings, again, whole = with_changes(before_its_first_step.read_settings(), changes), [], []
    resume(before_its_first_step.root, [again.append], changes=changes)
    train(settings, tmp_path / "whole", [whole.append])
    assert last_lora(before_its_first_step).read_bytes() == last_lora(RunFolder(tmp_path / "whole")).read_bytes()
    validated = [[event for event in seen if isinstance(event, events.ValidationDone)] for seen in (again, whole)]
    assert validated[0] == validated[1]
    assert [stretch["settings"]["training"]["seed"] for stretch in stretches(before_its_first_step)] == [3]


def test_it_starts_again_with_another_network(before_its_first_step):
    assert resume(before_its_first_step.root, changes={"network.rank": 3, "network.weights": None}).finished
    assert load_tensors(last_lora(before_its_first_step)).metadata["ss_network_dim"] == "3"


def test_a_run_that_starts_again_keeps_the_copy_of_its_parent_only_where_that_is_gone(settings_for, tmp_path):
    gone, there, kept = str(tmp_path / "gone"), tmp_path / "there", tmp_path / KEPT_AS
    there.touch()
    of = {path: settings_for(network={"rank": 2, "weights": path}) for path in (gone, str(there), None)}
    for before, now, stays in ((gone, gone, True), (str(there), str(there), False), (str(there), gone, False), (gone, None, False)):
        kept.touch()
        forget_parent(tmp_path, of[before], of[now])
        assert kept.exists() == stays


def last_lora(folder):
    return folder.checkpoints / "toy.safetensors"


def test_a_run_without_recorded_settings_continues_and_records_them(stopped):
    manifest = json.loads(stopped.manifest.read_text(encoding="utf-8"))
    del manifest["stretches"]
    stopped.manifest.write_text(json.dumps(manifest), encoding="utf-8")
    assert resume(stopped.root).finished
    assert [stretch["step"] for stretch in stretches(stopped)] == [4]


def test_settings_are_set_by_name_from_the_command_line(stopped):
    done = lorasmith("resume", stopped.root, "--set", "training.epochs=3", "--set", "optimizer.learning_rate = 1e-5")
    assert done.returncode == 0, done.stderr
    settings = stopped.read_settings()
    assert (settings.training.epochs, settings.optimizer.learning_rate) == (3, 1e-5)


def test_values_are_as_in_toml_text_needs_no_quotes_and_nothing_takes_a_setting_out(settings_for):
    texts = ["training.epochs=", "training.max_train_steps=9", "schedule.lr_scheduler=constant", 'samples.prompts=["a = b"]']
    changes = parse_changes(texts)
    assert changes == {
        "training.epochs": None, "training.max_train_steps": 9, "schedule.lr_scheduler": "constant", "samples.prompts": ["a = b"],
    }  # fmt: skip
    before = settings_for()
    after = with_changes(before, changes)
    assert (after.training.epochs, after.training.max_train_steps, after.samples.prompts) == (None, 9, ["a = b"])
    assert {change.setting for change in changes_between(before, after)} == changes.keys() - (
        {"schedule.lr_scheduler"} if before.schedule.lr_scheduler == "constant" else set()
    )
    with pytest.raises(SettingsError, match="NAME=VALUE"):
        parse_changes(["training.epochs"])


def test_the_names_of_what_may_change_exist():
    assert set(setting_names()) >= CHANGEABLE
    assert Settings.model_fields.keys() >= CHANGEABLE_SECTIONS
