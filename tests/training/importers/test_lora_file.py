"""A LoRA file's metadata becomes the settings of its training, by its header alone."""

import contextlib
import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from lorasmith.errors import LorasmithError, SettingsError
from lorasmith.training.importers.import_settings import import_settings
from lorasmith.training.records.lora_metadata import settings_without_folders
from lorasmith.training.settings.tree import settings_from
from tests.reference import FOLDER

UNET, ENCODER = (
    "lora_unet_down_blocks_1_attentions_0_proj_in.lora_down.weight",
    "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight",
)
KOHYA = {
    "ss_base_model_version": "sd_v1", "ss_v2": "False", "ss_sd_model_name": "anime.safetensors", "ss_output_name": "zorvex", "ss_learning_rate": "0.0001",
    "ss_unet_lr": "0.0002", "ss_text_encoder_lr": "5e-05", "ss_network_module": "networks.lora", "ss_network_dim": "32", "ss_network_alpha": "16.0",
    "ss_network_args": '{"conv_dim": "8", "conv_alpha": "4"}', "ss_network_dropout": "None", "ss_max_train_steps": "1500", "ss_num_epochs": "10",
    "ss_batch_size_per_device": "2", "ss_total_batch_size": "2", "ss_resolution": "(512, 640)", "ss_enable_bucket": "True", "ss_min_bucket_reso": "256",
    "ss_max_bucket_reso": "1024", "ss_bucket_no_upscale": "False", "ss_optimizer": "bitsandbytes.optim.adamw.AdamW8bit(weight_decay=0.1,betas=(0.9, 0.99))",
    "ss_lr_scheduler": "cosine", "ss_lr_warmup_steps": "150", "ss_min_snr_gamma": "5.0", "ss_noise_offset": "0.05", "ss_clip_skip": "2", "ss_seed": "7",
    "ss_shuffle_caption": "True", "ss_keep_tokens": "1", "ss_mixed_precision": "bf16", "ss_full_fp16": "False", "ss_gradient_accumulation_steps": "1",
    "ss_caption_dropout_rate": "0.05", "ss_huber_schedule": "snr", "ss_huber_c": "0.1", "ss_loss_type": "l2", "ss_max_token_length": "None",
    "ss_gradient_checkpointing": "True", "ss_flip_aug": "False", "ss_session_id": "123", "ss_training_started_at": "1.5", "ss_epoch": "10", "ss_steps": "1500",
    "ss_dataset_dirs": '{"10_zorvex": {"n_repeats": 10, "img_count": 20}}', "ss_reg_dataset_dirs": '{"1_girl": {"n_repeats": 1, "img_count": 90}}',
    "ss_tag_frequency": '{"10_zorvex": {"zorvex": 20}}', "sshs_model_hash": "0", "modelspec.title": "zorvex", "ss_custom_thing": "3",
}  # fmt: skip


def lora(tmp_path, metadata, tensors=(UNET, ENCODER), name="a.safetensors", dtype="F16"):
    """A file with one number a tensor."""
    header = {"__metadata__": metadata} if metadata else {}
    header |= {key: {"dtype": dtype, "shape": [1], "data_offsets": [2 * n, 2 * n + 2]} for n, key in enumerate(tensors)}
    text = json.dumps(header).encode()
    (tmp_path / name).write_bytes(struct.pack("<Q", len(text)) + text + bytes(2 * len(tensors)))
    return tmp_path / name


def read(tmp_path, metadata, **more):
    return import_settings(lora(tmp_path, metadata, **more))


def test_the_metadata_of_sd_scripts_becomes_settings(tmp_path):
    found = read(tmp_path, KOHYA)
    s = found.settings
    assert found.fault == ""
    assert (str(s.base.path), s.name, s.base.clip_skip) == ("anime.safetensors", "zorvex", 2)
    assert [(str(d.path), d.repeats, d.is_reg) for d in s.datasets] == [("10_zorvex", 10, False), ("1_girl", 1, True)]
    assert (s.network.kind, s.network.rank, s.network.alpha, s.network.conv_rank, s.network.conv_alpha) == ("lora", 32, 16, 8, 4)
    assert (s.optimizer.type, s.optimizer.unet_lr, s.optimizer.text_encoder_lr) == ("AdamW8bit", 2e-4, 5e-5)
    assert s.optimizer.args == {"weight_decay": 0.1, "betas": [0.9, 0.99]}
    assert (s.schedule.lr_scheduler, s.schedule.lr_warmup_steps, s.training.max_train_steps, s.training.epochs) == (
        "cosine",
        150,
        1500,
        None,
    )
    assert (s.buckets.resolution, s.training.batch_size, s.training.seed, s.training.mixed_precision) == ((512, 640), 2, 7, "bf16")
    assert (s.loss.min_snr_gamma, s.noise.noise_offset, s.captions.keep_tokens, s.captions.caption_dropout_rate) == (5, 0.05, 1, 0.05)
    assert (s.network.train_unet, s.network.train_text_encoder, s.checkpoints.save_precision) == (True, True, "fp16")
    assert [each.subjects for each in found.of("import.unknown")] == [("ss_custom_thing",)]
    assert any("does not hold where the base" in each.message for each in found.of("import.note"))
    assert any("anime.safetensors" in each.message for each in found.of("import.missing_path"))


