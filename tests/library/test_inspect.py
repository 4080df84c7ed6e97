"""A LoRA file opened by its header: the same that the tensors say, of any dialect, without torch and without its numbers."""

import json
import math
import subprocess
import sys
import zlib
from collections import Counter

import pytest
import torch

from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.hashes import file_hashes
from lorasmith.adapters.files.lora_file import save_lora
from lorasmith.errors import AdapterError
from lorasmith.library.inspect import inspect, number_of
from lorasmith.library.metadata_words import said_in
from lorasmith.safetensors_header import header_bytes
from tests.reference import FOLDER, reference_json

KEYS = FOLDER / "keys"
listed = pytest.mark.skipif(not KEYS.is_dir(), reason="needs the reference numbers")


def written(path, shapes, metadata=None, numbers=True):
    """A file with such tensors in fp16, sparse: its numbers are zeros that take no space on the disk."""
    rows, end = {}, 0
    for key, shape in shapes.items():
        size = 2 * math.prod(shape)
        rows[key] = {"dtype": "F16", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    head = header_bytes(metadata or {}, rows)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + (end if numbers else 0))
    return path


LISTS = {
    "kohya_keys_sd15": ("sd1", 264), "kohya_keys_sd15_locon": ("sd1", 278), "kohya_keys_sd21": ("sd2", 330), "kohya_keys_sdxl": ("sdxl", 986),
    "kohya_keys_flux": ("flux", 376), "kohya_keys_zimage": ("", 240), "kohya_keys_lumina2": ("", 0), "kohya_keys_anima": ("", 0),
    "everywhere_keys_sd35_medium": ("", 0), "everywhere_keys_qwen_image": ("", 0), "everywhere_keys_flux2_klein4b": ("", 0),
}  # fmt: skip


@listed
@pytest.mark.parametrize("name", LISTS)
def test_every_layer_of_a_trainers_key_list_is_counted_with_its_rank(name, tmp_path):
    record = json.loads((KEYS / f"{name}.json").read_text())
    info = inspect(written(tmp_path / "x.safetensors", record["keys"]))
    assert info.family == LISTS[name][0]
    assert sum(info.kinds.values()) == len(record["modules"])
    assert sum(info.ranks.values()) == len(record["modules"])
    assert not info.unread
    assert sum(block.layers for blocks in info.blocks.values() for block in blocks.values()) == len(record["modules"])
    if not info.family:
        assert any("which is not supported" in note for note in info.notes)


def test_the_header_says_what_the_tensors_say(tmp_path):
    generator = torch.Generator().manual_seed(1)
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    other = "lora_te_text_model_encoder_layers_0_mlp_fc1"
    tensors = {
        f"{name}.lora_down.weight": torch.randn(4, 768, generator=generator), f"{name}.lora_up.weight": torch.randn(320, 4, generator=generator),
        f"{name}.alpha": torch.tensor(2.5), f"{name}.dora_scale": torch.ones(1, 768),
        f"{other}.hada_w1_a": torch.ones(3072, 2), f"{other}.hada_w1_b": torch.ones(2, 768), f"{other}.hada_w2_a": torch.ones(3072, 2),
        f"{other}.hada_w2_b": torch.ones(2, 768), f"{other}.alpha": torch.tensor(1.0),
    }  # fmt: skip
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        save_lora(tmp_path / "x.safetensors", tensors, {"ss_output_name": "mimi", "wandb_api_key": "k" * 40}, dtype)
        info, network = inspect(tmp_path / "x.safetensors"), read_network(tensors)
        layers = network.layers.values()
        assert info.family == network.family
        assert info.kinds == dict(Counter(layer.kind.name for layer in layers)) == {"lora": 1, "loha": 1}
        assert (info.ranks, info.alphas, info.dora) == ({"2": 1, "4": 1}, {"1": 1, "2.5": 1}, 1)
        assert info.blocks["text_encoder"].keys() == {"TE00"}
        assert list(info.precisions) == [str(dtype).removeprefix("torch.")]
        assert info.programs["diffusers"].verdict == "none"
        assert "k" * 40 not in str(info)


