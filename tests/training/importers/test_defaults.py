"""What a file of another trainer leaves out means that trainer's default, and options that change each other are read together."""

import json
from pathlib import Path

import pytest

from lorasmith.errors import SettingsError
from lorasmith.training.importers.import_settings import Imported, import_settings
from lorasmith.training.settings.tree import Settings


def imported(tmp_path, tree, name="a.json"):
    (tmp_path / name).write_text(json.dumps(tree), encoding="utf-8")
    return import_settings(tmp_path / name)


def at(settings: Settings, name: str):
    value = settings
    for part in name.split("."):
        value = value[part] if isinstance(value, dict) else value[int(part)] if isinstance(value, list) else getattr(value, part)
    return value


def said(found):
    return {each.theirs: each.why for each in found.carried}


def left(found):
    return {each.subjects[0]: each.why for each in found.of("import.not_carried")}


# -- ai-toolkit -------------------------------------------------------------------------------------------------------

FLUX = {"name_or_path": "b", "is_flux": True}


def job(tmp_path, model=None, datasets=({"folder_path": "pics"},), **process):
    parts = {
        "type": "sd_trainer",
        "network": {"linear": 8},
        "model": model or {"name_or_path": "b", "is_xl": True},
        "datasets": list(datasets),
    }
    return imported(tmp_path, {"job": "extension", "config": {"name": "x", "process": [{**parts, **process}]}})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("network.alpha", 1.0), ("optimizer.learning_rate", 1e-6), ("schedule.lr_scheduler", "constant"), ("training.max_train_steps", 1000),
        ("training.batch_size", 1), ("training.gradient_checkpointing", True), ("network.train_text_encoder", False), ("loss.min_snr_gamma", 0.0),
        ("training.mixed_precision", "no"), ("checkpoints.save_precision", "fp16"), ("checkpoints.save_every_n_steps", 1000),
        ("checkpoints.save_every_n_epochs", 0), ("buckets.resolution", 512), ("training.ema_decay", None), ("training.max_grad_norm", 1.0),
        ("optimizer.type", "AdamW"), ("optimizer.args", {"eps": 1e-6}), ("noise.noise_offset", 0.0), ("datasets.0.caption_dropout_rate", None),
    ],
)  # fmt: skip
def test_defaults_of_ai_toolkit(tmp_path, name, value):
    found = job(tmp_path)
    assert found.fault == ""
    assert at(found.settings, name) == value


@pytest.mark.parametrize(
    ("config", "decay"), [({"use_ema": True}, 0.999), ({"use_ema": True, "ema_decay": 0.99}, 0.99), ({"use_ema": False, "ema_decay": 0.99}, None)]
)  # fmt: skip
def test_the_average_of_ai_toolkit_has_the_files_decay(tmp_path, config, decay):
    assert job(tmp_path, train={"ema_config": config}).settings.training.ema_decay == decay


@pytest.mark.parametrize(
    ("theirs", "ours"), [(None, "sigmoid"), ("sigmoid", "sigmoid"), ("linear", "uniform"), ("shift", "flux_shift"), ("weighted", "uniform")]
)
def test_timesteps_of_ai_toolkit_on_flux(tmp_path, theirs, ours):
    found = job(tmp_path, FLUX, train={"timestep_type": theirs} if theirs else {})
    assert (found.fault, found.settings.flow.timestep_sampling) == ("", ours)


@pytest.mark.parametrize(
    ("train", "timesteps"),
    [
        ({"min_denoising_steps": 200, "max_denoising_steps": 700}, (300, 800)),
        ({"min_denoising_steps": 0, "max_denoising_steps": 999}, (0, 1000)),
    ],
)
def test_denoising_steps_of_ai_toolkit_are_counted_from_pure_noise(tmp_path, train, timesteps):
    assert job(tmp_path, FLUX, train=train).settings.noise.timesteps == timesteps


def test_placeholders_in_prompts_of_ai_toolkit_are_the_trigger(tmp_path):
    sample = {"prompts": ["[trigger] in the snow", "a [name]", "a lamp"]}
    found = job(tmp_path, trigger_word="zorvex", sample=sample)
    assert (found.settings.captions.trigger, found.settings.samples.prompts) == (
        "zorvex",
        ["{trigger} in the snow", "a {trigger}", "a lamp"],
    )
    assert job(tmp_path, sample=sample).settings.samples.prompts == ["in the snow", "a", "a lamp"]


def test_a_list_of_resolutions_is_a_folder_for_each(tmp_path):
    found = job(
        tmp_path,
        datasets=[{"folder_path": "a", "resolution": [512, 768, 1024]}, {"folder_path": "b", "keep_tokens": 1, "caption_ext": "txt"}],
    )
    assert [(str(d.path), d.resolution, d.keep_tokens, d.caption_extension) for d in found.settings.datasets] == [
        ("a", 512, None, None), ("a", 768, None, None), ("a", None, None, None), ("b", 512, 1, ".txt"),
    ]  # fmt: skip
    assert found.settings.buckets.resolution == 1024


