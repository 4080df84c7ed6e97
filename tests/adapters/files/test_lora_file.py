"""LoRA files: the same bytes for the same content, kohya's hashes and metadata, and what is refused."""

import inspect
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from lorasmith.adapters.attach import adapter_tensors, attach, attach_layers
from lorasmith.adapters.files.lora_file import load_tensors, save_lora
from lorasmith.adapters.files.metadata import TrainingFacts, kohya_metadata
from lorasmith.adapters.layer import read_layers
from lorasmith.errors import AdapterError

REFERENCE = Path(__file__).resolve().parents[4] / "shared" / "reference"
needs_reference = pytest.mark.skipif(not REFERENCE.exists(), reason="the reference numbers are not beside this checkout")

FACTS = TrainingFacts(
    output_name="my_lora",
    base_model_version="sd_v1",
    network_dim=2,
    network_alpha=1,
    resolution=(128, 128),
    learning_rate=1e-3,
    unet_lr=None,
    text_encoder_lr=None,
    optimizer="torch.optim.adamw.AdamW",
    lr_scheduler="constant",
    num_train_images=10,
    num_epochs=1,
    epoch=1,
    max_train_steps=11,
    steps=11,
    seed=1234,
    mixed_precision="no",
    max_grad_norm=1.0,
    batch_size=2,
    num_batches_per_epoch=11,
    num_reg_images=2,
    base_model_name="base-model.safetensors",
    base_model_sha256="f66ecbc23ac05be1767d44eba868856ffd6e35300aacdb79850997b8f378dc34",
    tag_frequency={
        "1_extra": {"sks cat": 1, "tree": 1},
        "3_sks cat": {"sks cat": 3, "sitting": 1, "sofa": 2, "running": 1},
        "1_cat": {"cat": 2, "grass": 1},
    },
    dataset_dirs={"1_extra": {"n_repeats": 1, "img_count": 1}, "3_sks cat": {"n_repeats": 3, "img_count": 3}},
    bucket_info={
        "buckets": {
            "0": {"resolution": [64, 192], "count": 1},
            "1": {"resolution": [128, 128], "count": 16},
            "2": {"resolution": [192, 64], "count": 3},
        },
        "mean_img_ar_error": 0.0,
    },
)


NAMES = ("lora_unet_a", "lora_unet_b")


def toy_model(features=4):
    return nn.Sequential(nn.Linear(features, 6), nn.Linear(6, 3))


def toy_adapter(rank=2, alpha=1.0, features=4, seed=1, names=NAMES):
    return attach(toy_model(features), {"0": names[0], "1": names[1]}, rank=rank, alpha=alpha, seed=seed)


def from_file(tensors, features=4, names=NAMES):
    return attach_layers(toy_model(features), {"0": names[0], "1": names[1]}, read_layers(tensors))


@pytest.fixture
def saved(tmp_path):
    """A LoRA file with random weights, and its adapter."""
    adapter = toy_adapter()
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter.normal_()
    path = tmp_path / "lora.safetensors"
    save_lora(path, adapter_tensors(adapter), kohya_metadata(FACTS), torch.float32)
    return path, adapter


# ---- what is in a file


def test_a_file_comes_back_as_it_was_written(saved):
    path, adapter = saved
    file = load_tensors(path)
    assert sorted(file.tensors) == [f"lora_unet_{x}.{end}" for x in "ab" for end in ("alpha", "lora_down.weight", "lora_up.weight")]
    assert file.tensors["lora_unet_a.alpha"].shape == ()
    assert file.tensors["lora_unet_a.alpha"].item() == 1.0
    other = from_file(file.tensors)
    assert all(torch.equal(value, adapter.state_dict()[key]) for key, value in other.state_dict().items())
    assert other.layers()["lora_unet_a"].alpha == 1.0
    assert file.metadata.items() >= kohya_metadata(FACTS).items()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_file_in_half_precision_is_a_rounded_copy_that_others_can_read(saved, tmp_path, dtype):
    _, adapter = saved
    save_lora(tmp_path / "half.safetensors", adapter_tensors(adapter), {}, dtype)
    tensors = safetensors.torch.load_file(tmp_path / "half.safetensors")
    assert {value.dtype for value in tensors.values()} == {dtype}
    assert all(torch.equal(tensors[key], value.to(dtype)) for key, value in adapter.state_dict().items())


def test_two_adapters_share_a_file_unless_a_name_occurs_in_both(tmp_path):
    unet, encoder = toy_adapter(), toy_adapter(names=("lora_te_a", "lora_te_b"))
    save_lora(tmp_path / "both.safetensors", adapter_tensors(unet, encoder), {}, torch.float32)
    assert list(read_layers(load_tensors(tmp_path / "both.safetensors").tensors)) == ["lora_te_a", "lora_te_b", *NAMES]
    with pytest.raises(AdapterError, match="both have a layer lora_unet_a"):
        adapter_tensors(unet, toy_adapter())


