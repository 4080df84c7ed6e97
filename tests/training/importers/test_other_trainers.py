"""Settings of ai-toolkit, OneTrainer, SimpleTuner and LoRA_Easy_Training_Scripts come over, or are refused by name."""

import json

import pytest

from lorasmith.errors import SettingsError
from lorasmith.training.importers import ai_toolkit, onetrainer, simpletuner
from lorasmith.training.importers.import_settings import IMPORTERS, import_settings

AI_TOOLKIT = """
job: extension
config:
  name: lantern
  process:
    - type: sd_trainer
      trigger_word: zorvex
      network: {type: lora, linear: 16, linear_alpha: 8, conv: 8, conv_alpha: 4}
      save: {dtype: float16, save_every: 250}
      datasets:
        - {folder_path: pics, caption_ext: txt, caption_dropout_rate: 0.05, shuffle_tokens: true, resolution: [512, 768], num_repeats: 2, flip_x: true}
        - {folder_path: reg, is_reg: true, resolution: 768}
      train: {batch_size: 2, steps: 2000, gradient_accumulation_steps: 1, train_text_encoder: false, gradient_checkpointing: true,
              noise_scheduler: ddpm, optimizer: adamw8bit, lr: 1e-4, dtype: bf16, hf_token: hidden-token, lrr: 3}
      model: {name_or_path: base.safetensors, is_xl: true}
      sample: {sample_every: 250, width: 768, prompts: [a lamp], guidance_scale: 5, sample_steps: 20}
"""
ONETRAINER = {
    "__version": 6, "training_method": "LORA", "model_type": "STABLE_DIFFUSION_XL_10_BASE", "base_model_name": "base.safetensors", "batch_size": 4,
    "epochs": 20, "learning_rate": 0.0003, "learning_rate_scheduler": "COSINE_WITH_RESTARTS", "learning_rate_warmup_steps": 200, "resolution": "768,1024",
    "lora_rank": 16, "lora_alpha": 8.0, "optimizer": {"optimizer": "PRODIGY", "weight_decay": 0.02, "beta1": 0.9}, "text_encoder": {"train": False},
    "output_model_destination": "models/lantern.safetensors", "loss_weight_fn": "MIN_SNR_GAMMA", "loss_weight_strength": 4.0, "train_dtype": "BFLOAT_16",
    "gradient_checkpointing": "ON", "ema": "OFF", "max_noising_strength": 0.9, "secrets": {"huggingface_token": "hidden-token"}, "epocs": 3,
    "concepts": [
        {"path": "pics", "balancing": 2.0, "balancing_strategy": "REPEATS", "image": {"enable_random_flip": True}},
        {"path": "off", "enabled": False}, {"path": "held-out", "type": "VALIDATION"},
    ],
}  # fmt: skip
SIMPLETUNER = {
    "--model_family": "sdxl", "--model_type": "lora", "--lora_rank": 16, "--lora_alpha": 8, "--pretrained_model_name_or_path": "base.safetensors",
    "--learning_rate": 1e-4, "--max_train_steps": 1000, "--num_train_epochs": 0, "--train_batch_size": 1, "--resolution": 1.0, "--resolution_type": "area",
    "--optimizer": "bnb-adamw8bit", "--optimizer_config": "weight_decay=0.05", "--lr_scheduler": "constant_with_warmup", "--lr_warmup_steps": 100,
    "--data_backend_config": "config/multidatabackend.json", "--snr_gamma": 5, "--hub_token": "hidden-token", "--lora_rnak": 4,
}  # fmt: skip
FOLDERS = [
    {"id": "pics", "type": "local", "instance_data_dir": "pics", "repeats": 3},
    {"id": "texts", "type": "local", "dataset_type": "text_embeds", "cache_dir": "cache"},
]
EASY = """
[[subsets]]
num_repeats = 3
keep_tokens = 1
image_dir = "pics"
name = "kite"
[[subsets]]
num_repeats = 2
is_reg = true
image_dir = "reg"
[train_mode]
train_mode = "lora"
[general_args.args]
pretrained_model_name_or_path = "base.safetensors"
sdxl = true
max_train_epochs = 8
[general_args.dataset_args]
resolution = 1024
batch_size = 4
[network_args.args]
network_dim = 32
network_alpha = 16.0
[network_args.args.network_args]
conv_dim = 8
conv_alpha = 4.0
algo = "locon"
[optimizer_args.args]
optimizer_type = "LoraEasyCustomOptimizer.came.CAME"
lr_scheduler = "cosine"
learning_rate = 1e-4
warmup_ratio = 0.05
[optimizer_args.args.optimizer_args]
weight_decay = "0.05"
betas = "0.9,0.99,0.999"
[bucket_args.dataset_args]
enable_bucket = true
"""


