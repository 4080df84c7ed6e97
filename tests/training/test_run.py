"""Whole runs of a few steps: files, losses, and that killed runs are resumed exactly."""

import shutil
from dataclasses import replace

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from lorasmith.errors import BaseModelError, RunError, SettingsError
from lorasmith.models.sd1.base import StableDiffusion1
from lorasmith.training import events
from lorasmith.training.commands import Commands
from lorasmith.training.data import TrainingData
from lorasmith.training.records.event_log import read_history
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.run import resume, train
from lorasmith.training.settings.toml import load_settings


def collect():
    seen = []
    return seen, seen.append


@pytest.fixture(scope="module")
def finished(settings_with_cache, tmp_path_factory):
    """The folder of a finished run with the usual settings; to be read or copied, never changed."""
    folder = tmp_path_factory.mktemp("finished")
    train(settings_with_cache(folder / "cache"), folder / "run")
    return RunFolder(folder / "run")


@pytest.fixture(scope="module")
def stopped_after_one(settings_with_cache, tmp_path_factory):
    """The folder of a run that was stopped after its first step; to be copied, never changed."""
    folder, commands = tmp_path_factory.mktemp("stopped"), Commands()
    train(settings_with_cache(folder / "cache"), folder / "run", [_stop_after(1, commands)], commands)
    return RunFolder(folder / "run")


def last_lora(folder):
    return folder.checkpoints / "toy.safetensors"


def test_samples_are_made_by_the_sampler_of_the_settings_which_must_fit_the_base(settings_for, tmp_path):
    samples = {"prompts": ["{trigger}, happy"], "steps": 2}
    once = {"epochs": None, "max_train_steps": 1}
    pictures = {}
    for sampler in (None, "ddim", "euler_a"):
        run = RunFolder(tmp_path / str(sampler))
        train(settings_for(samples={**samples, "sampler": sampler}, training=once), run.root)
        pictures[sampler] = (run.samples / "epoch000000-step00000000-00.png").read_bytes()
    assert pictures[None] == pictures["ddim"] != pictures["euler_a"]
    with pytest.raises(SettingsError, match="The sampler flow Euler does not fit this base"):
        train(settings_for(samples={**samples, "sampler": "flow_euler"}), tmp_path / "refused")


def test_a_run_leaves_a_folder_that_explains_itself(settings_for, tmp_path):
    seen, listener = collect()
    settings = settings_for(samples={"prompts": ["{trigger}, happy"], "steps": 2})
    result = train(settings, tmp_path / "run", [listener])
    assert result.finished
    root = tmp_path / "run"
    names = sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and not {"state", "tensorboard"} & set(p.parts))
    assert names == [
        "checkpoints/toy-000001.safetensors", "checkpoints/toy.safetensors", "events.jsonl", "manifest.json",
        "samples/epoch000000-step00000000-00.png", "samples/epoch000001-step00000003-00.png",
        "samples/epoch000002-step00000006-00.png", "settings.toml",
    ]  # fmt: skip
    assert load_settings(root / "settings.toml") == settings
    steps = [e for e in seen if isinstance(e, events.StepDone)]
    assert [e.step for e in steps] == [1, 2, 3, 4, 5, 6]
    assert [e for _, e in read_history(root / "events.jsonl")] == seen


def test_training_lowers_the_loss_on_its_own_pictures(settings_for, tmp_path):
    seen, listener = collect()
    settings = settings_for(
        training={"epochs": 40, "batch_size": 5}, optimizer={"learning_rate": 2e-2}, checkpoints={"save_every_n_epochs": 40},
        schedule={"lr_scheduler": "constant"}, network={"rank": 8}, loss={"min_snr_gamma": 0},
    )  # fmt: skip
    train(settings, tmp_path / "run", [listener])
    losses = [e.mean_loss for e in seen if isinstance(e, events.EpochDone)]
    assert sum(losses[-10:]) < 0.95 * sum(losses[:10])


def test_the_same_settings_give_the_same_bytes(finished, settings_for, tmp_path):
    again = train(settings_for(), tmp_path / "again").file
    assert again.read_bytes() == last_lora(finished).read_bytes()
    other = train(settings_for(training={"seed": 7, "epochs": 2, "batch_size": 2}), tmp_path / "other").file
    assert other.read_bytes() != again.read_bytes()


