"""Options that change each other's meaning, and values that must not become another network, optimizer or schedule in silence."""

import json

import pytest

from lorasmith.errors import SettingsError
from lorasmith.training.importers.import_settings import import_settings

GUI = {
    "LoRA_type": "Standard", "network_dim": 16, "network_alpha": 8, "max_resolution": "512,512", "train_batch_size": 2, "epoch": 8,
    "learning_rate": 1e-4, "unet_lr": 1e-4, "text_encoder_lr": 5e-5, "optimizer": "AdamW", "lr_scheduler": "cosine", "enable_bucket": True,
    "pretrained_model_name_or_path": "base.safetensors", "train_data_dir": "pics",
}  # fmt: skip
FLUX = {**GUI, "LoRA_type": "Flux1", "flux1_checkbox": True, "timestep_sampling": "shift", "ae": "a", "clip_l": "l", "t5xxl": "t"}


def gui(tmp_path, tree=GUI, **more):
    (tmp_path / "gui.json").write_text(json.dumps({**tree, **more}), encoding="utf-8")
    return import_settings(tmp_path / "gui.json")


def toml(tmp_path, more):
    start = 'pretrained_model_name_or_path = "b"\ntrain_data_dir = "2024"\nresolution = 512\nmax_train_epochs = 2\nlearning_rate = 1e-4\n'
    (tmp_path / "c.toml").write_text(start + more, encoding="utf-8")
    return import_settings(tmp_path / "c.toml")


def why(found, option):
    return next(each.why for each in found.findings if each.subjects == (option,))


@pytest.mark.parametrize("args", ["", "warmup_init=True", "relative_step=True scale_parameter=True"])
def test_adafactor_that_finds_its_own_rate_gets_a_usual_one(tmp_path, args):
    found = gui(
        tmp_path, optimizer="Adafactor", optimizer_args=args, unet_lr=1.0, text_encoder_lr=1.0, learning_rate=1.0, lr_scheduler="adafactor"
    )
    o = found.settings.optimizer
    assert (o.type, o.learning_rate, o.unet_lr, o.text_encoder_lr) == ("Adafactor", 1e-4, None, None)
    assert found.settings.schedule.lr_scheduler == "constant"
    assert "relative_step" in why(found, "unet_lr")


def test_adafactor_without_relative_step_keeps_the_rates(tmp_path):
    found = gui(tmp_path, optimizer="adafactor", optimizer_args="relative_step=False scale_parameter=False warmup_init=False")
    assert (found.settings.optimizer.unet_lr, found.settings.optimizer.text_encoder_lr) == (1e-4, 5e-5)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("adamw_8bit", "AdamW8bit"), ("ADAMW-8BIT", "AdamW8bit"), ("PagedAdamW32bit", "AdamW"), ("radam", "torch.optim.RAdam"), ("my.own.Class", "my.own.Class")],
)  # fmt: skip
def test_an_optimizer_is_known_in_any_spelling(tmp_path, theirs, ours):
    assert gui(tmp_path, optimizer=theirs).settings.optimizer.type == ours


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("Cosine", "cosine"), ("cosine-with-restarts", "cosine_with_restarts"), ("CONSTANT_WITH_WARMUP", "constant_with_warmup")],
)
def test_a_schedule_is_known_in_any_spelling(tmp_path, theirs, ours):
    assert gui(tmp_path, lr_scheduler=theirs, lr_warmup=10).settings.schedule.lr_scheduler == ours


DIFFUSION_PIPE = """output_dir = '/data/out'
dataset = 'examples/dataset.toml'
epochs = 1000
micro_batch_size_per_gpu = 1
gradient_accumulation_steps = 1
gradient_clipping = 1.0
save_every_n_epochs = 2
activation_checkpointing = true
[model]
type = 'flux'
diffusers_path = '/data2/FLUX.1-dev'
dtype = 'bfloat16'
[adapter]
type = 'lora'
rank = 32
[optimizer]
lr = 2e-5
betas = [0.9, 0.99]
"""


def test_settings_of_a_trainer_that_is_not_read_do_not_become_the_defaults_of_sd_scripts(tmp_path):
    (tmp_path / "pipe.toml").write_text(DIFFUSION_PIPE, encoding="utf-8")
    with pytest.raises(SettingsError, match="is not of sd-scripts, which does not know its options dataset, .* and .* more\\."):
        import_settings(tmp_path / "pipe.toml", base="b", datasets=["p"])
    assert toml(tmp_path, "a_typing_error = 1\nanother = 2\n").settings is not None