def test_an_optimizer_of_ai_toolkit_that_finds_its_rate_gets_1(tmp_path):
    found = job(tmp_path, train={"optimizer": "prodigy", "lr": 1e-4})
    assert (found.settings.optimizer.type, found.settings.optimizer.learning_rate) == ("Prodigy", 1.0)
    assert found.settings.optimizer.args["eps"] == 1e-6
    assert job(tmp_path, train={"optimizer": "prodigy", "lr": 0.5}).settings.optimizer.learning_rate == 0.5


def test_schedules_of_ai_toolkit(tmp_path):
    warm = job(tmp_path, train={"lr_scheduler": "constant_with_warmup", "steps": 3000}).settings.schedule
    assert (warm.lr_scheduler, warm.lr_warmup_steps) == ("constant_with_warmup", 1000)
    given = job(tmp_path, train={"lr_scheduler": "constant_with_warmup", "lr_scheduler_params": {"num_warmup_steps": 30}}).settings.schedule
    assert given.lr_warmup_steps == 30
    linear = job(tmp_path, train={"lr_scheduler": "linear"})
    assert linear.settings.schedule.lr_scheduler == "constant"
    assert "rises" in said(linear)["train.lr_scheduler"]


def test_convolutions_of_ai_toolkit_have_an_alpha_of_their_rank(tmp_path):
    assert job(tmp_path, network={"linear": 8, "linear_alpha": 4, "conv": 16}).settings.network.conv_alpha == 16


def test_samples_of_ai_toolkit_are_drawn_as_there(tmp_path):
    samples = job(tmp_path, sample={"prompts": ["a lamp"]}).settings.samples
    assert (samples.every_n_steps, samples.width, samples.cfg_scale, samples.steps, samples.seed) == (100, 512, 7, 20, 0)


@pytest.mark.parametrize("trainer", ["ai-toolkit", "OneTrainer", "SimpleTuner", "sd-scripts"])
def test_who_samples_and_saves_by_steps_alone_does_so_here(tmp_path, trainer):
    toml = (
        'pretrained_model_name_or_path="b"',
        'train_data_dir="p"',
        'sample_prompts="a lamp"',
        "sample_every_n_steps=70",
        "save_every_n_steps=70",
    )
    (tmp_path / "sd.toml").write_text("\n".join(toml), encoding="utf-8")
    steps = {"sample_after": 70, "sample_after_unit": "STEP", "save_every": 70, "save_every_unit": "STEP"}
    found = {
        "ai-toolkit": lambda: job(tmp_path, sample={"prompts": ["a lamp"], "sample_every": 70}, save={"save_every": 70}),
        "OneTrainer": lambda: preset(tmp_path, samples=[{"prompt": "a lamp"}], **steps),
        "SimpleTuner": lambda: config(tmp_path, validation_prompt="a lamp", validation_step_interval=70, checkpoint_step_interval=70),
        "sd-scripts": lambda: import_settings(tmp_path / "sd.toml"),
    }[trainer]()
    samples, checkpoints = found.settings.samples, found.settings.checkpoints
    assert (samples.prompts, samples.every_n_steps, samples.every_n_epochs) == (["a lamp"], 70, 0)
    assert (checkpoints.save_every_n_steps, checkpoints.save_every_n_epochs) == (70, 0)


def sd_scripts(folder: Path, *lines: str) -> Imported:
    (folder / "sd.toml").write_text("\n".join(('train_data_dir="p"', *lines)), encoding="utf-8")
    return import_settings(folder / "sd.toml", base="b")


def test_a_file_of_sd_scripts_that_says_nothing_of_saving_and_sampling_does_so_at_the_end_alone(tmp_path):
    for lines in (("max_train_epochs=8",), ("max_train_epochs=8", "save_every_n_epochs=0", "sample_every_n_epochs=0")):
        found = sd_scripts(tmp_path, *lines, 'sample_prompts="a lamp"')
        assert (found.settings.checkpoints.save_every_n_epochs, found.settings.checkpoints.save_every_n_steps) == (0, None)
        assert (found.settings.samples.every_n_epochs, found.settings.samples.every_n_steps) == (0, None)
    said = {each.ours: each.why for each in sd_scripts(tmp_path, 'sample_prompts="a lamp"').carried}
    assert said["checkpoints.save_every_n_epochs"] == said["samples.every_n_epochs"] == "left out, which means 0 there"


@pytest.mark.parametrize(("ratio", "epochs", "every"), [(4, 10, 2), (4, 3, 1), (3, 9, 3)])
def test_a_number_of_files_in_all_is_one_every_so_many_epochs(tmp_path, ratio, epochs, every):
    found = sd_scripts(tmp_path, f"save_n_epoch_ratio={ratio}", f"max_train_epochs={epochs}", "save_every_n_epochs=5")
    assert found.settings.checkpoints.save_every_n_epochs == every
    assert "save_n_epoch_ratio decides" in left(found)["save_every_n_epochs"]
    unknown = sd_scripts(tmp_path, f"save_n_epoch_ratio={ratio}")
    assert "save_every_n_epochs" in left(unknown)["save_n_epoch_ratio"]
    assert unknown.settings.checkpoints.save_every_n_epochs == 1