def test_a_large_file_is_shown_without_torch_and_without_reading_its_numbers(tmp_path):
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    path = written(tmp_path / "x.safetensors", {f"{name}.lora_down.weight": (1_000_000, 768), f"{name}.lora_up.weight": (320, 1_000_000)})
    assert path.stat().st_size > 2_000_000_000
    program = "import sys; from lorasmith.library.inspect import inspect; print(inspect(sys.argv[1]).ranks, 'torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "{'1000000': 1} False"


def test_what_is_no_lora_or_damaged_is_refused(tmp_path):
    with pytest.raises(AdapterError, match="no LoRA or other network in the file"):
        inspect(written(tmp_path / "x.safetensors", {"model.diffusion_model.out.2.weight": (4, 320, 3, 3)}))
    with pytest.raises(AdapterError, match="cut short"):
        inspect(written(tmp_path / "y.safetensors", {"lora_unet_a.lora_down.weight": (4, 320)}, numbers=False))


HOSTILE = {
    "a rank without axes": ({"lora_unet_mid_block_attentions_0_proj_in.lora_down.weight": (), "lora_unet_mid_block_attentions_0_proj_in.lora_up.weight": (320, 4)}, {}),
    "deep metadata": ({"base_model.model.unet.a.lora_A.weight": (4, 8), "base_model.model.unet.a.lora_B.weight": (8, 4)}, {"lora_adapter_metadata": "[" * 50_000}),
    "a pattern for years": ({"unet.mid_block.attentions.0.proj_in.lora_A.weight": (4, 8), "unet.mid_block.attentions.0.proj_in.lora_B.weight": (8, 4)},
                            {"lora_adapter_metadata": json.dumps({"unet.alpha_pattern": {"(.*.*)*x": 1, "(": 2, "(a+)+b": 3}, "unet.r": 4})}),
    "endless alphas": ({"unet.mid_block.attentions.0.proj_in.lora_A.weight": (4, 8), "unet.mid_block.attentions.0.proj_in.lora_B.weight": (8, 4)},
                       {"lorasmith_alphas": "1" + "0" * 400, "lora_adapter_metadata": json.dumps({"unet.lora_alpha": 10**400, "unet.r": 4})}),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_shapes_and_metadata_neither_stop_nor_delay_it(case, tmp_path):
    shapes, metadata = HOSTILE[case]
    try:
        info = inspect(written(tmp_path / "x.safetensors", shapes, metadata))
    except AdapterError:
        return
    assert info.parameters == sum(math.prod(shape) for shape in shapes.values())


@pytest.mark.parametrize(("dtype", "theirs"), [("F8_E4M3", torch.float8_e4m3fn), ("F8_E5M2", torch.float8_e5m2)])
def test_numbers_of_eight_bits_are_read_as_torch_reads_them(dtype, theirs):
    for byte in range(256):
        expected = float(torch.tensor([byte], dtype=torch.uint8).view(theirs).float())
        found = number_of(bytes([byte]), dtype)
        assert found == expected or (math.isnan(found) and math.isnan(expected))


def test_bf16_and_whole_numbers_are_read_from_their_bytes():
    for value in (1.0, -2.5, 0.0078125, 3e38):
        stored = torch.tensor([value], dtype=torch.bfloat16)
        assert number_of(stored.view(torch.uint8).numpy().tobytes(), "BF16") == float(stored)
    assert number_of((-7).to_bytes(8, "little", signed=True), "I64") == -7
    assert number_of(bytes([200]), "U8") == 200


def test_metadata_are_read_for_people():
    said = {one.title: one.text for one in said_in({
        "ss_training_started_at": "1700000000.5", "ss_training_finished_at": "1700003600.5", "ss_resolution": "(512, 768)", "ss_v2": "False",
        "ss_tag_frequency": json.dumps({"10_mimi": {"mimi": 20, "hat": 3}, "5_more": {"hat": 2}}), "ss_vae_name": "None", "ss_learning_rate": "0.0001",
        "ss_dataset_dirs": json.dumps({"10_mimi": {"n_repeats": 10, "img_count": 20}}), "modelspec.prediction_type": "v", "my_own": "a note",
        "ss_bucket_info": json.dumps({"buckets": {"0": {"resolution": [512, 768], "count": 200}}, "mean_img_ar_error": 0.1}),
        "sshs_model_hash": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    })}  # fmt: skip
    assert said["training time"] == "1 h 0 min"
    assert said["started"] == "2023-11-14 22:13 UTC"
    assert (said["resolution"], said["Stable Diffusion 2"], said["learning rate"]) == ("512 x 768", "no", "0.0001")
    assert said["tags"] == "2 tags: mimi 20, hat 5"
    assert said["folders"] == "10_mimi: 20 images x 10"
    assert said["images by bucket"] == "512 x 768 (200)"
    assert (said["prediction type"], said["my_own"]) == ("v", "a note")
    assert "that of nothing" in said["note"]
    assert "VAE" not in said


def test_metadata_that_are_not_what_they_seem_are_shown_as_they_are():
    odd = {"ss_tag_frequency": "[1, 2]", "ss_bucket_info": "{\"buckets\": [3]}", "ss_datasets": "no", "ss_steps": "many", "ss_training_started_at": "1e99",
           "ss_dataset_dirs": "[" * 5000, "ss_resolution": "wide"}  # fmt: skip
    assert {one.text for one in said_in(odd)} >= {"[1, 2]", "no", "many", "1e99", "wide"}


# ---- hashes


def test_hashes_are_those_of_sites_and_of_kohya():
    for case in reference_json("12_metadata_hash.json")["hashes"]:
        if "file" not in case:
            continue
        found = file_hashes(FOLDER / case["file"])
        assert (found.sha256, found.auto_v1, found.auto_v2, found.auto_v3) == (
            case["sha256"],
            case["AutoV1"],
            case["AutoV2"],
            case["AutoV3"],
        )
        assert found.sshs_model_hash == case["metadata_in_file"]["sshs_model_hash"]
        assert found.sshs_legacy_hash == case["metadata_in_file"]["sshs_legacy_hash"]


def test_the_two_old_hashes_differ_where_the_metadata_say_more_than_kohyas(tmp_path):
    """The reference's record of a file of 1.3 MB: kohya's trainer hashes it with its own metadata alone."""
    theirs = next(case for case in reference_json("12_metadata_hash.json")["hashes"] if case["id"] == "precalc_6")
    tensors = {"b.lora_up.weight": (torch.arange(150_000) % 977) / 977, "a.lora_down.weight": (torch.arange(180_000) % 311) / 311, "a.alpha": torch.tensor(1.0)}  # fmt: skip
    import safetensors.torch

    safetensors.torch.save_file(tensors, tmp_path / "x.safetensors", theirs["metadata"])
    found = file_hashes(tmp_path / "x.safetensors")
    assert (found.sshs_model_hash, found.sshs_legacy_hash) == (theirs["sshs_model_hash"], theirs["sshs_legacy_hash"])
    assert found.auto_v1 != found.sshs_legacy_hash
    assert found.crc32 == f"{zlib.crc32((tmp_path / 'x.safetensors').read_bytes()):08X}"


def test_blake3_is_that_of_the_whole_file_where_its_package_is_installed(tmp_path):
    blake3 = pytest.importorskip("blake3", reason="the extra hashes is not installed")
    file = tmp_path / "lora.safetensors"
    save_lora(file, {"a.lora_down.weight": torch.ones(2, 3)}, {}, torch.float32)
    assert file_hashes(file).blake3 == blake3.blake3(file.read_bytes()).hexdigest()