def test_an_empty_number_of_restarts_is_that_of_the_epochs_in_the_gui(tmp_path):
    def cycles(**more):
        return gui(tmp_path, lr_scheduler="cosine_with_restarts", **more).settings.schedule.lr_scheduler_num_cycles

    assert (cycles(lr_scheduler_num_cycles=""), cycles(), cycles(lr_scheduler_num_cycles="3"), cycles(lr_scheduler_num_cycles=1)) == (
        8,
        8,
        3,
        1,
    )
    assert cycles(lr_scheduler_num_cycles="", max_train_steps=500) == 8
    found = gui(tmp_path, lr_scheduler_num_cycles="")
    assert (found.settings.schedule.lr_scheduler, found.settings.schedule.lr_scheduler_num_cycles) == ("cosine", None)


@pytest.mark.parametrize(
    ("module", "conv_dim", "alpha"),
    [("networks.lora", ' "conv_dim=4",', 4), ("lycoris.kohya", ' "conv_dim=4",', 4), ("lycoris.kohya", "", 16)],
)
def test_an_alpha_of_convolutions_of_0_is_their_rank(tmp_path, module, conv_dim, alpha):
    found = toml(tmp_path, f'network_module="{module}"\nnetwork_dim=16\nnetwork_alpha=2\nnetwork_args=[{conv_dim} "conv_alpha=0"]\n')
    assert (found.settings.network.alpha, found.settings.network.conv_alpha) == (2, alpha)


@pytest.mark.parametrize(
    ("option", "ours", "default"),
    [
        ("max_grad_norm", "training.max_grad_norm", 1.0), ("network_alpha", "network.alpha", 1), ("network_dim", "network.rank", 4),
        ("min_bucket_reso", "buckets.min_bucket_reso", 256), ("train_batch_size", "training.batch_size", 1), ("max_timestep", "noise.max_timestep", 1000),
    ],
)  # fmt: skip
def test_what_is_0_in_the_gui_is_not_handed_on(tmp_path, option, ours, default):
    found = gui(tmp_path, **{option: 0})
    section, name = ours.split(".")
    assert getattr(getattr(found.settings, section), name) == default
    assert "nothing that is 0" in why(found, option)
    assert gui(tmp_path, FLUX, guidance_scale=0).settings.flow.guidance_scale == 3.5


def test_a_schedule_is_known_by_its_class(tmp_path):
    found = gui(tmp_path, additional_parameters="--lr_scheduler_type torch.optim.lr_scheduler.CosineAnnealingLR")
    assert found.settings.schedule.lr_scheduler == "cosine"


@pytest.mark.parametrize(
    ("more", "option"),
    [
        ({"optimizer": "adammini"}, "optimizer"), ({"lr_scheduler": "piecewise_constant"}, "lr_scheduler"), ({"network_dim": "big"}, "network_dim"),
        ({"network_dim": 9000}, "network_dim"), ({"network_dim": 0.5}, "network_dim"), ({"network_alpha": -2}, "network_alpha"),
    ],
)  # fmt: skip
def test_what_would_train_something_else_is_refused(tmp_path, more, option):
    found = gui(tmp_path, **more)
    assert found.settings is None
    assert option in found.fault
    assert [each.severity for each in found.of("import.refused")] == ["error"]


def test_a_network_that_is_not_known_is_refused(tmp_path):
    for more in ('network_module = "networks.tlora"', 'network_module = "lycoris.kohya"\nnetwork_args = ["algo=tlora"]'):
        found = toml(tmp_path, more)
        assert found.settings is None
        assert "tlora" in found.fault


@pytest.mark.parametrize("dim", [10_000, 100_000])
def test_a_lokr_of_a_huge_rank_has_whole_matrices(tmp_path, dim):
    found = gui(tmp_path, LoRA_type="LyCORIS/LoKr", network_dim=dim, network_alpha=1, conv_dim=dim, conv_alpha=1, factor=6)
    n = found.settings.network
    assert (n.kind, n.full_matrix, n.factor, found.fault) == ("lokr", True, 6, "")


def test_text_for_a_switch_is_the_switch(tmp_path):
    found = toml(tmp_path, 'enable_bucket = "true"\nshuffle_caption = "false"\nnetwork_train_unet_only = "False"\nflip_aug = "True"\n')
    s = found.settings
    assert (s.buckets.enable_bucket, s.captions.shuffle_caption, s.network.train_text_encoder) == (True, False, True)
    assert (str(s.datasets[0].path), s.datasets[0].flip_aug) == ("2024", True)


def test_a_subset_with_text_for_is_reg_is_no_regularisation(tmp_path):
    text = "[[datasets]]\nresolution = 512\n[[datasets.subsets]]\nimage_dir = 'a'\nis_reg = 'false'\n[[datasets.subsets]]\nimage_dir = 'b'\nflip_aug = true"
    (tmp_path / "d.toml").write_text(text, encoding="utf-8")
    found = import_settings(tmp_path / "d.toml", base="base")
    assert [(d.is_reg, d.flip_aug) for d in found.settings.datasets] == [(False, False), (False, True)]