def test_what_is_off_in_the_metadata_is_off(tmp_path):
    s = read(tmp_path, {**KOHYA, "ss_min_snr_gamma": "None", "ss_noise_offset": "None"}).settings
    assert (s.loss.min_snr_gamma, s.noise.noise_offset) == (0, 0)


@pytest.mark.parametrize(("tensors", "trained"), [((UNET,), (True, False)), ((ENCODER,), (False, True)), ((UNET, ENCODER), (True, True))])
def test_the_tensors_say_which_parts_were_trained(tmp_path, tensors, trained):
    network = read(tmp_path, {**KOHYA, "ss_unet_lr": "None", "ss_text_encoder_lr": "None"}, tensors=tensors).settings.network
    assert (network.train_unet, network.train_text_encoder) == trained


def test_a_dataset_configuration_in_the_metadata_has_its_folders_own_options(tmp_path):
    subsets = [{"img_count": 3, "num_repeats": 4, "flip_aug": True, "keep_tokens": 2, "image_dir": "anna", "class_tokens": None, "is_reg": False},
               {"img_count": 3, "num_repeats": 1, "flip_aug": False, "keep_tokens": 0, "image_dir": "reg", "is_reg": True}]  # fmt: skip
    datasets = [
        {
            "is_dreambooth": True,
            "batch_size_per_device": 3,
            "resolution": [768, 768],
            "enable_bucket": True,
            "max_bucket_reso": 1536,
            "subsets": subsets,
        }
    ]
    tree = {
        key: value
        for key, value in KOHYA.items()
        if key not in ("ss_dataset_dirs", "ss_reg_dataset_dirs", "ss_resolution", "ss_batch_size_per_device")
    }
    found = read(tmp_path, {**tree, "ss_datasets": json.dumps(datasets)})
    s = found.settings
    assert [(str(d.path), d.repeats, d.is_reg, d.flip_aug) for d in s.datasets] == [("anna", 4, False, True), ("reg", 1, True, False)]
    assert (s.buckets.resolution, s.buckets.max_bucket_reso, s.training.batch_size) == (768, 1536, 3)


def test_a_flux_file_has_its_timesteps(tmp_path):
    flux = {"ss_base_model_version": "flux1", "ss_network_module": "networks.lora_flux", "ss_timestep_sampling": "shift", "ss_discrete_flow_shift": "3.1582",
            "ss_model_prediction_type": "raw", "ss_guidance_scale": "1.0", "ss_sigmoid_scale": "1.0", "ss_clip_skip": "None", "ss_noise_offset": "None",
            "ss_text_encoder_lr": "[5e-05, 1e-05]", "ss_network_args": "{}"}  # fmt: skip
    found = read(tmp_path, {**KOHYA, **flux})
    assert (found.fault, found.settings.flow.timestep_sampling, found.settings.flow.discrete_flow_shift) == ("", "shift", 3.1582)
    assert found.settings.optimizer.text_encoder_lr == 5e-5


def test_a_v_prediction_base_is_named(tmp_path):
    assert read(tmp_path, {**KOHYA, "ss_base_model_version": "sd_v2_v"}).settings.base.prediction_type == "v_prediction"


def test_our_own_file_holds_its_settings(tmp_path):
    settings = settings_from({
        "base": {"path": "/models/base.safetensors", "clip_skip": 2}, "datasets": [{"path": "/data/anna", "repeats": 3, "flip_aug": True}],
        "network": {"rank": 8, "layers": [{"pattern": "IN*", "exclude": True}]}, "optimizer": {"type": "AdamW", "args": {"weight_decay": 0.1}},
        "training": {"epochs": 4}, "buckets": {"resolution": [512, 768]}, "captions": {"trigger": "zorvex"},
    })  # fmt: skip
    found = read(tmp_path, {"lorasmith_settings": json.dumps(settings_without_folders(settings))})
    base, folder = {"base": {"path": "base.safetensors", "clip_skip": 2}}, {"path": "anna", "repeats": 3, "flip_aug": True}
    assert found.settings == settings_from({**settings.model_dump(mode="json", exclude_none=True), **base, "datasets": [folder]})
    assert (found.form, found.fault) == ("a LoRA file of Lorasmith", "")
    assert "training.seed" not in {each.ours for each in found.carried}  # what is as usual needs no line
    assert any("last part of their paths" in each.message for each in found.of("import.note"))