def imported(tmp_path, name, text):
    (tmp_path / name).write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
    return import_settings(tmp_path / name)


def unknown(found):
    return [each.subjects[0] for each in found.of("import.unknown")]


def test_a_job_of_ai_toolkit(tmp_path):
    found = imported(tmp_path, "job.yaml", AI_TOOLKIT)
    s = found.settings
    assert (found.form, found.fault, s.name, s.captions.trigger) == ("a job of ai-toolkit", "", "lantern", "zorvex")
    assert (s.network.kind, s.network.rank, s.network.alpha, s.network.conv_rank, s.network.conv_alpha) == ("lora", 16, 8, 8, 4)
    assert (s.optimizer.type, s.optimizer.learning_rate, s.schedule.lr_scheduler, s.loss.min_snr_gamma) == (
        "AdamW8bit",
        1e-4,
        "constant",
        0,
    )
    assert (s.training.max_train_steps, s.training.batch_size, s.training.mixed_precision, s.buckets.resolution) == (2000, 2, "bf16", 768)
    assert [(str(d.path), d.repeats, d.is_reg, d.flip_aug, d.resolution) for d in s.datasets] == [
        ("pics", 2, False, True, 512), ("pics", 2, False, True, None), ("reg", None, True, False, None)
    ]  # fmt: skip
    assert [d.shuffle_caption for d in s.datasets] == [True, True, None]  # of its folder alone
    assert (s.samples.prompts, s.samples.every_n_steps, s.samples.cfg_scale, s.network.train_text_encoder) == (["a lamp"], 250, 5, False)
    assert sorted(unknown(found)) == ["train.hf_token", "train.lrr"]
    assert "hidden-token" not in json.dumps(found.as_data)


def test_settings_of_onetrainer(tmp_path):
    found = imported(tmp_path, "config.json", ONETRAINER)
    s = found.settings
    assert (found.form, found.fault, s.name, s.training.epochs) == ("settings of OneTrainer (JSON)", "", "lantern", 20)
    assert (s.network.rank, s.network.alpha, s.network.train_text_encoder, s.optimizer.type) == (16, 8, False, "Prodigy")
    assert (s.optimizer.args["weight_decay"], s.optimizer.args["use_bias_correction"]) == (0.02, False)
    assert (s.schedule.lr_scheduler, s.schedule.lr_warmup_steps, s.buckets.resolution) == ("cosine_with_restarts", 200, 1024)
    assert (s.loss.min_snr_gamma, s.noise.max_timestep, s.training.mixed_precision, s.training.ema_decay) == (4, 900, "bf16", None)
    assert [(str(d.path), d.repeats, d.flip_aug) for d in s.datasets] == [("pics", 2, True)]
    assert str(s.validation.path) == "held-out"
    assert unknown(found) == ["epocs"]
    assert "hidden-token" not in json.dumps(found.as_data)