def test_rows_for_another_family_do_not_reach_flux(tmp_path):
    s = gui(tmp_path, FLUX, weighting_scheme="logit_normal", logit_mean=0.3, timestep_sampling="sigma").settings
    assert (s.flow.weighting_scheme, s.flow.logit_mean) == ("uniform", 0)


def test_t5_is_trained_where_the_page_trains_it(tmp_path):
    assert gui(tmp_path, FLUX, train_t5xxl=True, t5xxl_lr=1e-5).settings.optimizer.text_encoder_2_lr == 1e-5
    assert gui(tmp_path, FLUX, train_t5xxl=False, t5xxl_lr=1e-5).settings.optimizer.text_encoder_2_lr is None


@pytest.mark.parametrize(
    ("more", "patterns"),
    [
        ({"split_mode": True}, ["DOUBLE*"]), ({"train_blocks": "single"}, ["DOUBLE*"]), ({"train_blocks": "double"}, ["SINGLE*"]),
        ({"train_double_block_indices": "0-1,4"}, ["DOUBLE00", "DOUBLE01", "DOUBLE04", "DOUBLE*"]), ({"train_single_block_indices": "all"}, []),
    ],
)  # fmt: skip
def test_the_blocks_of_flux_that_train_become_rules(tmp_path, more, patterns):
    found = gui(tmp_path, FLUX, **more)
    assert [rule.pattern for rule in found.settings.network.layers] == patterns
    assert [rule.exclude for rule in found.settings.network.layers] == [pattern.endswith("*") for pattern in patterns]


def test_a_dataset_config_makes_the_pages_epoch_void(tmp_path):
    (tmp_path / "ds.toml").write_text("[[datasets]]\nresolution = 640\n[[datasets.subsets]]\nimage_dir = 'pics'\n", encoding="utf-8")
    found = gui(tmp_path, dataset_config="ds.toml")
    assert (found.settings.training.max_train_steps, found.settings.training.epochs) == (1600, None)
    assert "1600" in why(found, "epoch")
    assert gui(tmp_path, dataset_config="ds.toml", max_train_epochs=5).settings.training.epochs == 5


@pytest.mark.parametrize(
    ("own", "page"),
    [("learning_rate_te", "Dreambooth"), ("image_folder", "Finetune"), ("num_vectors_per_token", "Textual Inversion")],
)
def test_a_file_of_another_page_is_refused_by_its_name(tmp_path, own, page):
    tree = {key: value for key, value in GUI.items() if key not in ("LoRA_type", "network_dim")}
    with pytest.raises(SettingsError, match=page):
        gui(tmp_path, tree, **{own: 1})


@pytest.mark.parametrize("switch", ["sd3_checkbox", "hunyuan_image_checkbox", "anima_checkbox"])
def test_another_family_is_refused_by_its_name(tmp_path, switch):
    assert gui(tmp_path, **{switch: False}).fault == ""
    with pytest.raises(SettingsError, match="for which kohya_ss's settings are not read"):
        gui(tmp_path, **{switch: True})


def test_the_options_of_a_family_that_has_them_for_itself_are_read(tmp_path):
    own = {"lumina_checkbox": True, "lumina_gemma2": "gemma.safetensors", "lumina_ae": "own.safetensors", "lumina_timestep_sampling": "sigmoid",
           "lumina_discrete_flow_shift": 4.5, "lumina_system_prompt": ""}  # fmt: skip
    found = gui(tmp_path, LoRA_type="Lumina", ae="flux.safetensors", timestep_sampling="sigma", **own)
    s = found.settings
    assert (str(s.base.text_encoder), str(s.base.vae)) == ("gemma.safetensors", "own.safetensors")
    assert (s.flow.timestep_sampling, s.flow.discrete_flow_shift, s.flow.model_prediction_type) == ("sigmoid", 4.5, "raw")


def test_what_the_page_saves_for_other_families_is_no_noise(tmp_path):
    off = {"sd3_clip_l_dropout_rate": 0, "hunyuan_attn_mode": "torch", "anima_sigmoid_scale": 1.0, "lumina_timestep_sampling": "shift",
           "ggpo_beta": 0.01, "train_double_block_indices": "all", "learning_rate_te1": 1e-5, "save_clip": False}  # fmt: skip
    found = gui(tmp_path, **off, min_snr_gama=5)
    assert [each.subjects for each in found.of("import.unknown")] == [("min_snr_gama",)]
    assert "min_snr_gamma" in why(found, "min_snr_gama")