def test_a_missing_alpha_means_the_rank(saved):
    path, _ = saved
    file = load_tensors(path)
    del file.tensors["lora_unet_a.alpha"]
    adapter = from_file(file.tensors)
    assert {name: layer.alpha for name, layer in adapter.layers().items()} == {"lora_unet_a": 2.0, "lora_unet_b": 1.0}


# ---- the bytes


def save_once(path):
    import torch

    from lorasmith.adapters.files.lora_file import save_lora

    tensors = {f"n{i}.lora_down.weight": torch.full((2, 3), float(i)) for i in range(9)}
    save_lora(path, tensors, {f"key{i}": "värde" for i in range(20)}, torch.float16)


def test_two_processes_write_the_same_bytes(tmp_path):
    files = [tmp_path / f"{i}.safetensors" for i in range(2)]
    save_once(files[0])
    hash_seed = "1" if os.environ.get("PYTHONHASHSEED") == "0" else "0"  # by which sets are ordered
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": hash_seed}
    subprocess.run([sys.executable, "-c", f"{inspect.getsource(save_once)}\nsave_once({str(files[1])!r})"], check=True, env=environment)
    assert files[0].read_bytes() == files[1].read_bytes()
    with safetensors.safe_open(files[0], framework="pt") as opened:
        assert opened.metadata()["key3"] == "värde"


def test_the_order_in_which_things_were_given_does_not_change_the_bytes(saved, tmp_path):
    path, adapter = saved
    tensors, metadata = adapter_tensors(adapter), kohya_metadata(FACTS)
    save_lora(tmp_path / "turned.safetensors", dict(reversed(tensors.items())), dict(reversed(metadata.items())), torch.float32)
    assert (tmp_path / "turned.safetensors").read_bytes() == path.read_bytes()


