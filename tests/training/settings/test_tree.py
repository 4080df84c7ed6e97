"""Settings are said once, complete, and never ignored in silence."""

import tomllib
from pathlib import Path

import pytest

from lorasmith.errors import SettingsError
from lorasmith.training.settings.checks import check_fits_base, check_together
from lorasmith.training.settings.toml import load_settings, settings_toml
from lorasmith.training.settings.tree import setting_names, settings_from

LEAST = {"base": {"path": "base"}, "datasets": [{"path": "pictures"}], "training": {"epochs": 3}}


def test_a_cache_in_a_store_has_a_folder_on_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("LORASMITH_CACHE", str(tmp_path))
    settings = settings_from({**LEAST, "cache": "memory://bucket/cache"})
    assert settings.cache_folder.is_relative_to(tmp_path)
    assert settings.cached_at("latents").url == "memory://bucket/cache/latents"
    here = settings_from({**LEAST, "cache": "my-cache"})
    assert (here.cache_folder, here.cached_at("latents")) == (Path("my-cache"), None)


def test_a_settings_file_holds_every_setting_and_reads_back_the_same():
    settings = settings_from({**LEAST, "optimizer": {"args": {"betas": [0.9, 0.99], "weight_decay": 0.1}}, "name": "a näme"})
    text = settings_toml(settings)
    assert settings_from(tomllib.loads(text)) == settings
    for name in setting_names():
        assert name.split(".")[-1] in text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"training": {"epocs": 3}}, "did you mean 'epochs'"),
        ({"min_snr_gamma": 5}, "it belongs at loss.min_snr_gamma"),
        ({"datasets": [{"path": "x", "num_repeats": 3}]}, "did you mean 'repeats'"),
        ({"training": {"epochs": "many"}}, "training.epochs = 'many'"),
        ({"network": {"rank": 0}}, "network.rank = 0"),
        ({"schedule": {"lr_scheduler": "cosin"}}, "did you mean 'cosine'"),
        ({"network": {"kind": "LoCon"}}, "network.kind = 'LoCon' is not a kind of network; it is called 'lora' here."),
        ({"network": {"kind": "oft"}}, "it is called 'diag-oft' here."),
        ({"samples": {"prompts": ["x"], "sampler": "dpmpp2m"}}, "did you mean 'dpmpp_2m'"),
        ({"loss": {"loss_type": "l3"}}, "is not a loss; choose one of l2, l1"),
        ({"optimizer": {"type": "adamw8bits"}}, "did you mean 'AdamW8bit'"),
        ({"training": {"max_spoilt_steps": 3}}, "it is called training.max_non_finite_steps today"),
        ({"name": "a/b"}, "cannot be a file name"),
        ({"captions": {"trigger": "one, two"}}, "one tag"),
        ({"version": 3}, "version 3 is newer"),
    ],
)
def test_a_wrong_setting_is_named_in_one_sentence(change, sentence):
    with pytest.raises(SettingsError, match=r".+") as raised:
        settings_from({**LEAST, **change}, "run.toml")
    assert str(raised.value).startswith("run.toml: ")
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "?." not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"training": {}}, ["training.epochs", "training.max_train_steps"]),
        ({"training": {"epochs": 1, "max_train_steps": 5}}, ["training.epochs", "training.max_train_steps"]),
        ({"network": {"train_unet": False, "train_text_encoder": False}}, ["train_unet", "train_text_encoder"]),
        ({"schedule": {"lr_scheduler": "cosine", "lr_scheduler_num_cycles": 3}}, ["lr_scheduler_num_cycles", "cosine_with_restarts"]),
        ({"schedule": {"lr_scheduler": "constant", "lr_warmup_steps": 10}}, ["lr_warmup_steps", "constant_with_warmup"]),
        ({"network": {"train_text_encoder": False}, "optimizer": {"text_encoder_lr": 1e-5}}, ["text_encoder_lr", "train_text_encoder"]),
        ({"samples": {"steps": 7}}, ["samples.steps", "samples.prompts"]),
        ({"samples": {"prompts": ["{trigger}"]}}, ["captions.trigger"]),
        ({"optimizer": {"type": "Prodigy", "unet_lr": 1.0, "text_encoder_lr": 0.5}}, ["unet_lr", "text_encoder_lr", "Prodigy"]),
        ({"training": {"epochs": 1, "torch_compile": True}, "network": {"rank_dropout": 0.1}}, ["torch_compile", "network.rank_dropout"]),
        ({"training": {"epochs": 1, "torch_compile": True}, "network": {"kind": "dylora"}}, ["torch_compile", "dylora"]),
        ({"training": {"epochs": 1, "torch_compile": True}, "base": {"path": "b", "quantize": "nf4"}}, ["torch_compile", "base.quantize"]),
        ({"training": {"epochs": 1, "torch_compile": True, "blocks_to_swap": 2}}, ["torch_compile", "training.blocks_to_swap"]),
    ],
)
def test_settings_that_contradict_each_other_are_refused_naming_both(change, words):
    with pytest.raises(SettingsError) as raised:
        check_together(settings_from({**LEAST, **change}))
    for word in words:
        assert word in str(raised.value)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"captions": {"keep_tokens": 2}}, "no effect while captions.shuffle_caption is off"),
        ({"captions": {"shuffle_caption": True, "keep_tokens": 2, "keep_tokens_separator": "|||"}}, "the separator decides"),
        (
            {"buckets": {"enable_bucket": False, "bucket_no_upscale": True}},
            "bucket_no_upscale has no effect while buckets.enable_bucket is off",
        ),
        (
            {"buckets": {"enable_bucket": False, "bucket_reso_steps": 32}},
            "bucket_reso_steps has no effect while buckets.enable_bucket is off",
        ),
        ({"buckets": {"bucket_no_upscale": True, "max_bucket_reso": 2048}}, "max_bucket_reso has no effect with buckets.bucket_no_upscale"),
    ],
)
def test_settings_that_do_little_together_are_warned_about(change, word):
    assert any(word in warning.message for warning in check_together(settings_from({**LEAST, **change})))
    assert check_together(settings_from(LEAST)) == []


