"""Parts are filled whole, in the type wanted, in the memory of what is kept; what is missing, odd or damaged is named."""

import json
import mmap
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from lorasmith.errors import BaseModelError, TensorFileError
from lorasmith.models.architectures.parts import CLIP_TEXT
from lorasmith.models.files.tensor_file import open_tensors
from lorasmith.models.files.weights import load_part
from lorasmith.models.open import describe, open_base
from lorasmith.models.parts import Part
from tests.models.single_files import parts_of, write_single_file
from tests.models.toys import toy_folder

SD1 = "cond_stage_model.transformer.text_model."


@pytest.fixture(scope="module")
def sd1_file(tmp_path_factory):
    return write_single_file(toy_folder("sd1"), tmp_path_factory.mktemp("sd1") / "model.safetensors")


def _loaded(path, part="unet", dtype=torch.float32, toy="sd1", **open_options):
    return load_part(describe(path, config=toy_folder(toy), **open_options), part, dtype)


def test_a_part_is_frozen_whole_and_of_the_type_wanted(sd1_file):
    for part in ("unet", "text_encoder", "vae"):
        module = _loaded(sd1_file, part, torch.bfloat16)
        assert not module.training
        tensors = [*module.parameters(), *module.buffers()]
        assert not any(tensor.is_meta or tensor.requires_grad for tensor in tensors)
        assert {tensor.dtype for tensor in tensors if tensor.is_floating_point()} == {torch.bfloat16}


def test_a_file_is_mapped_once_for_a_part(sd1_file, monkeypatch):
    maps = []
    real = mmap.mmap
    monkeypatch.setattr(mmap, "mmap", lambda *given, **options: maps.append(given) or real(*given, **options))
    _loaded(sd1_file)
    assert len(maps) == 1


def test_half_precision_files_open_to_float32_with_their_own_numbers(tmp_path):
    path = write_single_file(toy_folder("sd1"), tmp_path / "half.safetensors", dtype=torch.float16)
    assert describe(path).parts["unet"].dtype == "fp16"
    ours = _loaded(path).state_dict()
    theirs = parts_of(toy_folder("sd1"))["unet"]
    assert all(torch.equal(ours[key], theirs[key].half().float()) for key in theirs)


def test_plain_eight_bit_files_open(tmp_path):
    path = write_single_file(toy_folder("flux"), tmp_path / "fp8.safetensors", dtype=torch.float8_e4m3fn)
    assert describe(path).parts["transformer"].dtype == "fp8"
    ours = _loaded(path, "transformer", torch.bfloat16, "flux").state_dict()
    theirs = parts_of(toy_folder("flux"))["transformer"]
    assert all(torch.equal(ours[key], theirs[key].to(torch.float8_e4m3fn).to(torch.bfloat16)) for key in theirs)


def test_another_autoencoder_takes_the_models_place(sd1_file, tmp_path):
    vae = {key: value * 2 for key, value in parts_of(toy_folder("sd1"))["vae"].items()}
    # The names that diffusers gave the attention in its first years.
    earlier = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    renamed = {}
    for key, value in vae.items():
        for now, then in earlier.items():
            key = key.replace(f"attentions.0.{now}", f"attentions.0.{then}")
        renamed[key] = value
    save_file(renamed, tmp_path / "vae.safetensors")
    ours = _loaded(sd1_file, "vae", vae=tmp_path / "vae.safetensors").state_dict()
    assert all(torch.equal(ours[key], vae[key]) for key in vae)


