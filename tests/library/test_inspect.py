"""A LoRA file opened by its header: the same that the tensors say, of any dialect, without torch and without its numbers."""

import json
import math
import subprocess
import sys
import zlib
from collections import Counter

import pytest
import torch

from lorasmith.adapters.compatibility.check import check_file
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.hashes import file_hashes
from lorasmith.adapters.files.lora_file import save_lora
from lorasmith.adapters.files.metadata import OPTIONS
from lorasmith.errors import AdapterError
from lorasmith.library.inspect import inspect, number_of
from lorasmith.library.metadata_words import WORDS, said_in
from lorasmith.safetensors_header import header_bytes
from tests.reference import FOLDER, reference_json

KEYS = FOLDER / "keys"
PEERS = FOLDER / "11_loras"
listed = pytest.mark.skipif(not KEYS.is_dir(), reason="the trainers' lists of keys are not on this machine")


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


# What the trainers' lists are for: (family, its title), by the list's own word.
BASES = {
    "sd15": ("sd1", "Stable Diffusion 1.x"), "sd21": ("sd2", "Stable Diffusion 2.x"), "sdxl": ("sdxl", "Stable Diffusion XL"), "flux": ("flux", "Flux.1"),
    "sd35_medium": ("sd3", "Stable Diffusion 3.5"), "flux2_klein4b": ("klein", "FLUX.2 klein"), "lumina2": ("lumina2", "Lumina 2"), "zimage": ("zimage", "Z-Image"),
    "qwen_image": ("qwen_image", "Qwen-Image"), "anima": ("anima", "Anima"),
}  # fmt: skip
DIALECTS = {"lora_": "kohya", "diffusion_model.": "ComfyUI", "transformer.": "diffusers"}
LISTS = sorted(path.stem for path in KEYS.glob("*_keys_*.json"))


@listed
@pytest.mark.parametrize("name", LISTS)
def test_a_trainers_key_list_is_opened_with_its_family_kinds_dialect_and_ranks(name, tmp_path):
    record = json.loads((KEYS / f"{name}.json").read_text())
    info = inspect(written(tmp_path / "x.safetensors", record["keys"]))
    layers = record["meta"]["n_modules"]
    assert (info.family, info.made_for) == BASES[record["meta"]["arch"]]
    assert info.names == [next(dialect for start, dialect in DIALECTS.items() if next(iter(record["keys"])).startswith(start))]
    assert (info.kinds, info.ranks, info.unread) == ({"lora": layers}, {str(record["meta"]["rank"]): layers}, {})
    assert sum(block.layers for blocks in info.blocks.values() for block in blocks.values()) == sum(info.parts.values()) == layers
    assert any("which is not supported" in note for note in info.notes) == (not info.family)


@pytest.mark.skipif(not PEERS.is_dir(), reason="the peers' LoRA files are not on this machine")
@pytest.mark.parametrize("path", sorted(PEERS.glob("*.safetensors")), ids=lambda path: path.stem)
def test_a_peers_file_shows_what_it_was_written_with(path):
    """They are of a toy model: two of their four layers have names that SD 1.x has too, a 1x1 and a 3x3 convolution."""
    info = inspect(path)
    linear, convolution = (4, 2) if path.stem == "r4" else (8, 6)
    assert (info.family, info.names, info.kinds) == ("sd1", ["kohya"], {"lora": 2})
    assert info.ranks == {str(convolution): 1, str(linear): 1}
    assert info.alphas == {"noalpha": {}, "r4": {"1": 2}, "b": {"6": 1, "8": 1}}.get(path.stem, {"3": 1, "4": 1})
    assert {key.partition(".")[0][-5:] for key in info.unread} == {"lin_a", "lin_b"}
    assert {one.title: one.text for one in info.said if one.group == "network"} == {
        "network module": "networks.lora",
        "rank": "8",
        "alpha": "4",
    }


def test_layers_of_flux_that_share_a_name_are_counted_alike_by_show_and_check(tmp_path):
    """diffusers trains query, key and value apart; kohya's names have them as one layer."""
    generator = torch.Generator().manual_seed(1)
    tensors = {}
    for layer in ("to_q", "to_k", "to_v"):
        name = f"transformer.transformer_blocks.0.attn.{layer}"
        tensors |= {
            f"{name}.lora_A.weight": torch.randn(4, 3072, generator=generator),
            f"{name}.lora_B.weight": torch.randn(3072, 4, generator=generator),
        }
    save_lora(tmp_path / "x.safetensors", tensors, {}, torch.float32)
    info, report = inspect(tmp_path / "x.safetensors"), check_file(tmp_path / "x.safetensors")
    assert report.layers == sum(info.kinds.values()) == 3
    assert report.ranks == info.ranks == {"4": 3}
    missing = next(finding for finding in report.findings if finding.code == "check.no_alpha")
    assert set(missing.subjects) == {f"transformer.transformer_blocks.0.attn.{layer}" for layer in ("to_q", "to_k", "to_v")}


@pytest.mark.parametrize("on_input", [0.0, 1.0])
def test_a_layer_whose_kind_depends_on_a_number_is_judged_by_it(on_input, tmp_path):
    """(IA)^3 has a mark that says which side is scaled."""
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    tensors = {f"{name}.weight": torch.ones(768 if on_input else 320, 1), f"{name}.on_input": torch.tensor(on_input)}
    save_lora(tmp_path / "x.safetensors", tensors, {}, torch.float32)
    info, report = inspect(tmp_path / "x.safetensors"), check_file(tmp_path / "x.safetensors")
    assert info.kinds == {"ia3": 1}
    assert report.kinds == {"ia3 on the inputs" if on_input else "ia3": 1}
    assert {program: one.verdict for program, one in info.programs.items()} == {name: one.verdict for name, one in report.consumers.items()}


def test_a_mark_that_is_not_a_single_number_is_damage_and_not_a_crash(tmp_path):
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    save_lora(tmp_path / "x.safetensors", {f"{name}.weight": torch.ones(320, 1), f"{name}.on_input": torch.zeros(2)}, {}, torch.float32)
    assert "on_input" in next(iter(inspect(tmp_path / "x.safetensors").unread.values()))
    assert any(finding.code == "check.unreadable" for finding in check_file(tmp_path / "x.safetensors").findings)


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


def test_a_file_with_more_layers_than_any_network_has_is_refused(tmp_path):
    layers = (f"lora_unet_down_blocks_0_attentions_{i % 7}_transformer_blocks_{i // 7}_attn1_to_q" for i in range(5_001))
    shapes = {f"{layer}.{end}": shape for layer in layers for end, shape in (("lora_down.weight", (1, 320)), ("lora_up.weight", (320, 1)))}
    with pytest.raises(AdapterError, match="more than 5,000 layers"):
        inspect(written(tmp_path / "x.safetensors", shapes))


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


def test_every_entry_that_we_write_has_words():
    assert {f"ss_{name}" for name in OPTIONS} <= WORDS.keys()


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


def test_of_a_table_the_names_are_said_and_that_there_is_more():
    (said,) = said_in({"lorasmith_settings": '{"base": {"path": "x"}, "datasets": []}'})
    assert (said.text, said.partial) == ("base, datasets", True)
    (said,) = said_in({"ss_output_name": "mimi"})
    assert not said.partial