def test_epochs_go_before_steps_in_the_samples_of_sd_scripts(tmp_path):
    toml = ('train_data_dir="p"', 'sample_prompts="a lamp"', "sample_every_n_steps=70", "sample_every_n_epochs=2", "save_every_n_steps=70")
    (tmp_path / "sd.toml").write_text("\n".join((*toml, "save_every_n_epochs=3")), encoding="utf-8")
    found = import_settings(tmp_path / "sd.toml", base="b")
    assert (found.settings.samples.every_n_epochs, found.settings.samples.every_n_steps) == (2, None)
    assert "sample_every_n_epochs decides" in left(found)["sample_every_n_steps"]
    assert (found.settings.checkpoints.save_every_n_steps, found.settings.checkpoints.save_every_n_epochs) == (70, 3)


def test_the_usual_job_for_flux(tmp_path):
    """The options of ai-toolkit's example for Flux on 24 GB."""
    found = job(
        tmp_path, {"name_or_path": "b", "is_flux": True, "quantize": True, "low_vram": False},
        [{"folder_path": "p", "caption_ext": "txt", "caption_dropout_rate": 0.05, "shuffle_tokens": False, "cache_latents_to_disk": True, "resolution": [512, 768]}],
        network={"type": "lora", "linear": 16, "linear_alpha": 16}, save={"dtype": "float16", "save_every": 250, "max_step_saves_to_keep": 4, "push_to_hub": False},
        train={"batch_size": 1, "steps": 2000, "gradient_accumulation_steps": 1, "train_unet": True, "train_text_encoder": False, "gradient_checkpointing": True,
               "noise_scheduler": "flowmatch", "optimizer": "adamw8bit", "lr": 1e-4, "ema_config": {"use_ema": True, "ema_decay": 0.99}, "dtype": "bf16"},
        sample={"sampler": "flowmatch", "sample_every": 250, "sample_start_step": 0, "width": 1024, "height": 1024, "prompts": ["a horse"], "neg": "", "seed": 42,
                "walk_seed": True, "guidance_scale": 4, "sample_steps": 20},
        training_folder="output", device="cuda:0",
    )  # fmt: skip
    s = found.settings
    assert (found.fault, found.of("import.unknown")) == ("", [])
    assert (s.training.ema_decay, s.flow.timestep_sampling, s.base.quantize, len(s.datasets), s.samples.seed) == (
        0.99,
        "sigmoid",
        "fp8",
        2,
        42,
    )


# -- OneTrainer -------------------------------------------------------------------------------------------------------


def preset(tmp_path, model="STABLE_DIFFUSION_XL_10_BASE", concepts=({"path": "pics"},), **options):
    return imported(
        tmp_path, {"training_method": "LORA", "model_type": model, "base_model_name": "b", "concepts": list(concepts), **options}
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("network.rank", 16), ("network.alpha", 1.0), ("network.preset", "full"), ("optimizer.learning_rate", 3e-6), ("training.epochs", 100),
        ("training.batch_size", 1), ("schedule.lr_scheduler", "constant_with_warmup"), ("schedule.lr_warmup_steps", 200), ("buckets.resolution", 512),
        ("training.mixed_precision", "fp16"), ("checkpoints.save_precision", "fp32"), ("checkpoints.save_every_n_epochs", 0), ("training.ema_decay", None),
        ("network.train_text_encoder", True), ("training.gradient_checkpointing", True), ("loss.min_snr_gamma", 0.0), ("noise.noise_offset", 0.0),
        ("datasets.0.flip_aug", True), ("datasets.0.repeats", 1), ("training.max_grad_norm", 1.0), ("optimizer.type", "AdamW"),
    ],
)  # fmt: skip
def test_defaults_of_onetrainer(tmp_path, name, value):
    found = preset(tmp_path)
    assert found.fault == ""
    assert at(found.settings, name) == value


def test_a_file_of_onetrainer_that_names_no_method_trains_the_whole_model(tmp_path):
    with pytest.raises(SettingsError, match="FINE_TUNE"):
        imported(tmp_path, {"base_model_name": "b", "model_type": "STABLE_DIFFUSION_15"})


def test_the_average_of_onetrainer_is_updated_every_five_steps(tmp_path):
    assert preset(tmp_path, ema="GPU").settings.training.ema_decay == pytest.approx(0.999 ** (1 / 5), abs=1e-6)
    assert preset(tmp_path, ema="CPU", ema_decay=0.99, ema_update_step_interval=1).settings.training.ema_decay == 0.99


@pytest.mark.parametrize(
    ("options", "schedule"),
    [
        ({"learning_rate_warmup_steps": 0}, ("constant", 0, None)), ({"learning_rate_scheduler": "COSINE"}, ("cosine", 200, 0.5)),
        ({"learning_rate_scheduler": "COSINE", "learning_rate_min_factor": 0.2}, ("cosine", 200, 0.6)),
        ({"learning_rate_scheduler": "LINEAR", "learning_rate_min_factor": 0.2, "learning_rate_warmup_steps": 0.1}, ("linear", 0.1, 0.2)),
        ({"gradient_accumulation_steps": 4}, ("constant_with_warmup", 50, None)),
        ({"learning_rate_scheduler": "COSINE_WITH_HARD_RESTARTS"}, ("cosine_with_restarts", 200, None)),
    ],
)  # fmt: skip
def test_schedules_of_onetrainer(tmp_path, options, schedule):
    found = preset(tmp_path, **options)
    s = found.settings.schedule
    assert (found.fault, (s.lr_scheduler, s.lr_warmup_steps, s.lr_scheduler_min_lr_ratio)) == ("", schedule)