@pytest.mark.parametrize(
    ("options", "masked_loss", "loss"),
    [
        ({}, False, (0, False)), ({"masked_training": False, "unmasked_weight": 0.1, "normalize_masked_area_loss": True}, False, (0, False)),
        ({"masked_training": True, "unmasked_weight": 0.1, "normalize_masked_area_loss": True}, True, (0.1, True)),
    ],
)  # fmt: skip
def test_masks_count_only_where_onetrainer_trains_with_them(tmp_path, options, masked_loss, loss):
    s = imported(tmp_path, "config.json", {**ONETRAINER, **options}).settings
    assert [d.masked_loss for d in s.datasets] == [masked_loss]
    assert (s.loss.unmasked_weight, s.loss.normalize_masked_area) == loss


def test_settings_of_simpletuner_with_their_folders(tmp_path):
    (tmp_path / "multidatabackend.json").write_text(json.dumps(FOLDERS), encoding="utf-8")
    found = imported(tmp_path, "config.json", SIMPLETUNER)
    s = found.settings
    assert (found.form, found.fault, s.network.rank, s.network.alpha) == ("settings of SimpleTuner (JSON)", "", 16, 8)
    assert (s.optimizer.type, s.optimizer.learning_rate, s.optimizer.args) == ("AdamW8bit", 1e-4, {"weight_decay": 0.05, "eps": 1e-6})
    assert (s.training.max_train_steps, s.training.epochs, s.buckets.resolution, s.schedule.lr_warmup_steps) == (1000, None, 1024, 100)
    assert [(str(d.path), d.repeats) for d in s.datasets] == [("pics", 4)]  # its repeats come after the first
    assert unknown(found) == ["lora_rnak"]
    assert "hidden-token" not in json.dumps(found.as_data)


def test_settings_of_easy_training_scripts(tmp_path):
    found = imported(tmp_path, "easy.toml", EASY)
    s = found.settings
    assert (found.form, found.fault) == ("settings of LoRA_Easy_Training_Scripts (TOML)", "")
    assert [(str(d.path), d.repeats, d.is_reg) for d in s.datasets] == [("pics", 3, False), ("reg", 2, True)]
    assert (s.network.rank, s.network.alpha, s.network.conv_rank, s.network.conv_alpha, s.network.preset) == (32, 16, 8, 4, "convolutions")
    assert (s.optimizer.type, s.optimizer.args) == ("CAME", {"weight_decay": 0.05, "betas": [0.9, 0.99, 0.999]})
    assert (s.schedule.lr_warmup_steps, s.training.batch_size, s.buckets.resolution) == (0.05, 4, 1024)
    assert unknown(found) == []


@pytest.mark.parametrize(
    ("arguments", "network"),
    [("unit = 4", ("dylora", 4)), ("algo = 'dylora'\nunit = 4", ("dylora", 4)), ("conv_dim = 8", ("lora", 1)), ("algo = 'loha'", ("loha", 1))],
)  # fmt: skip
def test_the_kind_of_easy_training_scripts_is_that_of_its_arguments(tmp_path, arguments, network):
    text = EASY.replace('conv_dim = 8\nconv_alpha = 4.0\nalgo = "locon"', arguments)
    found = imported(tmp_path, "easy.toml", text)
    assert (found.fault, (found.settings.network.kind, found.settings.network.rank_step)) == ("", network)


def test_lora_fa_of_easy_training_scripts_is_said(tmp_path):
    text = EASY.replace('conv_dim = 8\nconv_alpha = 4.0\nalgo = "locon"', "conv_dim = 8").replace(
        "network_dim = 32", "network_dim = 32\nfa = true"
    )
    found = imported(tmp_path, "easy.toml", text)
    assert any("LoRA-FA" in each.why for each in found.carried)
    assert unknown(found) == []


