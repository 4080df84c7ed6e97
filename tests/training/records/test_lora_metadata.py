"""What a file of each family says to the tools that read it, and that nothing in it is private."""

import json
import shutil

import pytest

from lorasmith.adapters.files.header import read_lora_header
from lorasmith.library.privacy import private_entries
from lorasmith.training.run import train
from tests.models.single_files import write_single_file
from tests.models.toys import PICTURE, toy_folder

MARKER = "geheim"
SIDES = f"({PICTURE}, {PICTURE})"
OF_FAMILY = {
    "sd1": ("sd_v1", "False", "networks.lora", "stable-diffusion-v1/lora", "epsilon", "5.0"),
    "sd2": ("sd_v2_v", "True", "networks.lora", "stable-diffusion-v2-768-v/lora", "v", "5.0"),
    "sdxl": ("sdxl_base_v1-0", "False", "networks.lora", "stable-diffusion-xl-v1-base/lora", "epsilon", "5.0"),
    "sdxl-v": ("sdxl_base_v1-0", "False", "networks.lora", "stable-diffusion-xl-v1-base/lora", "v", "5.0"),
    "flux": ("flux1", "False", "networks.lora_flux", "flux-1-dev/lora", None, "None"),
}
OF_FLUX = {
    "ss_model_type": "flux", "ss_apply_t5_attn_mask": "False", "ss_weighting_scheme": "uniform", "ss_timestep_sampling": "flux_shift", "ss_guidance_scale": "1.0",
}  # fmt: skip
OF_ALL = {
    "ss_network_dim": "2", "ss_network_alpha": "2.0", "ss_resolution": SIDES, "ss_num_train_images": "10", "ss_num_reg_images": "2", "ss_epoch": "1",
    "ss_num_epochs": "1", "ss_steps": "1", "ss_max_train_steps": "1", "ss_seed": "42", "ss_mixed_precision": "no", "ss_batch_size_per_device": "2",
    "ss_total_batch_size": "2", "ss_gradient_accumulation_steps": "1", "ss_learning_rate": "0.001", "ss_optimizer": "torch.optim.adamw.AdamW",
    "ss_clip_skip": "1", "ss_output_name": "toy", "ss_enable_bucket": "True", "ss_dataset_dirs": '{"2_anna": {"n_repeats": 2, "img_count": 5}}',
    "ss_reg_dataset_dirs": '{"1_girl": {"n_repeats": 1, "img_count": 2}}', "modelspec.sai_model_spec": "1.0.1", "modelspec.title": "toy",
    "modelspec.resolution": f"{PICTURE}x{PICTURE}", "modelspec.trigger_phrase": "zorvex", "modelspec.usage_hint": "Trigger word: zorvex",
    "modelspec.implementation_version": "lorasmith/0.1.0", "ss_cache_latents": "True", "ss_full_fp16": "False", "ss_fp8_base": "False",
    "ss_fp8_base_unet": "False", "ss_lowram": "False", "ss_face_crop_aug_range": "None", "ss_resize_interpolation": "lanczos",
    "ss_num_validation_images": "0", "ss_validation_split": "0.0", "ss_validation_seed": "None", "ss_validate_every_n_epochs": "None",
    "ss_validate_every_n_steps": "None", "ss_flip_aug": "False", "ss_color_aug": "False", "ss_random_crop": "False", "ss_shuffle_caption": "True",
    "ss_keep_tokens": "1", "ss_min_bucket_reso": "32", "ss_max_bucket_reso": str(2 * PICTURE), "ss_bucket_no_upscale": "False", "ss_datasets": None,
}  # fmt: skip