@pytest.mark.parametrize(
    ("options", "flow"),
    [
        ({}, ("sigma", 1.0, "uniform")), ({"timestep_distribution": "LOGIT_NORMAL"}, ("sigmoid", None, "uniform")),
        ({"timestep_distribution": "LOGIT_NORMAL", "timestep_shift": 3.0}, ("shift", 3.0, "uniform")),
        ({"timestep_distribution": "LOGIT_NORMAL", "dynamic_timestep_shifting": True}, ("flux_shift", None, "uniform")),
        ({"timestep_distribution": "LOGIT_NORMAL", "noising_bias": 0.5}, ("sigma", 1.0, "logit_normal")), ({"timestep_shift": 2.5}, ("sigma", 2.5, "uniform")),
    ],
)  # fmt: skip
def test_timesteps_of_onetrainer_on_flux(tmp_path, options, flow):
    found = preset(tmp_path, "FLUX_DEV_1", **options)
    s = found.settings.flow
    assert (found.fault, s.timestep_sampling, s.weighting_scheme) == ("", flow[0], flow[2])
    assert flow[1] is None or s.discrete_flow_shift == flow[1]
    assert s.logit_mean == -options.get("noising_bias", 0)


@pytest.mark.parametrize(
    ("model", "theirs", "ours"),
    [
        ("STABLE_DIFFUSION_XL_10_BASE", None, "full"), ("STABLE_DIFFUSION_XL_10_BASE", "attn-mlp", "default"), ("STABLE_DIFFUSION_15", "attn-only", "attention"),
        ("FLUX_DEV_1", None, "full"), ("FLUX_DEV_1", "attn-mlp", "attention+mlp"), ("FLUX_DEV_1", "attn-only", "attention"), ("FLUX_DEV_1", "blocks", "default"),
    ],
)  # fmt: skip
def test_presets_of_layers_of_onetrainer_are_those_of_the_family(tmp_path, model, theirs, ours):
    assert preset(tmp_path, model, layer_filter_preset=theirs).settings.network.preset == ours


@pytest.mark.parametrize(
    ("options", "rates"),
    [
        ({"text_encoder": {"train": True}, "text_encoder_2": {"train": False, "learning_rate": 1e-5}}, (3e-6, 0.0)),
        ({"text_encoder": {"train": True}, "text_encoder_2": {"train": True}}, (3e-6, 3e-6)), ({"text_encoder_2": {"train": True, "learning_rate": 1e-5}}, (3e-6, 1e-5)),
        ({"text_encoder": {"train": False}, "text_encoder_2": {"train": False}}, (0.0, 0.0)), ({"train_text_encoder_2": False}, (3e-6, 0.0)),
    ],
)  # fmt: skip
def test_text_encoders_of_onetrainer_are_trained_as_there(tmp_path, options, rates):
    settings = preset(tmp_path, **options).settings
    assert tuple(settings.lr_of(part, "sdxl") for part in ("text_encoder", "text_encoder_2")) == rates


@pytest.mark.parametrize(
    ("image", "resolution"),
    [
        ({"enable_resolution_override": True, "resolution_override": "768"}, 768), ({"enable_resolution_override": True, "resolution_override": "832x1216"}, (832, 1216)),
        ({"enable_resolution_override": True, "resolution_override": "512,768"}, 768), ({"enable_resolution_override": False, "resolution_override": "768"}, None),
    ],
)  # fmt: skip
def test_a_concept_of_onetrainer_keeps_its_own_resolution(tmp_path, image, resolution):
    found = preset(tmp_path, resolution="1024", concepts=[{"path": "pics"}, {"path": "small", "image": image}])
    assert [each.resolution for each in found.settings.datasets] == [None, resolution]
    assert found.settings.buckets.resolution == 1024


def test_a_preset_of_layers_that_a_family_of_onetrainer_has_not_is_left(tmp_path):
    assert "layer_filter_preset" in left(preset(tmp_path, layer_filter_preset="blocks"))


def test_a_concept_of_onetrainer_keeps_its_options(tmp_path):
    tags = {"enable_tag_shuffling": True, "keep_tags_count": 2, "tag_delimiter": ";", "prompt_source": "filename"}
    concepts = [
        {"path": "a", "text": tags, "image": {"enable_random_flip": False, "enable_random_hue": True}},
        {"path": "b", "loss_weight": 0.5},
    ]
    found = preset(tmp_path, concepts=concepts)
    first, second = found.settings.datasets
    assert (first.shuffle_caption, first.keep_tokens, first.caption_separator, first.flip_aug) == (True, 2, ";", False)
    assert (second.shuffle_caption, second.keep_tokens, second.loss_weight, second.flip_aug) == (None, None, 0.5, True)
    assert {"concept 1: text.prompt_source", "concept 1: image.enable_random_hue"} <= left(found).keys()
    assert not found.of("import.unknown")