def test_the_file_carries_kohyas_keys_and_metadata(finished):
    with safe_open(last_lora(finished), "pt") as opened:
        keys, metadata = list(opened.keys()), opened.metadata()
        assert all(opened.get_tensor(k).shape == () for k in keys if k.endswith(".alpha"))
    assert {k.split("_")[1] for k in keys} == {"unet", "te"}
    assert any(k.startswith("lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down") for k in keys)
    assert metadata["ss_network_dim"] == "2"
    assert metadata["ss_steps"] == "6"
    assert "zorvex" in metadata["ss_tag_frequency"]


@pytest.mark.parametrize(
    "sections",
    [
        {
            "optimizer": {"type": "Prodigy", "learning_rate": 1.0},
            "training": {"epochs": None, "max_train_steps": 5, "batch_size": 2, "gradient_accumulation_steps": 2},
        },
        {
            "optimizer": {"type": "AdamWScheduleFree", "learning_rate": 1e-3},
            "schedule": {"lr_scheduler": "constant"},
            "samples": {"prompts": ["zorvex"], "steps": 2},
        },
        {"training": {"epochs": 2, "batch_size": 2, "mixed_precision": "bf16"}},
        {"training": {"epochs": 2, "batch_size": 2, "mixed_precision": "fp16"}, "network": {"rank": 2, "train_text_encoder": False}},
        {"training": {"epochs": 2, "batch_size": 2, "weight_dtype": "bf16", "ema_decay": 0.9, "gradient_checkpointing": True}},
        {
            "training": {"epochs": 2, "batch_size": 2, "latents_in_memory": False},
            "base": {"quantize": "nf4"},
            "network": {"rank": 2, "train_text_encoder": False},
            "captions": {"cached_variants": 3},
        },
        {"noise": {"noise_offset": 0.1, "multires_noise_iterations": 3, "ip_noise_gamma": 0.1}, "loss": {"prior_preservation": 0.5}},
    ],
    ids=[
        "Prodigy, accumulation",
        "averaged weights, with samples",
        "bf16",
        "fp16",
        "bf16 weights, EMA, checkpointing",
        "quantised base, cached texts",
        "AdamW, noise, prior preservation",
    ],
)
def test_a_run_stopped_within_an_epoch_resumes_to_the_same_bytes(settings_for, tmp_path, sections):
    whole = train(settings_for(**sections), tmp_path / "whole").file
    stop_after = 3 if "max_train_steps" in str(sections) else 4
    commands = Commands()

    def stop(event):
        if isinstance(event, events.StepDone) and event.step == stop_after:
            commands.stop()

    stopped = train(settings_for(**sections), tmp_path / "part", [stop], commands)
    assert not stopped.finished
    assert stopped.step == stop_after
    resumed = resume(tmp_path / "part")
    assert resumed.finished
    assert resumed.file.read_bytes() == whole.read_bytes()


def test_a_run_whose_pictures_changed_is_not_resumed_in_silence(settings_for, tmp_path, creatures):
    mine = tmp_path / "mine"
    shutil.copytree(creatures, mine)
    commands = Commands()
    train(
        settings_for(datasets=[{"path": str(mine)}]),
        tmp_path / "run",
        [lambda e: commands.stop() if isinstance(e, events.StepDone) else None],
        commands,
    )
    (mine / "0.txt").write_text("zorvex, something else", encoding="utf-8")
    with pytest.raises(RunError, match="0.png"):
        resume(tmp_path / "run")


def test_a_run_folder_in_use_is_refused_and_left_alone(finished, settings_for):
    before = sorted((p, p.stat().st_mtime_ns) for p in finished.root.rglob("*"))
    with pytest.raises(SettingsError, match="lorasmith resume"):
        train(settings_for(), finished.root)
    assert sorted((p, p.stat().st_mtime_ns) for p in finished.root.rglob("*")) == before