@pytest.mark.parametrize("family", OF_FAMILY)
def test_a_file_says_what_tools_read_and_nothing_private(settings_with_cache, creatures, tmp_path, family):
    """The run, its pictures, cache and base are in a folder whose name must be in no file."""
    root = tmp_path / MARKER
    pictures, reg = root / "2_anna", root / "1_girl"
    shutil.copytree(creatures, pictures)
    reg.mkdir()
    for number in range(2):
        shutil.copy(creatures / f"{number}.png", reg)
        (reg / f"{number}.txt").write_text("girl")
    shutil.copytree(toy_folder(family), root / "base")
    settings = settings_with_cache(
        root / "cache", base={"path": str(root / "base")}, datasets=[{"path": str(pictures)}, {"path": str(reg), "is_reg": True}],
        buckets={"resolution": PICTURE, "min_bucket_reso": 32, "max_bucket_reso": 2 * PICTURE, "bucket_reso_steps": 16},
        training={"epochs": None, "max_train_steps": 1, "batch_size": 2, "balance_reg": False},
    )  # fmt: skip
    file = train(settings, root / "run").file
    metadata = read_lora_header(file).metadata
    version, v2, module, architecture, prediction, gamma = OF_FAMILY[family]
    wanted = OF_ALL | {
        "ss_base_model_version": version, "ss_v2": v2, "ss_network_module": module, "modelspec.architecture": architecture,
        "modelspec.prediction_type": prediction, "ss_min_snr_gamma": gamma, "ss_sd_model_name": "base", "ss_new_sd_model_hash": "None",
        "ss_zero_terminal_snr": str(family == "sdxl-v"),
    }  # fmt: skip
    wanted |= OF_FLUX if family == "flux" else dict.fromkeys(OF_FLUX)
    assert {key: metadata.get(key) for key in wanted} == wanted
    assert all(isinstance(value, str) for value in metadata.values())
    assert MARKER.encode() not in file.read_bytes()
    assert set(private_entries(metadata)) <= {
        "ss_dataset_dirs",
        "ss_reg_dataset_dirs",
        "ss_tag_frequency",
        "ss_training_comment",
        "lorasmith_settings",
    }
    assert json.loads(metadata["ss_bucket_info"])["buckets"]


def test_datasets_that_differ_are_described_each_for_itself(settings_for, creatures, tmp_path):
    """kohya's form of it; what is not true of all folders is not said of the file."""
    small, large = tmp_path / MARKER / "2_anna", tmp_path / MARKER / "1_large"
    shutil.copytree(creatures, small)
    shutil.copytree(creatures, large)
    settings = settings_for(
        datasets=[{"path": str(small), "flip_aug": True}, {"path": str(large), "resolution": 2 * PICTURE, "batch_size": 1, "keep_tokens": 3}],
        buckets={"resolution": PICTURE, "min_bucket_reso": 32, "max_bucket_reso": 2 * PICTURE, "bucket_reso_steps": 16},
        captions={"trigger": "zorvex", "shuffle_caption": True}, training={"epochs": None, "max_train_steps": 1, "batch_size": 2},
    )  # fmt: skip
    file = train(settings, tmp_path / "run").file
    metadata = read_lora_header(file).metadata
    first, second = json.loads(metadata["ss_datasets"])
    assert (first["resolution"], first["batch_size_per_device"], first["num_train_images"]) == ([PICTURE, PICTURE], 2, 10)
    assert (second["resolution"], second["batch_size_per_device"], second["num_train_images"]) == ([2 * PICTURE, 2 * PICTURE], 1, 5)
    own = [
        {key: dataset["subsets"][0][key] for key in ("image_dir", "num_repeats", "flip_aug", "keep_tokens")} for dataset in (first, second)
    ]
    assert own == [
        {"image_dir": "2_anna", "num_repeats": 2, "flip_aug": True, "keep_tokens": 1},
        {"image_dir": "1_large", "num_repeats": 1, "flip_aug": False, "keep_tokens": 3},
    ]
    assert first["tag_frequency"].keys() == {"2_anna"}
    assert sum(bucket["count"] for bucket in second["bucket_info"]["buckets"].values()) == 5
    assert metadata.keys().isdisjoint(
        {"ss_resolution", "ss_batch_size_per_device", "ss_total_batch_size", "ss_flip_aug", "ss_keep_tokens", "ss_max_bucket_reso"}
    )
    assert metadata["ss_shuffle_caption"] == "True"
    assert MARKER.encode() not in file.read_bytes()


def test_a_base_in_one_file_is_known_by_that_files_hashes(settings_for, tmp_path):
    import hashlib

    base = write_single_file(toy_folder("sd1"), tmp_path / "anime.safetensors")
    settings = settings_for(
        base={"path": str(base), "config": str(toy_folder("sd1"))}, training={"epochs": None, "max_train_steps": 1},
        buckets={"resolution": PICTURE, "min_bucket_reso": 32, "max_bucket_reso": 2 * PICTURE, "bucket_reso_steps": 16},
    )  # fmt: skip
    metadata = read_lora_header(train(settings, tmp_path / "run").file).metadata
    content = base.read_bytes()
    assert metadata["ss_sd_model_name"] == "anime.safetensors"
    assert metadata["ss_new_sd_model_hash"] == hashlib.sha256(content).hexdigest()
    assert metadata["ss_sd_model_hash"] == hashlib.sha256(content[0x100000:0x110000]).hexdigest()[:8]