def test_betas_samples_and_files_of_onetrainer(tmp_path):
    (tmp_path / "samples.json").write_text(
        json.dumps([{"prompt": "a lamp", "width": 768, "cfg_scale": 5.0}, {"prompt": "off", "enabled": False}]), encoding="utf-8"
    )
    found = preset(
        tmp_path, optimizer={"optimizer": "ADAMW", "beta1": 0.9, "beta2": 0.99}, sample_definition_file_name="training_samples/samples.json",
        sample_after=2, sample_after_unit="EPOCH", save_every=3, save_every_unit="EPOCH",
    )  # fmt: skip
    s = found.settings
    assert (s.optimizer.args["betas"], s.checkpoints.save_every_n_epochs) == ([0.9, 0.99], 3)
    assert (s.samples.prompts, s.samples.width, s.samples.cfg_scale, s.samples.every_n_epochs) == (["a lamp"], 768, 5, 2)


def test_a_lokr_of_onetrainer_has_its_own_sizes(tmp_path):
    n = preset(tmp_path, peft_type="LOKR", lora_rank=64, lokr_dim=12, lokr_decompose_factor=8, lora_alpha=6.0).settings.network
    assert (n.kind, n.rank, n.factor, n.alpha) == ("lokr", 12, 8, 6)
    assert preset(tmp_path, peft_type="LORA", lora_rank=64, lokr_dim=12).settings.network.rank == 64


def test_a_preset_of_an_earlier_onetrainer(tmp_path):
    """The names that OneTrainer's own preset for SDXL had before its options were grouped by the model's parts."""
    found = preset(
        tmp_path, optimizer="ADAMW", weight_decay=0.02, train_unet=True, train_text_encoder=False, text_encoder_learning_rate=0.0003, unet_learning_rate=0.0002,
        learning_rate=0.0003, offset_noise_weight=0.05, save_after=0, save_after_unit="NEVER", latent_caching_epochs=1, resolution=1024, unmasked_weight=0.1,
        vae_weight_dtype="FLOAT_32", extra_model_name="", token_count=1, train_unet_epochs=100000, masked_training=False, batch_size=4,
    )  # fmt: skip
    s = found.settings
    assert (found.fault, found.of("import.unknown")) == ("", [])
    assert (s.optimizer.unet_lr, s.network.train_text_encoder, s.optimizer.args["weight_decay"], s.noise.noise_offset) == (
        0.0002,
        False,
        0.02,
        0.05,
    )


def test_a_preset_of_onetrainer_for_flux(tmp_path):
    parts = {
        "prior": {"train": False, "weight_dtype": "NFLOAT_4"},
        "text_encoder": {"train": False, "weight_dtype": "NFLOAT_4"},
        "vae": {"weight_dtype": "FLOAT_32"},
    }
    found = preset(
        tmp_path,
        "FLUX_DEV_1",
        batch_size=4,
        learning_rate=3e-4,
        resolution="768",
        train_dtype="BFLOAT_16",
        timestep_distribution="LOGIT_NORMAL",
        **parts,
    )
    s = found.settings
    assert (found.fault, found.of("import.unknown")) == ("", [])
    assert (s.base.quantize, s.flow.timestep_sampling, s.network.train_text_encoder, s.training.mixed_precision) == (
        "nf4",
        "sigmoid",
        False,
        "bf16",
    )


# -- SimpleTuner ------------------------------------------------------------------------------------------------------


def config(tmp_path, folders=({"id": "pics", "type": "local", "instance_data_dir": "pics", "caption_strategy": "textfile"},), **options):
    (tmp_path / "multidatabackend.json").write_text(json.dumps(list(folders)), encoding="utf-8")
    usual = {
        "model_family": "sdxl",
        "model_type": "lora",
        "pretrained_model_name_or_path": "b",
        "data_backend_config": "multidatabackend.json",
    }
    return imported(tmp_path, {**usual, **options})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("network.rank", 16), ("network.alpha", None), ("network.dropout", 0.1), ("network.preset", "attention"), ("optimizer.learning_rate", 4e-7),
        ("schedule.lr_scheduler", "constant_with_warmup"), ("schedule.lr_warmup_steps", 0), ("training.batch_size", 4), ("training.epochs", 1),
        ("training.mixed_precision", "bf16"), ("training.gradient_checkpointing", True), ("network.train_text_encoder", False), ("buckets.resolution", 1024),
        ("training.max_grad_norm", 0.0), ("training.ema_decay", None), ("loss.min_snr_gamma", 0.0), ("noise.noise_offset", 0.0), ("optimizer.type", "AdamW"),
        ("optimizer.args", {"eps": 1e-6}), ("checkpoints.save_every_n_steps", 500), ("checkpoints.save_every_n_epochs", 0), ("datasets.0.repeats", None),
    ],
)  # fmt: skip
def test_defaults_of_simpletuner(tmp_path, name, value):
    found = config(tmp_path)
    assert found.fault == ""
    assert at(found.settings, name) == value