def test_a_section_of_a_newer_lorasmith_is_named_and_the_others_are_read(tmp_path):
    tree = {
        "version": 2,
        "base": {"path": "b"},
        "datasets": [{"path": "pics"}],
        "training": {"epochs": 4},
        "dreams": {"depth": 3},
        "hue": 1,
    }
    found = read(tmp_path, {"lorasmith_settings": json.dumps(tree)})
    assert (found.fault, found.settings.training.epochs) == ("", 4)
    assert {each.subjects for each in found.of("import.unknown")} == {("dreams",), ("hue",)}


def test_a_file_of_onetrainer_with_its_settings(tmp_path):
    config = {
        "training_method": "LORA",
        "model_type": "STABLE_DIFFUSION_15",
        "base_model_name": "b",
        "lora_rank": 12,
        "concepts": [{"path": "pics"}],
    }
    found = read(tmp_path, {"ot_branch": "master", "ot_revision": "1", "ot_config": json.dumps(config)})
    assert (found.fault, found.settings.network.rank, str(found.settings.datasets[0].path)) == ("", 12, "pics")
    assert found.form == "a LoRA file with OneTrainer's settings in it"


def test_a_file_of_diffusers_holds_the_network_alone(tmp_path):
    peft = {
        "unet.r": 8,
        "unet.lora_alpha": 4,
        "unet.use_dora": True,
        "unet.target_modules": ["to_k", "to_q"],
        "text_encoder.r": 4,
        "unet.use_rslora": False,
    }
    found = import_settings(lora(tmp_path, {"lora_adapter_metadata": json.dumps(peft)}), base="b", datasets=["pics"])
    n = found.settings.network
    assert (found.fault, n.rank, n.alpha, n.dora, n.train_text_encoder) == ("", 8, 4, True, True)
    assert [each.subjects for each in found.of("import.not_carried")] == [("unet.target_modules",), ("text_encoder.r",)]


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({}, "no settings in its metadata"), ({"modelspec.title": "x"}, "no settings in its metadata"), ({"ot_revision": "1"}, "OneTrainer, which writes"),
        ({"software": '{"name": "ai-toolkit"}', "ss_output_name": "x"}, "ai-toolkit, whose settings"), ({"lorasmith_settings": "{"}, "damaged lorasmith_settings"),
        ({"ot_config": "[]"}, "damaged ot_config"), ({**KOHYA, "ss_base_model_version": "hunyuan-image-2.1"}, "was trained on hunyuan-image-2.1"),
        ({**KOHYA, "ss_dataset_dirs": "{"}, "damaged ss_dataset_dirs"),
    ],
)  # fmt: skip
def test_a_file_without_settings_is_refused_by_name(tmp_path, metadata, words):
    with pytest.raises(SettingsError, match=words) as raised:
        read(tmp_path, metadata)
    assert "a.safetensors" in str(raised.value)
    assert raised.value.code.startswith("import.")


@pytest.mark.parametrize("data", [b"", b"x", b"\xff" * 64, struct.pack("<Q", 4) + b"null"])
def test_a_damaged_file_is_one_sentence(tmp_path, data):
    (tmp_path / "a.safetensors").write_bytes(data)
    with pytest.raises(LorasmithError, match=r"a\.safetensors"):
        import_settings(tmp_path / "a.safetensors")


@pytest.mark.parametrize("text", ["", "None", "[]", "{}", "x", "-1", "1e400", "true", '{"a": 1}', "[[1]]", '"x"', "(1"])
def test_no_text_in_the_metadata_is_a_traceback(tmp_path, text):
    for name in [*KOHYA, "ss_datasets"]:
        with contextlib.suppress(SettingsError):
            read(tmp_path, {**KOHYA, name: text})


def test_a_lora_file_is_read_without_torch(tmp_path):
    file = lora(tmp_path, KOHYA)
    program = f"import sys; from lorasmith.training.importers.import_settings import import_settings; import_settings({str(file)!r}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


PEERS = FOLDER / "11_loras"


@pytest.mark.skipif(not PEERS.is_dir(), reason="the peers' LoRA files are not on this machine")
@pytest.mark.parametrize("file", sorted(PEERS.glob("*.safetensors")), ids=lambda file: file.stem)
def test_a_file_whose_metadata_are_of_the_network_alone_gets_no_rates_that_nobody_chose(file):
    """sd-scripts' own defaults are what an option means that is left out of a command, and not of a file that is silent about its training."""
    found = import_settings(file, Path("anime.safetensors"), [Path("zorvex")])
    ours = settings_from({"name": "x", "base": {"path": "anime.safetensors"}, "datasets": [{"path": "zorvex"}]})
    assert (found.settings.network.kind, found.settings.network.rank, found.settings.network.alpha) == ("lora", 8, 4)
    assert (found.settings.optimizer, found.settings.schedule, found.settings.loss) == (ours.optimizer, ours.schedule, ours.loss)
    assert found.settings.buckets == ours.buckets
    assert any("of the network alone" in each.message for each in found.of("import.note"))
