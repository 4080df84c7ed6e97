"""Settings of sd-scripts and the kohya_ss GUI come over, and every option is accounted for."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from lorasmith.cli import import_settings as command
from lorasmith.errors import SettingsError
from lorasmith.secrets import HIDDEN
from lorasmith.training.importers.draft import Draft
from lorasmith.training.importers.import_settings import IMPORTERS, import_settings
from lorasmith.training.importers.sd_scripts_network import NETWORK_ARGS, NETWORK_ARGS_LEFT
from lorasmith.training.importers.sd_scripts_options import DEFAULTS, LEFT, OPTIONS
from lorasmith.training.importers.sd_scripts_rows import our_name
from lorasmith.training.settings.checks import check_together
from lorasmith.training.settings.toml import load_settings, settings_toml
from lorasmith.training.settings.tree import setting_names, settings_from

SHELL = r"""#!/bin/bash
export MODEL="/models/anime base.safetensors"   
# accelerate launch train_network.py --network_dim=99
accelerate launch --num_cpu_threads_per_process 8 "./sd-scripts/train_network.py" \
  --pretrained_model_name_or_path="$MODEL" --train_data_dir '/data/my pictures' --reg_data_dir=/data/reg \
  --output_name=zorvex --output_dir out --resolution 512,768 --enable_bucket \
  --network_module=lycoris.kohya --network_dim 16 --network_alpha=8 --network_args "conv_dim=8" algo=lokr factor=8 use_scalar=True \
  --unet_lr 1e-4 --text_encoder_lr 1e-5 --optimizer_type adamw8bit --optimizer_args "weight_decay=0.1" "betas=0.9,0.99" \
  --lr_scheduler cosine_with_restarts --lr_scheduler_args "num_cycles=3" --lr_warmup_steps 5% --max_train_epochs 10 \
  --shuffle_caption --keep_tokens=1 --clip_skip 2 --cache_latents --ip_noise_gamma 0.1 --bogus_option 3 && echo done
"""
WINDOWS = """@echo off
set MODEL=D:\\models\\base.safetensors
accelerate launch sdxl_train_network.py ^
  --pretrained_model_name_or_path "%MODEL%" --train_data_dir "D:\\my pictures\\new" ^
  --network_module networks.lora --network_dim 8 --network_alpha 4 --learning_rate 1e-4 --text_encoder_lr 1e-5 2e-5 ^
  --max_train_steps 1500 --resolution 1024 --enable_bucket --mixed_precision bf16 --lr_scheduler constant
"""
GUI = {
    "LoRA_type": "LyCORIS/LoHa", "LyCORIS_preset": "attn-mlp", "conv_dim": 4, "conv_alpha": 1, "factor": -1, "use_cp": True,
    "pretrained_model_name_or_path": "base.safetensors", "train_data_dir": "img", "reg_data_dir": "", "output_dir": "out",
    "output_name": "zorvex", "sdxl": True, "max_resolution": "1024,1024", "enable_bucket": True, "min_bucket_reso": 256,
    "max_bucket_reso": 2048, "bucket_reso_steps": 64, "learning_rate": 0.0001, "unet_lr": 0.0002, "text_encoder_lr": 0,
    "lr_scheduler": "cosine", "lr_scheduler_num_cycles": "1", "lr_warmup": 10, "train_batch_size": "2", "epoch": "8", "max_train_epochs": "",
    "max_train_steps": "", "network_dim": 16, "network_alpha": "8", "optimizer": "Prodigy", "optimizer_args": "decouple=True betas=0.9,0.99 d_coef=2",
    "min_snr_gamma": 5, "noise_offset_type": "Original", "noise_offset": 0.05, "multires_noise_iterations": 8, "multires_noise_discount": 0.2,
    "keep_tokens": "1", "shuffle_caption": True, "caption_extension": ".txt", "clip_skip": 2, "mixed_precision": "fp16",
    "save_precision": "fp16", "save_every_n_epochs": 2, "seed": "7", "max_token_length": "150", "scale_weight_norms": 0, "xformers": "sdpa",
    "sample_prompts": "zorvex, standing --w 768 --h 1024 --s 20 --l 5 --n blurry", "sample_every_n_epochs": 1, "max_timestep": 1000,
    "loss_type": "l2", "huber_schedule": "snr", "huber_c": 0.1, "additional_parameters": "--caption_dropout_rate 0.05 --alpha_mask",
    "t5xxl_max_token_length": 512, "something_new": 4,
}  # fmt: skip
CONFIG = """
pretrained_model_name_or_path = "base.safetensors"
[network]
network_module = "networks.lora"
network_dim = 32
network_alpha = 0
network_args = ["conv_dim=8", "down_lr_weight=1,0.5,0"]
[training]
max_train_epochs = 5
learning_rate = 1e-4
optimizer_type = "Lion"
lr_scheduler = "polynomial"
lr_scheduler_power = 2
dataset_config = "pictures.toml"
"""
DATASET = """
[general]
shuffle_caption = true
caption_extension = ".caption"
[[datasets]]
resolution = 768
batch_size = 4
enable_bucket = true
  [[datasets.subsets]]
  image_dir = "anna"
  num_repeats = 3
  keep_tokens = 1
  [[datasets.subsets]]
  image_dir = "10_berta"
  class_tokens = "berta"
  keep_tokens = 2