def test_a_file_of_simpletuner_that_names_no_type_trains_the_whole_model(tmp_path):
    with pytest.raises(SettingsError, match="'full'"):
        config(tmp_path, model_type=None)


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({"use_ema": True}, "training.ema_decay", 0.995), ({"use_ema": True, "ema_decay": 0.99}, "training.ema_decay", 0.99),
        ({"use_ema": "false", "ema_decay": 0.99}, "training.ema_decay", None), ({"noise_offset": 0.05}, "noise.noise_offset", 0.0),
        ({"offset_noise": True}, "noise.noise_offset", 0.1), ({"offset_noise": "true", "noise_offset": 0.05}, "noise.noise_offset", 0.05),
        ({"input_perturbation": 0.1}, "noise.ip_noise_gamma", 0.1), ({"grad_clip_method": "norm"}, "training.max_grad_norm", 2.0),
        ({"grad_clip_method": "norm", "max_grad_norm": 0.5}, "training.max_grad_norm", 0.5), ({"max_grad_norm": 0.01}, "training.max_grad_norm", 0.0),
        ({"optimizer": "optimi-lion"}, "optimizer.args", {"weight_decay": 0.0, "betas": [0.9, 0.99]}), ({"checkpointing_steps": 60}, "checkpoints.save_every_n_steps", 60),
        ({"resolution": 768, "resolution_type": "pixel"}, "buckets.resolution", 768), ({"lora_rank": 32}, "network.alpha", None),
        ({"lr_scheduler": "constant", "lr_warmup_steps": 50}, "schedule.lr_scheduler", "constant_with_warmup"),
        ({"lr_scheduler": "polynomial", "learning_rate": 1e-4, "lr_end": "1e-6"}, "schedule.lr_scheduler_min_lr_ratio", 0.01),
        ({"lr_scheduler": "polynomial", "learning_rate": 1e-4}, "schedule.lr_scheduler_min_lr_ratio", 0.004),
        ({"lr_scheduler": "polynomial", "learning_rate": 1e-4, "lr_warmup_steps": 50}, "schedule.lr_warmup_steps", 50),
        ({"lr_scheduler": "polynomial"}, "schedule.lr_scheduler_power", 0.8),
        ({"lr_scheduler": "polynomial", "lr_power": 2.0}, "schedule.lr_scheduler_power", 2.0),
        ({"lr_scheduler": "linear", "learning_rate": 1e-4, "lr_end": 1e-6}, "schedule.lr_scheduler_min_lr_ratio", None),
        ({"lr_scheduler": "cosine", "learning_rate": 1e-4, "lr_warmup_steps": 100, "lr_end": 1e-5}, "schedule.lr_scheduler_min_lr_ratio", 0.1),
        ({"lr_scheduler": "cosine", "learning_rate": 1e-4, "lr_warmup_steps": 100}, "schedule.lr_warmup_steps", 0),
        ({"lr_scheduler": "cosine_with_restarts", "learning_rate": 1e-4, "lr_warmup_steps": 100}, "schedule.lr_scheduler", "constant"),
    ],
)  # fmt: skip
def test_options_of_simpletuner_are_read_together(tmp_path, options, name, value):
    found = config(tmp_path, **options)
    assert found.fault == ""
    assert at(found.settings, name) == value


def test_a_cosine_of_simpletuner_swings_as_long_as_its_warmup_is(tmp_path):
    """rate(step) = end + (start - end) (1 + cos(pi step / lr_warmup_steps)) / 2 there: ours where that is the run's length."""
    found = config(tmp_path, lr_scheduler="cosine", learning_rate=1e-4, lr_warmup_steps=100, max_train_steps=400, num_train_epochs=0)
    assert left(found)["lr_warmup_steps"].startswith("There the rate falls to lr_end in 100 steps, rises again")
    assert "lr_warmup_steps" not in left(
        config(tmp_path, lr_scheduler="cosine", lr_warmup_steps=400, max_train_steps=400, num_train_epochs=0)
    )
    assert "in 1000 steps" in left(config(tmp_path, lr_scheduler="cosine", max_train_steps=400, num_train_epochs=0))["lr_warmup_steps"]


@pytest.mark.parametrize(
    ("options", "flow"),
    [
        ({}, ("shift", 3.0)), ({"flow_schedule_shift": 1.5}, ("shift", 1.5)), ({"flow_schedule_shift": 0}, ("sigmoid", None)),
        ({"flow_schedule_auto_shift": True}, ("flux_shift", None)), ({"flow_use_uniform_schedule": True, "flow_schedule_shift": 2}, ("sigma", 2)),
    ],
)  # fmt: skip
def test_timesteps_of_simpletuner_on_flux(tmp_path, options, flow):
    found = config(tmp_path, model_family="flux", **options)
    assert (found.fault, found.settings.flow.timestep_sampling) == ("", flow[0])
    assert flow[1] is None or found.settings.flow.discrete_flow_shift == flow[1]


def test_folders_of_simpletuner_are_those_that_it_trains_on_here(tmp_path):
    local = {"type": "local", "caption_strategy": "textfile"}
    found = config(tmp_path, [
        {**local, "id": "a", "instance_data_dir": "a", "resolution": 0.5, "resolution_type": "area", "repeats": 2, "crop": True, "minimum_image_size": 64},
        {**local, "id": "off", "instance_data_dir": "off", "disabled": True}, {**local, "id": "held", "instance_data_dir": "held", "dataset_type": "eval"},
        {**local, "id": "poses", "instance_data_dir": "poses", "dataset_type": "conditioning"}, {"id": "bucket", "type": "aws", "aws_bucket_name": "x"},
        {"id": "b", "type": "local", "instance_data_dir": "b", "is_regularisation_data": True}, {"id": "texts", "dataset_type": "text_embeds", "type": "local", "cache_dir": "c"},
    ])  # fmt: skip
    s = found.settings
    assert [(str(d.path), d.repeats, d.resolution, d.is_reg) for d in s.datasets] == [("a", 3, 704, False), ("b", None, None, True)]
    assert str(s.validation.path) == "held"
    assert {"off: disabled", "poses: dataset_type", "bucket: type", "b: caption_strategy", "a: crop"} <= left(found).keys()
    assert not found.of("import.unknown")