def test_a_run_that_is_refused_never_takes_the_folder_of_one_that_has_begun(settings_for, tmp_path):
    """As where two of one name begin at the same moment, and the second finds out by the lock."""
    folder = RunFolder(tmp_path / "run")
    folder.create(settings_for())
    with folder.in_use():
        RunFolder(folder.root).remove_unstarted()
        assert folder.settings.is_file()
    folder.remove_unstarted()
    assert not folder.root.exists()


def test_a_failing_listener_does_not_take_the_run_with_it(settings_for, tmp_path, caplog):
    def broken(event):
        raise ValueError("no display")

    assert train(settings_for(training={"epochs": None, "max_train_steps": 1}), tmp_path / "run", [broken]).finished
    assert "gets no more events" in caplog.text


def test_a_damaged_state_is_skipped_for_the_one_before(finished, tmp_path):
    run = shutil.copytree(finished.root, tmp_path / "run")
    newest = sorted((run / "state").glob("*.pt"))[-1]
    newest.write_bytes(newest.read_bytes()[:-100])
    assert resume(run).file.read_bytes() == last_lora(finished).read_bytes()


def test_a_bucket_step_that_the_base_cannot_take_is_refused(settings_for, tmp_path):
    with pytest.raises(SettingsError, match="multiple of 8"):
        train(
            settings_for(buckets={"resolution": 36, "min_bucket_reso": 12, "max_bucket_reso": 60, "bucket_reso_steps": 12}),
            tmp_path / "run",
        )
    assert not (tmp_path / "run").exists()


def test_a_run_that_another_process_works_on_is_left_alone(stopped_after_one, tmp_path):
    folder = RunFolder(shutil.copytree(stopped_after_one.root, tmp_path / "run"))
    with folder.in_use(), pytest.raises(SettingsError, match="Another process"):
        resume(folder.root)
    assert resume(folder.root).finished


def test_a_stop_before_the_first_step_keeps_nothing_but_the_latents(settings_for, tmp_path):
    commands = Commands()
    result = train(settings_for(), tmp_path / "run", [lambda e: commands.stop() if isinstance(e, events.CacheProgress) else None], commands)
    assert not result.finished
    assert result.file is None
    assert list((tmp_path / "run" / "checkpoints").iterdir()) == []
    assert resume(tmp_path / "run").finished


def _make_not_finite(monkeypatch, steps):
    """Give the pictures of these steps latents that are NaN."""
    prepare = TrainingData.prepare

    def non_finite(data, batch, epoch, step, first_sample):
        prepared = prepare(data, batch, epoch, step, first_sample)
        return replace(prepared, latents=prepared.latents * float("nan")) if step in steps else prepared

    monkeypatch.setattr(TrainingData, "prepare", non_finite)


def test_a_loss_that_is_not_finite_never_reaches_the_weights(settings_for, tmp_path, monkeypatch):
    seen, listener = collect()
    _make_not_finite(monkeypatch, {1, 3})
    result = train(settings_for(), tmp_path / "run", [listener])
    assert result.finished
    skipped = [e for e in seen if isinstance(e, events.StepSkipped)]
    assert [(e.step, e.consecutive) for e in skipped] == [(2, 1), (4, 1)]
    assert all(name.endswith(".png") for e in skipped for name in e.images)
    assert all(len(e.timesteps) == len(e.images) for e in skipped)
    assert [e.step for e in seen if isinstance(e, events.StepDone)] == [1, 3, 5, 6]
    assert all(tensor.isfinite().all() for tensor in load_file(result.file).values())


def test_a_run_whose_losses_are_not_finite_ends_with_advice(settings_for, tmp_path, monkeypatch):
    _make_not_finite(monkeypatch, {2, 3, 4})
    with pytest.raises(RunError, match=r"^The last 3 steps, up to step 5, .*\(\d\.png at timestep \d+.*Lower the learning rate"):
        train(settings_for(training={"epochs": 2, "batch_size": 2, "max_non_finite_steps": 3}), tmp_path / "run")


def test_losses_that_are_not_finite_from_the_first_step_on_are_not_blamed_on_the_learning_rate(settings_for, tmp_path, monkeypatch):
    _make_not_finite(monkeypatch, {0, 1, 2})
    with pytest.raises(RunError, match=r"No step has changed a weight yet, .* Leave those pictures out, or use another base\.$"):
        train(settings_for(training={"epochs": 2, "batch_size": 2, "max_non_finite_steps": 3}), tmp_path / "run")