def test_flux_opens_from_the_files_of_its_parts(tmp_path):
    parts = parts_of(toy_folder("flux"))
    whole = load_file(write_single_file(toy_folder("flux"), tmp_path / "whole.safetensors"))
    prefixes = {"transformer": "model.diffusion_model.", "vae": "vae.", "text_encoder": "text_encoders.clip_l.transformer."}
    for part, prefix in prefixes.items():
        save_file({k.removeprefix(prefix): v for k, v in whole.items() if k.startswith(prefix)}, tmp_path / f"{part}.safetensors")
    # T5's words under one of its two names.
    t5 = {k: v for k, v in parts["text_encoder_2"].items() if k != "encoder.embed_tokens.weight"}
    save_file(t5, tmp_path / "t5.safetensors")
    description = describe(
        tmp_path / "transformer.safetensors", vae=tmp_path / "vae.safetensors", text_encoder=tmp_path / "text_encoder.safetensors",
        text_encoder_2=tmp_path / "t5.safetensors", config=toy_folder("flux"),
    )  # fmt: skip
    assert description.layout == "separate files"
    for part, theirs in parts.items():
        ours = load_part(description, part, torch.float32).state_dict()
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_sharded_and_half_precision_folders_open(tmp_path):
    folder = tmp_path / "base"
    shutil.copytree(toy_folder("sd1"), folder)
    whole = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(whole)
    names = sorted(tensors)
    shards = {f"diffusion_pytorch_model-0000{k + 1}-of-00002.safetensors": names[k::2] for k in range(2)}
    for file, keys in shards.items():
        save_file({key: tensors[key] for key in keys}, folder / "unet" / file)
    whole.unlink()
    index = folder / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {key: file for file, keys in shards.items() for key in keys}}), encoding="utf-8")
    vae = folder / "vae" / "diffusion_pytorch_model.safetensors"
    save_file({k: v.half() for k, v in load_file(vae).items()}, folder / "vae" / "diffusion_pytorch_model.fp16.safetensors")
    vae.unlink()
    description = describe(folder)
    assert len(description.parts["unet"].files) == 2
    assert description.parts["vae"].dtype == "fp16"
    ours = load_part(description, "unet", torch.float32).state_dict()
    assert all(torch.equal(ours[key], tensors[key]) for key in tensors)
    (folder / "unet" / next(iter(shards))).unlink()
    with pytest.raises(BaseModelError, match="lacks diffusion_pytorch_model-00001"):
        describe(folder)
    index.write_text(json.dumps({"weight_map": {"a": "../../secret.safetensors"}}), encoding="utf-8")
    with pytest.raises(BaseModelError, match="does not name the files"):
        describe(folder)


def test_a_pickle_opens_on_request_and_only_as_weights(sd1_file, tmp_path):
    torch.save({"state_dict": load_file(sd1_file), "epoch": 3}, tmp_path / "model.ckpt")
    with pytest.raises(BaseModelError, match="base.allow_pickle"):
        _loaded(tmp_path / "model.ckpt")
    ours = _loaded(tmp_path / "model.ckpt", allow_pickle=True).state_dict()
    theirs = parts_of(toy_folder("sd1"))["unet"]
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    torch.save({"state_dict": print}, tmp_path / "evil.ckpt")
    with pytest.raises(BaseModelError, match="weights alone"):
        _loaded(tmp_path / "evil.ckpt", allow_pickle=True)


def _with(sd1_file, tmp_path, change):
    tensors = load_file(sd1_file)
    change(tensors)
    save_file(tensors, tmp_path / "changed.safetensors")
    return tmp_path / "changed.safetensors"


@pytest.mark.parametrize(
    ("change", "part", "words"),
    [
        (lambda t: t.pop(f"{SD1}final_layer_norm.bias"), "text_encoder", "lacks weights of its text_encoder .*final_layer_norm.bias"),
        (lambda t: t.pop("model.diffusion_model.out.0.weight"), "unet", "lacks weights of its unet"),
        (lambda t: [t.pop(k) for k in list(t) if "decoder.up.3." in k], "vae", r"decoder.up.3.* and \d+ more"),
        (lambda t: t.update({"model.diffusion_model.extra.weight": torch.ones(3)}), "unet", "weights that no unet .* has .*extra.weight"),
        (lambda t: t.update({"model.diffusion_model.out.2.bias": torch.ones(5)}), "unet", "out.2.bias of its unet is 5 .* base.config"),
    ],
)
def test_missing_unknown_and_misshapen_weights_are_named(sd1_file, tmp_path, change, part, words):
    with pytest.raises(BaseModelError, match=words) as raised:
        _loaded(_with(sd1_file, tmp_path, change), part)
    assert "\n" not in str(raised.value)