def test_a_file_is_laid_out_as_the_safetensors_library_does_it(tmp_path):
    tensors = {"b.lora_down.weight": torch.rand(3, 5), "b.alpha": torch.tensor(2.0), "a.lora_down.weight": torch.rand(2, 2)}
    save_lora(tmp_path / "x.safetensors", tensors, {"title": 'Mädchen, "少女"'}, torch.float32)
    content = (tmp_path / "x.safetensors").read_bytes()
    theirs = safetensors.torch.save(tensors, load_tensors(tmp_path / "x.safetensors").metadata)
    header = 8 + int.from_bytes(content[:8], "little")
    assert header % 8 == 0
    assert json.loads(content[8:header]) == json.loads(theirs[8:header])
    assert content[header:] == theirs[header:]
    assert len(content) == len(theirs)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside(saved, monkeypatch):
    path, adapter = saved
    before = path.read_bytes()

    def full_disk(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        save_lora(path, adapter_tensors(adapter), {}, torch.float16)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


# ---- metadata


@needs_reference
def test_the_metadata_has_kohyas_names_and_values():
    case = json.loads((REFERENCE / "12_metadata_hash.json").read_text())["cases"][0]
    ours = kohya_metadata(FACTS)
    own = {"modelspec.implementation_version": "lorasmith"}
    assert ours == {key: case["metadata"][key] for key in ours} | own
    assert not ours.keys() & set(case["volatile_keys"])


@needs_reference
def test_architectures_are_named_as_kohya_names_them():
    others = json.loads((REFERENCE / "12_metadata_hash.json").read_text())["other_architectures"]
    versions = {"modelspec_sd15": "sd_v1", "modelspec_sd15_vpred": "sd_v1_v", "modelspec_sdxl": "sdxl_base_v1-0", "modelspec_flux": "flux1"}
    for record, version in versions.items():
        prediction = others[record].get("modelspec.prediction_type")
        ours = kohya_metadata(changed(base_model_version=version, prediction_type=prediction))
        for key in ("architecture", "implementation", "prediction_type"):
            assert ours.get(f"modelspec.{key}") == others[record].get(f"modelspec.{key}")
    assert set(others["ss_base_model_version_values"].values()) >= set(versions.values())


def changed(**changes):
    return TrainingFacts(**{**{name: getattr(FACTS, name) for name in FACTS.__dataclass_fields__}, **changes})


def test_every_value_is_a_string_and_further_metadata_may_be_added():
    ours = kohya_metadata(changed(clip_skip=2, min_snr_gamma=5, title="Mimi", extra={"lorasmith.settings": "{}"}))
    assert all(type(value) is str for value in ours.values())
    assert (ours["ss_clip_skip"], ours["ss_min_snr_gamma"], ours["modelspec.title"]) == ("2", "5.0", "Mimi")
    assert ours["lorasmith.settings"] == "{}"
    with pytest.raises(AdapterError, match="ss_seed"):
        kohya_metadata(changed(extra={"ss_seed": "1"}))
    with pytest.raises(AdapterError, match="'sd_v9'"):
        kohya_metadata(changed(base_model_version="sd_v9"))


# ---- what is refused


def test_files_that_are_no_lora_are_refused_in_a_sentence(saved, tmp_path):
    path, _ = saved
    whole = path.read_bytes()
    odd = b'{"__metadata__": {"ss_epoch": 4}, "a": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}'
    files = {
        "absent.safetensors": (None, "no LoRA file"),
        "empty.safetensors": (b"", r"is empty; give a LoRA file \(safetensors\)"),
        "cut.safetensors": (whole[:-10], "cut short"),
        "cut_header.safetensors": (whole[:50], "cut short"),
        "text.safetensors": (b"<html>404 not found</html>", "not a safetensors file"),
        "torch.pt": (b"PK", "is a pickle, which can carry programs; convert it to safetensors, or read it as weights alone"),
        "renamed.safetensors": (b"PK\x03\x04", "pickle"),
        "numbers.safetensors": (len(odd).to_bytes(8, "little") + odd, "has the number 4 in its metadata under 'ss_epoch'"),
    }
    for name, (content, message) in files.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(AdapterError, match=message) as raised:
            load_tensors(tmp_path / name)
        assert name in str(raised.value)
        assert "\n" not in str(raised.value)


def test_a_pickle_is_read_on_request_as_weights_alone(saved, tmp_path):
    path, _ = saved
    tensors = load_tensors(path).tensors
    torch.save({"state_dict": tensors, "epoch": 3}, tmp_path / "lora.ckpt")
    assert load_tensors(tmp_path / "lora.ckpt", allow_pickle=True).tensors.keys() == tensors.keys()
    torch.save({"lora_unet_a.alpha": print}, tmp_path / "evil.pt")
    with pytest.raises(AdapterError, match=r"cannot be read as weights alone .*; give a LoRA file"):
        load_tensors(tmp_path / "evil.pt", allow_pickle=True)
    itself = {"alpha": torch.ones(1)}
    itself["state_dict"] = itself
    torch.save(itself, tmp_path / "endless.pt")
    assert list(load_tensors(tmp_path / "endless.pt", allow_pickle=True).tensors) == ["alpha"]
    torch.save({"alpha": torch.ones(1).expand(2**40)}, tmp_path / "vast.pt")
    with pytest.raises(AdapterError, match="'alpha' has more numbers by its shape than there are"):
        load_tensors(tmp_path / "vast.pt", allow_pickle=True)


def test_layers_that_do_not_fit_or_are_damaged_are_refused_with_a_code(saved):
    path, _ = saved
    cases = {
        r"lora_unet_a of the LoRA file does not fit .* \[6, 5\]": ("adapter.misfit", {"features": 5}, lambda _: None),
        "lora_unet_x .* lacks hada_w1_b": ("adapter.incomplete_layer", {}, lambda t: t.update({"lora_unet_x.hada_w1_a": torch.zeros(1)})),
        "lora_unet_x .* is of no kind": ("adapter.unknown_kind", {}, lambda t: t.update({"lora_unet_x.strange": torch.zeros(1)})),
        "alpha is not a single number": ("adapter.alpha_shape", {}, lambda t: t.update({"lora_unet_a.alpha": torch.zeros(2)})),
    }
    for message, (code, model, damage) in cases.items():
        file = load_tensors(path)
        damage(file.tensors)
        with pytest.raises(AdapterError, match=message) as raised:
            from_file(file.tensors, **model)
        assert raised.value.code == code


def test_layers_of_other_names_are_left_to_other_parts_of_the_base(saved):
    path, _ = saved
    assert from_file(load_tensors(path).tensors, names=("lora_te_a", "lora_te_b")) is None


# ---- the header alone


HEADER_ONLY = """
import sys
from lorasmith.adapters.files.header import read_lora_header
from lorasmith.adapters.kinds import kind_of
header = read_lora_header(sys.argv[1])
layer = {key.partition(".")[2]: entry for key, entry in header.tensors.items() if key.startswith("lora_unet_a.")}
kind = kind_of(layer)
print(len(header.tensors), header.parameters, header.metadata["ss_output_name"], kind.title, kind.rank(layer), "torch" in sys.modules)
"""


def test_a_header_with_its_kinds_and_ranks_is_read_without_torch(saved):
    path, _ = saved
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run([sys.executable, "-c", HEADER_ONLY, path], capture_output=True, text=True, env=environment, check=True)
    assert result.stdout.split() == ["6", str(2 * 4 + 6 * 2 + 2 * 6 + 3 * 2 + 2), "my_lora", "LoRA", "2", "False"]


def test_writing_takes_one_tensor_after_the_other(tmp_path):
    """Beside the tensors themselves no more than the bytes of the one before, of this one and of the next; all have 32 MB."""
    tensors = {f"lora_unet_{number}.diff": torch.zeros(1_000_000) for number in range(8)}
    tracemalloc.start()
    save_lora(tmp_path / "x.safetensors", tensors, {}, torch.float32)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 4_000_000