[[datasets]]
resolution = 512
batch_size = 4
enable_bucket = true
  [[datasets.subsets]]
  image_dir = "women"
  is_reg = true
  keep_tokens = 1
"""


def imported(tmp_path, name, text, **more):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return import_settings(tmp_path / name, **more)


def ours(found):
    return {each.ours: each.value for each in found.carried}


def left(found):
    return {each.subjects[0]: each.why for each in found.of("import.not_carried")}


def unknown(found):
    return {each.subjects[0]: each for each in found.of("import.unknown")}


def accounted(found):
    said = [each.theirs for each in found.carried] + [name for each in found.findings if each.about == "option" for name in each.subjects]
    said += found.off
    return {word for text in said for word in re.split(r"[ ():]", text)}


def test_a_command_of_a_shell_script_comes_over_with_its_quotes_lists_flags_and_variables(tmp_path):
    found = imported(tmp_path, "train.sh", SHELL)
    assert found.fault == ""
    s = found.settings
    assert str(s.base.path) == "/models/anime base.safetensors"
    assert [(str(d.path), d.repeats, d.is_reg) for d in s.datasets] == [("/data/my pictures", None, False), ("/data/reg", None, True)]
    assert s.buckets.resolution == (512, 768)
    assert (s.network.kind, s.network.rank, s.network.alpha, s.network.conv_rank, s.network.factor) == ("lokr", 16, 8, 8, 8)
    assert s.network.conv_alpha == 8  # left out, it is the network's alpha in LyCORIS
    assert (s.optimizer.type, s.optimizer.unet_lr, s.optimizer.text_encoder_lr) == ("AdamW8bit", 1e-4, 1e-5)
    assert s.optimizer.args == {"weight_decay": 0.1, "betas": [0.9, 0.99]}
    assert (s.schedule.lr_scheduler_num_cycles, s.schedule.lr_warmup_steps) == (3, 0.05)
    assert (s.captions.shuffle_caption, s.captions.keep_tokens, s.base.clip_skip) == (True, 1, 2)
    assert s.loss.min_snr_gamma == 0  # theirs is off where it is left out, ours is 5
    assert "use_scalar" in " ".join(left(found))
    assert s.noise.ip_noise_gamma == 0.1
    assert [(name, each.details) for name, each in unknown(found).items()] == [("bogus_option", ("3",))]
    assert any("/data/my pictures" in each.message for each in found.of("import.missing_path"))
    options = set(re.findall(r"--(\w+)", SHELL.split("sd-scripts/train_network.py")[1]))
    assert options <= accounted(found)


def test_a_command_of_windows_keeps_its_backslashes(tmp_path):
    found = imported(tmp_path, "train.bat", WINDOWS.replace("\n", "\r\n"))
    s = found.settings
    assert str(s.base.path) == "D:\\models\\base.safetensors"
    assert str(s.datasets[0].path) == "D:\\my pictures\\new"
    assert s.training.max_train_steps == 1500
    assert s.optimizer.text_encoder_lr == 1e-5
    assert s.optimizer.text_encoder_2_lr is None
    assert "reads only the first" in left(found)["text_encoder_lr (second)"]


def test_what_the_gui_saved_comes_over_as_the_gui_would_have_started_it(tmp_path):
    found = imported(tmp_path, "config.json", json.dumps(GUI))
    assert found.fault == ""
    s = found.settings
    assert (s.network.kind, s.network.preset, s.network.rank, s.network.alpha) == ("loha", "default", 16, 8)
    assert not s.network.train_text_encoder  # its learning rate is 0, so the GUI trains the U-Net alone
    assert "unet_lr and text_encoder_lr decide" in left(found)["learning_rate"]
    assert (s.training.epochs, s.training.batch_size, s.training.mixed_precision) == (8, 2, "fp16")
    assert s.schedule.lr_warmup_steps == 0.1  # the GUI counts in percent
    assert s.optimizer.args["d_coef"] == 2
    assert s.optimizer.args["use_bias_correction"] is False  # as prodigyopt has it, not as ours
    assert s.samples.prompts == ["zorvex, standing"]
    assert (s.samples.width, s.samples.height, s.samples.steps, s.samples.cfg_scale, s.samples.negative_prompt) == (
        768,
        1024,
        20,
        5,
        "blurry",
    )
    assert s.captions.caption_dropout_rate == 0.05  # from the additional parameters
    assert s.schedule.lr_scheduler == "cosine"
    assert "noise_offset_type" in left(found)["multires_noise_iterations"]
    assert "no effect" in left(found)["lr_scheduler_num_cycles"]
    assert "other LoRA types" in left(found)["use_cp"]
    assert list(unknown(found)) == ["something_new"]
    assert "scale_weight_norms" in found.off
    parts = {"LyCORIS_preset": "preset", "max_resolution": "max_resolution"}
    missing = {parts.get(name, name) for name in GUI} - accounted(found)
    assert missing - {"noise_offset_type", "additional_parameters"} == set()


def test_each_sample_prompt_keeps_its_own_flags(tmp_path):
    prompts = "zorvex --w 768 --s 20 --n blurry --d 7\n# mine\nzorvex, hat --w 768 --s 30 --n blurry --ss k_euler_a --cn pose.png --zz 3"
    found = imported(tmp_path, "config.json", json.dumps({**GUI, "sample_prompts": prompts}))
    samples = found.settings.samples
    assert samples.prompts == ["zorvex --s 20 --d 7", "zorvex, hat --s 30 --ss euler_a"]
    assert (samples.width, samples.negative_prompt, samples.steps) == (768, "blurry", None)
    assert "without it" in left(found)["sample_prompts --cn"]
    assert "There is no prompt flag --zz" in left(found)["sample_prompts --zz"]


def test_a_file_of_sample_prompts_in_toml_comes_over(tmp_path):
    (tmp_path / "p.toml").write_text('[prompt]\nwidth = 768\n[[prompt.subset]]\nprompt = "zorvex"\n')
    samples = imported(tmp_path, "config.json", json.dumps({**GUI, "sample_prompts": str(tmp_path / "p.toml")})).settings.samples
    assert (samples.prompts, samples.width) == (["zorvex"], 768)


@pytest.mark.parametrize(("theirs", "ours_is"), [("k_euler_a", "euler_a"), ("dpmsolver++", "dpmpp_2m"), ("ddim", "ddim"), ("dpm_2", None)])
def test_the_sampler_comes_over_where_it_is_here(tmp_path, theirs, ours_is):
    found = imported(tmp_path, "config.json", json.dumps({**GUI, "sample_sampler": theirs}))
    assert found.settings.samples.sampler == ours_is
    assert ("no such sampler" in left(found).get("sample_sampler", "")) == (ours_is is None)


def test_a_configuration_and_its_dataset_come_over_together(tmp_path):
    (tmp_path / "pictures.toml").write_text(DATASET, encoding="utf-8")
    found = imported(tmp_path, "config.toml", CONFIG)
    assert found.fault == ""
    s = found.settings
    assert [(str(d.path), d.repeats, d.is_reg) for d in s.datasets] == [("anna", 3, False), ("10_berta", 1, False), ("women", 1, True)]
    assert (s.buckets.resolution, s.training.batch_size, s.captions.shuffle_caption, s.captions.keep_tokens) == (768, 4, True, 1)
    assert (s.network.alpha, s.network.conv_rank, s.network.conv_alpha) == (32, 8, 1)
    assert (s.schedule.lr_scheduler, s.schedule.lr_scheduler_power) == ("polynomial", 2)
    assert s.optimizer.args == {"weight_decay": 0.0}
    assert s.checkpoints.save_precision == "fp32"
    assert [d.resolution for d in s.datasets].count(512) == 1  # the others' is the whole's
    assert "N_name" in left(found)["subset 2 (10_berta): class_tokens"]
    assert [rule.model_dump(exclude_defaults=True) for rule in s.network.layers] == [
        {"pattern": "IN01", "lr": 0.5}, {"pattern": "IN02", "exclude": True}
    ]  # fmt: skip


def test_a_dataset_alone_needs_a_base(tmp_path):
    found = imported(tmp_path, "pictures.toml", DATASET)
    assert found.settings is None
    assert "--base" in found.fault
    with_base = imported(tmp_path, "pictures.toml", DATASET, base=tmp_path)
    assert with_base.fault == ""
    assert with_base.settings.base.path == tmp_path
    assert with_base.settings.network == settings_from({"base": {"path": "x"}, "datasets": [{"path": "y"}]}).network


def test_a_typing_error_is_named_with_what_was_meant(tmp_path):
    found = imported(tmp_path, "train.sh", SHELL.replace("--shuffle_caption ", "--shuffle_captions "))
    assert "shuffle_caption, perhaps" in unknown(found)["shuffle_captions"].why


def test_flux_has_the_defaults_of_its_script(tmp_path):
    text = "accelerate launch flux_train_network.py --pretrained_model_name_or_path flux1-dev.safetensors --clip_l clip_l.safetensors "
    text += "--t5xxl t5.safetensors --ae ae.safetensors --train_data_dir img --network_module networks.lora_flux --network_dim 4 "
    text += "--learning_rate 1e-4 --max_train_epochs 4 --min_snr_gamma 5 --timestep_sampling shift --discrete_flow_shift 3.1582 --resolution 512 "
    text += "--min_timestep 0 --max_timestep 800"
    found = imported(tmp_path, "train.txt", text)
    s = found.settings
    assert found.fault == ""
    assert (s.flow.timestep_sampling, s.flow.discrete_flow_shift) == ("shift", 3.1582)
    assert (s.flow.model_prediction_type, s.flow.guidance_scale) == ("sigma_scaled", 3.5)
    assert (str(s.base.text_encoder), str(s.base.text_encoder_2), str(s.base.vae)) == (
        "clip_l.safetensors",
        "t5.safetensors",
        "ae.safetensors",
    )
    assert s.loss.min_snr_gamma == 0
    assert s.noise.timesteps == (0, 1000)
    assert left(found)["max_timestep"] == "sd-scripts ignores it for this family, and so all timesteps are trained."


@pytest.mark.parametrize(
    ("rates", "second"),
    [
        ("--text_encoder_lr 5e-5", 5e-5),
        ("--text_encoder_lr 5e-5 1e-5", 1e-5),
        ("", 1e-4),
        ("--text_encoder_lr 5e-5 --network_train_unet_only", None),
    ],
)
def test_t5_is_trained_where_flux_is_told_to(tmp_path, rates, second):
    text = "accelerate launch flux_train_network.py --pretrained_model_name_or_path flux1-dev.safetensors --clip_l clip_l.safetensors "
    text += "--t5xxl t5.safetensors --ae ae.safetensors --train_data_dir img --network_module networks.lora_flux --network_dim 4 "
    text += f"--learning_rate 1e-4 --max_train_epochs 4 --resolution 512 --network_args train_t5xxl=True {rates}"
    assert imported(tmp_path, "train.txt", text).settings.optimizer.text_encoder_2_lr == second


def test_the_script_of_flux_trains_chroma_by_its_model_type(tmp_path):
    text = "accelerate launch flux_train_network.py --model_type chroma --pretrained_model_name_or_path chroma.safetensors --t5xxl t5.safetensors "
    text += "--ae ae.safetensors --apply_t5_attn_mask --guidance_scale 0 --timestep_sampling sigmoid --model_prediction_type raw "
    text += "--train_data_dir img --network_module networks.lora_flux --network_dim 4 --learning_rate 1e-4 --max_train_epochs 4 --resolution 512"
    found = imported(tmp_path, "train.txt", text)
    s = found.settings
    assert found.fault == ""
    assert (str(s.base.text_encoder), s.base.text_encoder_2, str(s.base.vae)) == ("t5.safetensors", None, "ae.safetensors")
    assert (s.flow.timestep_sampling, s.base.t5_attention_mask) == ("sigmoid", True)


def test_a_script_of_another_family_has_defaults_of_its_own(tmp_path):
    text = "accelerate launch lumina_train_network.py --pretrained_model_name_or_path lumina_2.safetensors --gemma2 gemma_2_2b.safetensors "
    text += "--ae ae.safetensors --train_data_dir img --network_module networks.lora_lumina --network_dim 8 --learning_rate 1e-4 "
    text += "--max_train_epochs 4 --resolution 1024 --gemma2_max_token_length 128"
    found = imported(tmp_path, "train.txt", text)
    s = found.settings
    assert found.fault == ""
    assert (str(s.base.text_encoder), str(s.base.vae), s.base.max_token_length) == ("gemma_2_2b.safetensors", "ae.safetensors", 128)
    assert (s.flow.timestep_sampling, s.flow.discrete_flow_shift, s.flow.model_prediction_type) == ("shift", 6.0, "raw")
    assert s.flow.guidance_scale == 1.0
    by_size = imported(tmp_path, "train.txt", f"{text} --timestep_sampling nextdit_shift --system_prompt a")
    assert by_size.settings.flow.timestep_sampling == "flux_shift"
    assert ("system_prompt",) in [each.subjects for each in by_size.of("import.not_carried")]


def test_a_value_that_is_refused_here_is_listed_with_the_reason(tmp_path):
    text = (
        "train_network.py --pretrained_model_name_or_path b --train_data_dir i --resolution 512 --max_train_epochs 3 --learning_rate 1e-4"
    )
    text += " --caption_dropout_rate 7 --debiased_estimation_loss --min_snr_gamma 5 --network_train_unet_only --text_encoder_lr 1e-5"
    found = imported(tmp_path, "train.txt", text)
    assert found.fault == ""
    assert "refuses" in left(found)["caption_dropout_rate"]
    assert "no effect" in left(found)["text_encoder_lr"]
    assert found.settings.loss.debiased_estimation != bool(found.settings.loss.min_snr_gamma)


def test_what_spares_memory_and_changes_pictures_comes_over(tmp_path):
    text = (
        "train_network.py --pretrained_model_name_or_path b --train_data_dir i --resolution 512 --max_train_epochs 3 --learning_rate 1e-4"
    )
    text += " --gradient_checkpointing --full_bf16 --fp8_base --num_processes 2 --cache_text_encoder_outputs --network_train_unet_only"
    text += " --flip_aug --random_crop --alpha_mask --masked_loss --log_with wandb --save_every_n_steps 200 --min_timestep 100"
    text += " --multires_noise_iterations 6 --noise_offset 0.05"
    found = imported(tmp_path, "train.txt", text)
    assert found.fault == ""
    s = found.settings
    assert (s.training.gradient_checkpointing, s.training.weight_dtype, s.training.num_processes) == (True, "bf16", 2)
    assert (s.base.quantize, s.captions.cached_variants, s.logging.wandb_project) == ("fp8", 1, "lorasmith")
    assert (s.datasets[0].flip_aug, s.datasets[0].random_crop, s.datasets[0].alpha_mask) == (True, False, True)
    assert (s.checkpoints.save_every_n_steps, s.noise.min_timestep, s.noise.noise_offset, s.noise.multires_noise_iterations) == (
        200,
        100,
        0.05,
        6,
    )
    assert "alpha_mask or datasets.mask_path" in left(found)["masked_loss"]
    assert "may cut away all" in left(found)["random_crop"]


def test_a_value_that_cannot_be_read_is_listed_and_stops_nothing(tmp_path):
    text = (
        "train_network.py --pretrained_model_name_or_path b --train_data_dir i --resolution large --max_train_epochs 3 --learning_rate 1e-4"
    )
    found = imported(tmp_path, "train.txt", text + " --lr_warmup_steps some% --min_snr_gamma much")
    assert found.settings is not None
    assert {"resolution", "lr_warmup_steps", "min_snr_gamma"} <= left(found).keys()


def test_what_comes_out_is_a_settings_file_that_passes(tmp_path):
    (tmp_path / "pictures.toml").write_text(DATASET, encoding="utf-8")
    for name, text in (("a.sh", SHELL), ("b.bat", WINDOWS), ("c.json", json.dumps(GUI)), ("d.toml", CONFIG)):
        settings = imported(tmp_path, name, text).settings
        check_together(settings)
        assert settings_from(tomllib.loads(settings_toml(settings))) == settings


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.sh", "echo hello", "no training of a LoRA"),
        ("a.sh", "accelerate launch sd3_train_network.py --x 1", "runs sd3_train_network.py"),
        ("a.sh", 'train_network.py --output_name "open', "quotes do not close"),
        ("a.json", "[1]", "has no settings in it"),
        ("a.json", "{", "is not valid JSON"),
        ("a.json", '{"a": 1}', "none of the settings of kohya_ss"),
        ("a.json", '{"LoRA_type": "LECO"}', "'LECO'"),
        ("a.toml", "a = [", "is not valid TOML"),
        ("a.toml", "datasets = [1]", "no [[datasets.subsets]]"),
        ("a.toml", 'dataset_config = "gone.toml"', "gone.toml, which is not here"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path, name, text, words):
    with pytest.raises(SettingsError, match=re.escape(words)) as raised:
        imported(tmp_path, name, text)
    assert "\n" not in str(raised.value)
    with pytest.raises(SettingsError, match="cannot be opened"):
        import_settings(tmp_path / "none.json")


def test_the_tables_do_not_contradict_each_other():
    assert not OPTIONS.keys() & LEFT.keys()
    assert not NETWORK_ARGS.keys() & NETWORK_ARGS_LEFT.keys()
    assert all(option in OPTIONS or our_name(option) for option in DEFAULTS)
    assert all(our_name(option) in (None, *setting_names()) for option in LEFT)


def test_the_command_writes_a_file_and_says_what_became_of_everything(tmp_path):
    app = typer.Typer()
    app.command()(command.import_settings)
    (tmp_path / "train.sh").write_text(SHELL, encoding="utf-8")
    out = tmp_path / "my.toml"
    done = CliRunner().invoke(app, [str(tmp_path / "train.sh"), "--out", str(out)])
    assert done.exit_code == 0, done.output
    for words in ("carried over: ", "carried over with a change: ", "not carried over: ", "unknown: 1", "bogus_option 3", "missing: "):
        assert words in done.output
    assert load_settings(out).network.rank == 16
    again = CliRunner().invoke(app, [str(tmp_path / "train.sh"), "--out", str(out)])
    assert isinstance(again.exception, SettingsError)
    told = json.loads(CliRunner().invoke(app, [str(tmp_path / "train.sh"), "--json"]).output)
    assert tomllib.loads(told["settings"])["network"]["kind"] == "lokr"
    assert [each["subjects"] for each in told["findings"] if each["code"] == "import.unknown"] == [["bogus_option"]]


def test_keys_tokens_and_passwords_are_never_shown(tmp_path):
    secret = "sk-0123456789"
    text = SHELL.replace(
        "--bogus_option 3", f"--wandb_api_key {secret} --huggingface_token={secret} --proxy_password {secret} --max_token_length 150"
    )
    found = imported(tmp_path, "train.sh", text)
    assert {finding.details for finding in found.findings if finding.subjects[:1] in [("wandb_api_key",), ("proxy_password",)]} == {
        (HIDDEN,)
    }
    app = typer.Typer()
    app.command()(command.import_settings)
    for more in ([], ["--json"]):
        output = CliRunner().invoke(app, [str(tmp_path / "train.sh"), *more]).output
        assert "wandb_api_key" in output
        assert secret not in output
    assert found.settings.base.max_token_length == 150


def test_every_option_that_is_not_carried_over_is_a_finding_with_its_reason(tmp_path):
    for finding in imported(tmp_path, "train.sh", SHELL).findings:
        assert re.fullmatch(r"import\.[a-z_]+", finding.code)
        assert finding.message.endswith(".")
        assert finding.about != "option" or finding.why.endswith(".")


def test_an_importer_is_a_function_and_a_line(tmp_path, monkeypatch):
    def read_ini(file):
        if file.suffix != ".ini":
            return None
        draft = Draft()
        for option, _, value in (line.partition("=") for line in file.read_text(encoding="utf-8").splitlines()):
            if option == "steps":
                draft.put(option, "training.max_train_steps", int(value))
            else:
                draft.unknown(option, value, "no option of this trainer")
        return "settings of a made-up trainer", draft, lambda settings: [], ()

    monkeypatch.setitem(IMPORTERS, "made-up", read_ini)
    found = imported(tmp_path, "my.ini", "steps=70\nspeed=high", base="base", datasets=["pictures"])
    assert (found.form, found.fault, found.settings.training.max_train_steps) == ("settings of a made-up trainer", "", 70)
    assert list(unknown(found)) == ["speed"]
    assert imported(tmp_path, "train.sh", SHELL).form == "a command for train_network.py"


def test_a_subset_of_windows_keeps_its_folder_and_names_its_metadata_file(tmp_path):
    file = tmp_path / "ds.toml"
    file.write_text("[[datasets]]\nresolution = 512\n[[datasets.subsets]]\nimage_dir = '.\\img\\10_tom'\nmetadata_file = 'meta.json'\n")
    found = import_settings(file, Path("base.safetensors"), [])
    assert found.settings.datasets[0].path == Path("img/10_tom")
    assert "lorasmith import" in left(found)["metadata_file"]