def test_a_toy_without_its_settings_does_not_pass_for_the_real_one(sd1_file):
    with pytest.raises(BaseModelError, match="standard settings of sd1"):
        load_part(describe(sd1_file), "vae", torch.float32)


def test_a_truncated_file_is_refused_before_anything_is_loaded(sd1_file, tmp_path):
    raw = sd1_file.read_bytes()
    for length, words in (
        (len(raw) - 1, "cut short"),
        (len(raw) // 2, "cut short"),
        (1000, "cut short"),
        (3, "only the beginning"),
        (0, "is empty; give the file of a base model"),
    ):
        (tmp_path / "cut.safetensors").write_bytes(raw[:length])
        with pytest.raises(BaseModelError, match=words):
            describe(tmp_path / "cut.safetensors")


def test_a_single_file_and_its_folder_are_the_same_base(sd1_file):
    one = open_base(sd1_file, torch.float32, config=toy_folder("sd1"))
    other = open_base(toy_folder("sd1"), torch.float32)
    pixels = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    assert torch.equal(one.encode_pixels(pixels), other.encode_pixels(pixels))
    assert one.count_tokens("a happy red cat") == other.count_tokens("a happy red cat")


MEASURE = """
import json, sys
import torch
from pathlib import Path
import lorasmith.models.files.weights as weights
from lorasmith.models.architectures.parts import CLIP_TEXT
from lorasmith.models.description import Description, PartPlace
from lorasmith.models.families import FAMILIES
from lorasmith.models.parts import Part

file, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
place = PartPlace((file,), "", "transformers", Part(CLIP_TEXT, settings), "test", {"F32": 1})
description = Description(file, "single file", FAMILIES["sd1"], "", "epsilon", False, {"text_encoder": place}, ("", {}), {}, (), ())
weights.empty_module(Part(CLIP_TEXT, settings | {"num_hidden_layers": 1}))  # what the libraries take, once

def now(name):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(name))

for dtype in (torch.bfloat16, torch.float32):
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before = now("VmRSS")
    module = weights.load_part(description, "text_encoder", dtype)
    kept = sum(p.numel() * p.element_size() for p in module.parameters())
    print(json.dumps({"kept": kept, "peak": now("VmHWM") - before}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_opening_takes_the_memory_of_what_is_kept(tmp_path):
    """The peak of resident memory, mapped pages of the file included, over that before: at most 1.15 of the weights kept."""
    from lorasmith.models.files.weights import empty_module

    settings = {
        "vocab_size": 1000, "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 8, "num_attention_heads": 8,
        "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1,
    }  # fmt: skip
    shapes = {key: value.shape for key, value in empty_module(Part(CLIP_TEXT, settings)).state_dict().items()}
    save_file({key: torch.full(shape, 0.5) for key, shape in shapes.items()}, tmp_path / "model.safetensors")
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "model.safetensors"), json.dumps(settings)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    half, whole = (json.loads(line) for line in result.stdout.splitlines())
    assert half["kept"] > 200e6
    assert whole["kept"] == 2 * half["kept"]
    for measured in (half, whole):
        assert 0.9 * measured["kept"] < measured["peak"] <= 1.15 * measured["kept"], measured


def test_numbers_of_a_pickle_that_no_safetensors_file_has_are_named_and_not_called_whole_numbers(tmp_path):
    torch.save({"a": torch.zeros(2), "b": torch.zeros(2, dtype=torch.complex128)}, tmp_path / "x.pt")
    with pytest.raises(TensorFileError, match=r"'b' in numbers of the type complex128, which are not read; save it in fp32"):
        open_tensors(tmp_path / "x.pt", allow_pickle=True)