def test_a_missing_or_broken_file_is_one_sentence(tmp_path):
    with pytest.raises(SettingsError, match="does not exist"):
        load_settings(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("a = [", encoding="utf-8")
    with pytest.raises(SettingsError, match="is not valid TOML"):
        load_settings(tmp_path / "broken.toml")


def test_rules_for_layers_survive_the_file(tmp_path):
    rules = [{"pattern": "IN04", "rank": 4}, {"pattern": "*ff*", "exclude": True}]
    settings = settings_from({"base": {"path": "b"}, "datasets": [{"path": "d"}], "training": {"epochs": 1}, "network": {"layers": rules}})
    file = tmp_path / "settings.toml"
    file.write_text(settings_toml(settings))
    assert load_settings(file) == settings


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"loss": {"huber_c": 0.2}}, "huber_c has no effect with loss_type 'l2'"),
        ({"loss": {"loss_type": "huber", "huber_scale": 2.0}}, "huber_scale has no effect with huber_schedule 'snr'"),
        ({"loss": {"debiased_estimation": True}}, "both weight the timesteps"),
        (
            {"schedule": {"lr_scheduler": "cosine", "lr_scheduler_power": 2.0}},
            "lr_scheduler_power has no effect with lr_scheduler 'cosine'",
        ),
        ({"schedule": {"lr_scheduler": "warmup_stable_decay"}}, "needs schedule.lr_decay_steps"),
        ({"optimizer": {"type": "AdamWScheduleFree"}}, "is harmed by 'cosine_with_restarts'"),
        ({"captions": {"token_warmup_min": 3}}, "no effect without captions.token_warmup_step"),
        ({"network": {"factor": 8}}, "factor"),
    ],
)
def test_what_has_no_effect_is_refused(sections, words):
    settings = settings_from({"base": {"path": "b"}, "datasets": [{"path": "d"}], "training": {"epochs": 1}, **sections})
    with pytest.raises(SettingsError, match=words):
        check_together(settings)


@pytest.mark.parametrize(
    ("prediction_type", "sections", "words"),
    [
        ("flow", {"loss": {"min_snr_gamma": 7.0}}, "no effect on a flow model"),
        ("flow", {"loss": {"loss_type": "huber", "huber_schedule": "snr"}}, "not for flow models"),
        ("flow", {"loss": {"min_snr_gamma": 0, "debiased_estimation": True}}, "debiased_estimation has no effect on a flow model"),
        ("epsilon", {"flow": {"sigmoid_scale": 2.0}}, "flow.sigmoid_scale is for flow models"),
        ("epsilon", {"loss": {"scale_v_pred_loss_like_noise_pred": True}}, "this one predicts noise"),
        ("v_prediction", {"loss": {"v_pred_like_loss": 0.5}}, "this one predicts v"),
    ],
)
def test_what_is_not_for_the_base_is_refused(prediction_type, sections, words):
    settings = settings_from({"base": {"path": "b"}, "datasets": [{"path": "d"}], "training": {"epochs": 1}, **sections})
    check_together(settings)
    with pytest.raises(SettingsError, match=words):
        check_fits_base(settings, prediction_type)


def test_of_several_folders_the_first_alone_is_described_and_all_are_kept(tmp_path):
    folders = [{"path": "a", "repeats": 2}, {"path": "b", "is_reg": True}, {"path": "c"}]
    settings = settings_from({"name": "x", "base": {"path": "base"}, "datasets": folders})
    (tmp_path / "x.toml").write_text(settings_toml(settings), encoding="utf-8")
    assert load_settings(tmp_path / "x.toml") == settings
    of_folders = [[]]
    for line in settings_toml(settings).splitlines():
        if line.startswith("["):
            of_folders.append([line])
        of_folders[-1].append(line)
    described = [any(line.startswith("#") for line in lines) for lines in of_folders if lines[0] == "[[datasets]]"]
    assert described == [True, False, False]