@pytest.mark.parametrize(("part", "tensor"), [("unet", "conv_in.weight"), ("text_encoder", "final_layer_norm.weight")])
def test_a_base_with_nan_in_its_weights_is_named_before_anything_is_cached_or_trained(settings_for, toy_base, tmp_path, part, tensor):
    base = tmp_path / "base"
    shutil.copytree(toy_base, base)
    file = next((base / part).glob("*.safetensors"))
    tensors = load_file(file)
    name = next(name for name in tensors if name.endswith(tensor))
    tensors[name].view(-1)[0] = float("nan")
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(BaseModelError, match=f"its {part} has weights that are NaN or infinite .*{tensor}") as refused:
        train(settings_for(base={"path": str(base)}), tmp_path / "run")
    assert "learning rate" not in str(refused.value)
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "cache" / "latents").exists()


@pytest.mark.parametrize("checkpoints", [{}, {"save_every_n_steps": 1}], ids=["by epochs", "by steps"])
def test_weights_that_the_optimizer_makes_infinite_are_not_saved(settings_for, tmp_path, checkpoints):
    settings = settings_for(
        optimizer={"learning_rate": 10.0, "args": {"eps": 0.0}},
        training={"epochs": 60, "batch_size": 2, "max_grad_norm": 0},
        checkpoints=checkpoints,
    )
    with pytest.raises(RunError, match=r"weights are not finite"):
        train(settings, tmp_path / "run")
    assert not list((tmp_path / "run" / "state").glob("step-*.pt"))
    assert not list((tmp_path / "run" / "checkpoints").iterdir())


def test_pictures_that_are_changed_with_each_showing_resume_to_the_same_bytes(settings_for, creatures, tmp_path):
    datasets = [{"path": str(creatures), "flip_aug": True, "random_crop": True, "color_aug": True, "repeats": 2}]
    whole = train(settings_for(datasets=datasets), tmp_path / "whole").file
    plain = train(settings_for(datasets=[{"path": str(creatures), "repeats": 2}]), tmp_path / "plain").file
    assert whole.read_bytes() != plain.read_bytes()
    commands = Commands()
    train(settings_for(datasets=datasets), tmp_path / "part", [_stop_after(4, commands)], commands)
    assert resume(tmp_path / "part").file.read_bytes() == whole.read_bytes()


def test_an_ema_of_the_weights_is_saved_beside_and_survives_a_stop(finished, settings_for, tmp_path):
    training = {"epochs": 2, "batch_size": 2, "ema_decay": 0.9}
    whole = train(settings_for(training=training), tmp_path / "whole").file
    plain = last_lora(finished)
    ema = whole.with_name("toy-ema.safetensors")
    trained = load_file(whole)
    assert all(trained[key].equal(tensor) for key, tensor in load_file(plain).items())
    assert any(not trained[key].equal(tensor) for key, tensor in load_file(ema).items())
    commands = Commands()
    train(settings_for(training=training), tmp_path / "part", [_stop_after(4, commands)], commands)
    resumed = resume(tmp_path / "part").file
    assert resumed.read_bytes() == whole.read_bytes()
    assert resumed.with_name("toy-ema.safetensors").read_bytes() == ema.read_bytes()


def _stop_after(step, commands):
    return lambda event: commands.stop() if isinstance(event, events.StepDone) and event.step == step else None


def test_a_datasets_own_caption_dropout_counts_for_its_pictures_alone(settings_for, creatures, tmp_path, monkeypatch):
    seen = []
    encode = StableDiffusion1.encode_texts
    monkeypatch.setattr(
        StableDiffusion1, "encode_texts", lambda base, captions, options: seen.extend(captions) or encode(base, captions, options)
    )
    datasets = [{"path": str(creatures)}, {"path": str(creatures), "is_reg": True, "caption_dropout_rate": 1.0}]
    train(settings_for(datasets=datasets, network={"rank": 2}), tmp_path / "run")
    assert seen.count("") == 10  # five regularisation pictures in two epochs
    assert sum(caption.startswith("zorvex") for caption in seen) == 10