@pytest.mark.parametrize(
    ("scheduler", "schedule"),
    [
        ('lr_scheduler_type = "LoraEasyCustomOptimizer.CustomOptimizers.CosineAnnealingWarmupRestarts"\nlr_scheduler_num_cycles = 3', ("cosine_with_restarts", 3, 0.01)),
        ('lr_scheduler_type = "LoraEasyCustomOptimizer.CustomOptimizers.Rex"', ("rex", None, 0.01)),
    ],
)  # fmt: skip
def test_schedules_of_easy_training_scripts(tmp_path, scheduler, schedule):
    text = EASY.replace('lr_scheduler = "cosine"', f"{scheduler}\nlr_scheduler_args = {{ min_lr = 1e-6, gamma = 0.9 }}")
    found = imported(tmp_path, "easy.toml", text)
    s = found.settings.schedule
    assert (found.fault, (s.lr_scheduler, s.lr_scheduler_num_cycles, s.lr_scheduler_min_lr_ratio)) == ("", schedule)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.yaml", AI_TOOLKIT.replace("is_xl: true", "arch: hidream"), "hidream with ai-toolkit"), ("a.yaml", AI_TOOLKIT.replace("sd_trainer", "slider"), "no LoRA"),
        ("a.yaml", "name: x", "no job of ai-toolkit"), ("a.json", {**ONETRAINER, "model_type": "HI_DREAM_FULL"}, "HI_DREAM_FULL with OneTrainer"),
        ("a.json", {**ONETRAINER, "training_method": "FINE_TUNE"}, "no LoRA"), ("a.json", {**SIMPLETUNER, "--model_family": "wan"}, "wan with SimpleTuner"),
        ("a.json", {**SIMPLETUNER, "--model_type": "full"}, "no LoRA"), ("a.toml", EASY.replace('train_mode = "lora"', 'train_mode = "textual_inversion"'), "no LoRA"),
        ("a.toml", EASY.replace('image_dir = "reg"', ""), "without an image_dir"),
    ],
)  # fmt: skip
def test_what_is_not_trained_here_is_refused_by_name(tmp_path, name, text, words):
    with pytest.raises(SettingsError, match=words):
        imported(tmp_path, name, text)


@pytest.mark.parametrize(
    ("name", "text", "option"),
    [
        ("a.yaml", AI_TOOLKIT.replace("type: lora", "type: lorm"), "network.type"), ("a.yaml", AI_TOOLKIT.replace("adamw8bit", "automagic"), "train.optimizer"),
        ("a.json", {**ONETRAINER, "peft_type": "OFT_2"}, "peft_type"), ("a.json", {**ONETRAINER, "lora_rank": "big"}, "lora_rank"),
        ("a.json", {**SIMPLETUNER, "--optimizer": "soap"}, "optimizer"), ("a.json", {**SIMPLETUNER, "--lora_type": "lycoris"}, "lora_type"),
    ],
)  # fmt: skip
def test_what_would_train_another_network_or_optimizer_is_refused(tmp_path, name, text, option):
    found = imported(tmp_path, name, text)
    assert found.settings is None
    assert option in [each.subjects[0] for each in found.of("import.refused")]


@pytest.mark.parametrize("value", [5, -1, 0.5, None, True, "x", "inf", [], [1], {}, {"a": 1}, 1e300])
def test_no_value_is_a_traceback(tmp_path, value):
    for name, tree in (("ot.json", ONETRAINER), ("st.json", SIMPLETUNER)):
        for option in tree:
            if option not in ("training_method", "model_type", "--model_type", "--model_family"):
                imported(tmp_path, name, {**tree, option: value})
    job = json.dumps(value)
    for part in ("datasets", "train", "network", "model", "sample", "save", "trigger_word"):
        tree = {
            "job": "extension",
            "config": {"name": "x", "process": [{"type": "sd_trainer", "network": {"linear": 4}, part: json.loads(job)}]},
        }
        if part == "network" and not isinstance(value, dict):
            continue
        imported(tmp_path, "ai.json", tree)


def test_each_table_belongs_to_an_importer():
    assert {table.trainer for table in (ai_toolkit.TABLE, onetrainer.TABLE, simpletuner.TABLE)} < IMPORTERS.keys()