def test_an_example_of_simpletuner_for_flux(tmp_path):
    found = config(
        tmp_path, model_family="flux", base_model_precision="int8-quanto", checkpoint_step_interval=10, controlnet=False, disable_bucket_pruning=True,
        flow_schedule_shift=3, fuse_qkv_projections=False, grad_clip_method="value", learning_rate=1e-4, lora_alpha=16, lora_rank=16, lora_type="standard",
        lr_scheduler="constant", max_train_steps=100, num_train_epochs=0, num_eval_images=25, optimizer="adamw_bf16", output_dir="out", push_to_hub=False,
        quantize_via="cpu", report_to="none", seed=42, tracker_project_name="t", train_batch_size=1, use_ema=False, vae_batch_size=1, validation_guidance=4.0,
        validation_disable_unconditional=True, validation_guidance_rescale=0.0, validation_num_inference_steps=16, validation_prompt="a sign",
        validation_prompt_library=False, validation_resolution="1024x768", validation_seed=42, validation_steps=50, hub_model_id="x",
    )  # fmt: skip
    s = found.settings
    assert (found.fault, found.of("import.unknown")) == ("", [])
    assert (s.base.quantize, s.samples.width, s.samples.height, s.samples.every_n_steps, s.training.max_train_steps) == (
        "int8",
        1024,
        768,
        50,
        100,
    )


@pytest.mark.parametrize("value", [5, -1, 0.5, None, True, "x", "inf", [], [1], {}, {"a": 1}, 1e300])
def test_no_value_of_the_options_that_are_read_together_is_a_traceback(tmp_path, value):
    for name in ("ema", "ema_decay", "ema_update_step_interval", "gradient_accumulation_steps", "learning_rate_warmup_steps", "save_every", "sample_after",
                 "timestep_distribution", "noising_bias", "timestep_shift", "peft_type", "lokr_dim", "samples", "learning_rate_scheduler"):  # fmt: skip
        preset(tmp_path, "FLUX_DEV_1", **{name: value, "save_every_unit": "STEP", "sample_after_unit": "STEP"})
    imported(tmp_path, {"training_method": "LORA", "base_model_name": "b", "concepts": value})
    imported(
        tmp_path,
        {"training_method": "LORA", "base_model_name": "b", "concepts": [{"path": "a", "text": value, "image": value, "balancing": value}]},
    )
    for name in ("offset_noise", "noise_offset", "grad_clip_method", "max_grad_norm", "flux_lora_target", "flow_schedule_shift", "flow_sigmoid_scale", "use_ema",
                 "ema_decay", "resolution", "resolution_type", "max_train_steps", "validation_resolution", "checkpoint_step_interval"):  # fmt: skip
        config(tmp_path, model_family="flux", **{name: value})
    for name in ("instance_data_dir", "resolution", "disabled", "dataset_type", "repeats", "caption_strategy", "id"):
        config(tmp_path, [{"id": "a", "type": "local", "instance_data_dir": "a", name: value}])
    for name in ("optimizer", "lr", "ema_config", "lr_scheduler", "max_denoising_steps", "timestep_type", "lr_scheduler_params"):
        job(tmp_path, FLUX, train={name: value})
    for name in ("resolution", "folder_path", "caption_ext", "network_weight", "keep_tokens"):
        job(tmp_path, datasets=[{"folder_path": "a", name: value}])


@pytest.mark.parametrize(
    ("options", "rate"),
    [
        ({"lr_scale": True, "train_batch_size": 2, "gradient_accumulation_steps": 8}, 16e-5),
        ({"lr_scale": "true", "lr_scale_sqrt": True, "train_batch_size": 2, "gradient_accumulation_steps": 8}, 4e-5),
        ({"lr_scale": True}, 4e-5), ({"lr_scale_sqrt": True}, 1e-5), ({}, 1e-5),
    ],
)  # fmt: skip
def test_the_rate_of_simpletuner_is_scaled_by_the_pictures_of_a_step(tmp_path, options, rate):
    found = config(tmp_path, learning_rate=1e-5, lr_scheduler="polynomial", lr_end=1e-6, max_train_steps=100, **options)
    assert found.settings.optimizer.learning_rate == pytest.approx(rate)
    assert found.settings.schedule.lr_scheduler_min_lr_ratio == pytest.approx(1e-6 / rate, rel=1e-4)
    assert ("lr_scale" in said(found)["learning_rate"]) == ("lr_scale" in options)
    assert not {"lr_scale", "lr_scale_sqrt"} & left(found).keys()


