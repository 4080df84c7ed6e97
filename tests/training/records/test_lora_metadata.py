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
    "flux": ("flux1", "False", "networks.lora_flux", "flux-1-dev/lora", None, "None"),
}
OF_ALL = {
    "ss_network_dim": "2", "ss_network_alpha": "2.0", "ss_resolution": SIDES, "ss_num_train_images": "10", "ss_num_reg_images": "2", "ss_epoch": "1",
    "ss_num_epochs": "1", "ss_steps": "1", "ss_max_train_steps": "1", "ss_seed": "42", "ss_mixed_precision": "no", "ss_batch_size_per_device": "2",
    "ss_total_batch_size": "2", "ss_gradient_accumulation_steps": "1", "ss_learning_rate": "0.001", "ss_optimizer": "torch.optim.adamw.AdamW",
    "ss_clip_skip": "1", "ss_output_name": "toy", "ss_enable_bucket": "True", "ss_dataset_dirs": '{"2_anna": {"n_repeats": 2, "img_count": 5}}',
    "ss_reg_dataset_dirs": '{"1_girl": {"n_repeats": 1, "img_count": 2}}', "modelspec.sai_model_spec": "1.0.1", "modelspec.title": "toy",
    "modelspec.resolution": f"{PICTURE}x{PICTURE}", "modelspec.trigger_phrase": "zorvex", "modelspec.usage_hint": "Trigger word: zorvex",
    "modelspec.implementation_version": "lorasmith/0.1.0",
}  # fmt: skip


@pytest.mark.parametrize("family", OF_FAMILY)
def test_a_file_says_what_tools_read_and_nothing_private(settings_for, creatures, tmp_path, family):
    """The run, its pictures, cache and base are in a folder whose name must be in no file."""
    root = tmp_path / MARKER
    pictures, reg = root / "2_anna", root / "1_girl"
    shutil.copytree(creatures, pictures)
    reg.mkdir()
    for number in range(2):
        shutil.copy(creatures / f"{number}.png", reg)
        (reg / f"{number}.txt").write_text("girl")
    shutil.copytree(toy_folder(family), root / "base")
    settings = settings_for(
        base={"path": str(root / "base")}, datasets=[{"path": str(pictures)}, {"path": str(reg), "is_reg": True}], cache=str(root / "cache"),
        buckets={"resolution": PICTURE, "min_bucket_reso": 32, "max_bucket_reso": 2 * PICTURE, "bucket_reso_steps": 16},
        training={"epochs": None, "max_train_steps": 1, "batch_size": 2, "balance_reg": False},
    )  # fmt: skip
    file = train(settings, root / "run").file
    metadata = read_lora_header(file).metadata
    version, v2, module, architecture, prediction, gamma = OF_FAMILY[family]
    wanted = OF_ALL | {
        "ss_base_model_version": version, "ss_v2": v2, "ss_network_module": module, "modelspec.architecture": architecture,
        "modelspec.prediction_type": prediction, "ss_min_snr_gamma": gamma, "ss_sd_model_name": "base", "ss_new_sd_model_hash": "None",
    }  # fmt: skip
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