@pytest.mark.parametrize(
    ("scaler", "scale"), [("NONE", 1), ("BATCH", 2), ("GLOBAL_BATCH", 2), ("GRADIENT_ACCUMULATION", 3), ("BOTH", 6), ("GLOBAL_BOTH", 6)]
)
def test_rates_of_onetrainer_are_scaled_by_the_pictures_of_a_step(tmp_path, scaler, scale):
    rates = {"learning_rate": 1e-4, "text_encoder": {"learning_rate": 2e-5}}
    found = preset(tmp_path, learning_rate_scaler=scaler, batch_size=4, gradient_accumulation_steps=9, **rates)
    optimizer = found.settings.optimizer
    assert (optimizer.learning_rate, optimizer.text_encoder_lr) == (pytest.approx(1e-4 * scale), pytest.approx(2e-5 * scale))
    assert ("learning_rate_scaler" in said(found)["learning_rate"]) == (scale != 1)
    assert "learning_rate_scaler" not in left(found)


def test_layers_that_onetrainer_leaves_out_of_the_text_encoder_are_clip_skip(tmp_path):
    assert preset(tmp_path, "STABLE_DIFFUSION_15", text_encoder_layer_skip=1).settings.base.clip_skip == 2
    assert preset(tmp_path, "STABLE_DIFFUSION_15", text_encoder_layer_skip=0).settings.base.clip_skip == 1
    assert "text_encoder_layer_skip" in left(preset(tmp_path, text_encoder_layer_skip=1))


# -- sd-scripts: a configuration without its script -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        ('network_module="networks.lora_flux"',),
        ('network_module="lycoris.kohya"', 'network_args=["algo=lokr"]', 'clip_l="c"', 'ae="a"', 't5xxl="t"'),
        ('model_train_type="flux-lora"', 'network_module="lycoris.kohya"'),
    ],
)
def test_a_configuration_without_its_script_is_for_the_family_that_its_options_are_of(tmp_path, lines):
    found = sd_scripts(tmp_path, *lines, 'timestep_sampling="shift"', "discrete_flow_shift=3.1582", "guidance_scale=1.0")
    flow = found.settings.flow
    assert (flow.timestep_sampling, flow.discrete_flow_shift, flow.model_prediction_type) == ("shift", 3.1582, "sigma_scaled")
    assert not {"timestep_sampling", "discrete_flow_shift", "guidance_scale"} & left(found).keys()


def test_base_weights_are_merged_each_by_its_multiplier(tmp_path):
    found = sd_scripts(tmp_path, 'base_weights=["a.safetensors", "b.safetensors"]', "base_weights_multiplier=[0.5]")
    assert [(str(each.path), each.strength) for each in found.settings.base.merge] == [("a.safetensors", 0.5), ("b.safetensors", 1.0)]
    (tmp_path / "a.sh").write_text(
        "accelerate launch train_network.py --train_data_dir p --base_weights a.safetensors --base_weights_multiplier 0.7"
    )
    found = import_settings(tmp_path / "a.sh", base="b")
    assert [(str(each.path), each.strength) for each in found.settings.base.merge] == [("a.safetensors", 0.7)]
    assert "base_weights_multiplier" in sd_scripts(tmp_path, "base_weights_multiplier=[0.5]").off


def test_a_caption_extension_that_is_left_out_is_noted(tmp_path):
    def notes(*lines):
        return [each.message for each in sd_scripts(tmp_path, *lines).of("import.note")]

    assert any(note.startswith("caption_extension is left out") and ".caption alone" in note for note in notes())
    assert notes('caption_extension=".txt"') == []


def test_an_optional_part_alone_tells_no_family(tmp_path):
    assert "flow models" in left(sd_scripts(tmp_path, 'ae="a"', 'timestep_sampling="shift"'))["timestep_sampling"]


def test_a_configuration_without_its_script_is_for_the_family_of_its_base(tmp_path):
    from tests.models.toys import toy_folder

    base = f"pretrained_model_name_or_path='{toy_folder('sdxl').as_posix()}'"
    assert "ignores it for this family" in left(sd_scripts(tmp_path, base, "clip_skip=2"))["clip_skip"]
    assert "clip_skip" not in left(sd_scripts(tmp_path, "clip_skip=2"))


def test_what_sd_trainer_trains_besides_loras_is_refused(tmp_path):
    found = sd_scripts(tmp_path, 'model_train_type="sdxl-finetune"')
    assert found.settings is None
    assert "sdxl-lora" in found.fault


def test_prompts_are_read_from_a_file_beside_the_settings(tmp_path):
    (tmp_path / "prompts.txt").write_text("a lamp --s 20\n", encoding="utf-8")
    for name in ("prompts.txt", r"C:\\train\\prompts.txt"):
        found = sd_scripts(tmp_path, f'sample_prompts="{name}"')
        assert (found.settings.samples.prompts, found.settings.samples.steps) == (["a lamp"], 20)
    (tmp_path / "prompts.txt").write_bytes("a größe".encode("cp1252"))
    assert "not UTF-8" in left(sd_scripts(tmp_path, 'sample_prompts="prompts.txt"'))["sample_prompts"]


def test_numbers_that_are_written_as_text_are_off_at_0(tmp_path):
    found = sd_scripts(tmp_path, 'network_dim="8"', 'network_alpha="0"', 'scale_weight_norms="0"', 'learning_rate="1e-4"')
    assert (found.settings.network.alpha, found.settings.network.scale_weight_norms, found.settings.optimizer.learning_rate) == (
        8,
        None,
        1e-4,
    )
    assert found.fault == ""
