"""Files in fewer bits open as the numbers that they stand for: every family, its denoiser and the text encoders that are shared so."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from lorasmith.errors import BaseModelError
from lorasmith.models.families import FAMILIES
from lorasmith.models.files.weights import PartReader, load_part
from lorasmith.models.open import describe
from lorasmith.models.quantize import QuantizedWeight
from tests.models.single_files import parts_of, write_single_file
from tests.models.test_detection import FLUX, header_file
from tests.models.toys import PLAIN, toy_folder

E4M3, E5M2 = torch.float8_e4m3fn, torch.float8_e5m2


def older(value):
    """ComfyUI's older files: one factor, and one for the inputs."""
    scale = value.abs().max() / 448
    return {"weight": (value / scale).to(E4M3), "scale_weight": scale, "scale_input": torch.ones(())}


def newer(value):
    """ComfyUI's newer files: a mark of the format beside each layer."""
    mark = torch.tensor(list(json.dumps({"format": "float8_e4m3fn"}).encode()), dtype=torch.uint8)
    scale = value.abs().max() / 448
    return {"weight": (value / scale).to(E4M3), "weight_scale": scale, "input_scale": torch.ones(()), "comfy_quant": mark}


def by_rows(value):
    scale = value.abs().amax(1, keepdim=True) / 448
    return {"weight": (value / scale).to(E4M3), "weight_scale": scale}


def plain(dtype):
    return lambda value: {"weight": value.to(dtype)}


WAYS = (older, newer, by_rows, *map(plain, (E4M3, E5M2, torch.bfloat16, torch.float16)))
"""What a matrix may be stored as: a function to its tensors by their ends."""


def stored(tensors, ways=WAYS):
    """The tensors with their matrices stored in turn in each of the ways, and what they stand for."""
    file, meant = {}, {}
    matrices = [key for key, value in tensors.items() if key.endswith(".weight") and value.dim() == 2]
    turn = {key: ways[number % len(ways)] for number, key in enumerate(matrices)}
    for key, value in tensors.items():
        made = turn[key](value) if key in turn else {"weight": value}
        factor = made.get("scale_weight", made.get("weight_scale", torch.ones(())))
        file |= {key.removesuffix("weight") + end if key in turn else key: tensor.contiguous() for end, tensor in made.items()}
        meant[key] = made["weight"].float() * factor if key in turn else value
    return file, meant


def saved(path, tensors):
    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, path)
    return path


@pytest.mark.parametrize("toy", PLAIN)
def test_every_part_of_a_file_has_the_numbers_that_its_eight_bits_stand_for(toy, tmp_path):
    whole = load_file(write_single_file(toy_folder(toy), tmp_path / "whole.safetensors"))
    packed, meant = stored(whole)
    denoiser = describe(tmp_path / "whole.safetensors", config=toy_folder(toy)).denoiser
    marks = {"model.diffusion_model.scaled_fp8": torch.zeros(2, dtype=E4M3)}
    found, wanted = (
        describe(saved(tmp_path / name, tensors), config=toy_folder(toy))
        for name, tensors in (("packed.safetensors", packed | marks), ("meant.safetensors", meant))
    )
    assert found.parts[denoiser].dtype == "scaled fp8"
    assert found.parts.keys() == wanted.parts.keys()
    for part in found.parts:
        ours, theirs = (load_part(one, part, torch.float32).state_dict() for one in (found, wanted))
        assert [name for name in theirs if not torch.equal(ours[name], theirs[name])] == []


SHARED = [(toy, part) for toy in PLAIN for part in FAMILIES[toy].usual.parts if part.startswith("text_encoder")]


@pytest.mark.parametrize(("toy", "part"), SHARED)
def test_a_text_encoder_in_a_scaled_file_of_its_own_has_its_numbers(toy, part, tmp_path):
    packed, meant = stored(parts_of(toy_folder(toy))[part])
    marks = {"scaled_fp8": torch.zeros(2, dtype=E4M3), "spiece_model": torch.zeros(4, dtype=torch.uint8)}
    ours, theirs = (
        load_part(describe(toy_folder(toy), **{part: saved(tmp_path / name, tensors)}), part, torch.float32).state_dict()
        for name, tensors in (("packed.safetensors", packed | marks), ("meant.safetensors", meant))
    )
    assert [name for name in theirs if not torch.equal(ours[name], theirs[name])] == []


@pytest.mark.parametrize("toy", PLAIN)
def test_a_scaled_file_opens_in_fp8_with_its_own_bits(toy, tmp_path):
    whole = load_file(write_single_file(toy_folder(toy), tmp_path / "whole.safetensors"))
    description = describe(saved(tmp_path / "packed.safetensors", stored(whole, [older, newer, plain(E4M3)])[0]), config=toy_folder(toy))
    wanted = load_part(description, description.denoiser, torch.float32).state_dict()
    ours = load_part(description, description.denoiser, torch.float32, quantize="fp8").state_dict()
    reader = PartReader(description, description.denoiser)
    packed = [key for key, value in ours.items() if isinstance(value, QuantizedWeight) and reader.stored_as(key) == "F8_E4M3"]
    assert packed
    for key in packed:
        assert torch.equal(ours[key].unpacked(), wanted[key]), key
        assert len(ours[key].scales.unique()) == 1, "the scale of the file, and not one for each row"


LAYER = "double_blocks.0.img_attn.qkv"
UNREAD = {
    "mxfp8": {"weight": torch.zeros(96, 64).to(E4M3), "weight_scale": torch.zeros(96, 2, dtype=torch.uint8)},
    "nvfp4": {"weight": torch.zeros(96, 32, dtype=torch.uint8), "weight_scale": torch.zeros(96, 4).to(E4M3), "weight_scale_2": torch.ones(())},
    "int8": {"weight": torch.zeros(96, 64, dtype=torch.int8), "weight_scale": torch.ones(96, 1)},
    "blocks of 128": {"weight": torch.zeros(256, 256).to(E4M3), "weight_scale_inv": torch.ones(2, 2)},
    "by columns": {"weight": torch.zeros(96, 64).to(E4M3), "weight_scale": torch.ones(1, 64)},
}  # fmt: skip


@pytest.mark.parametrize("way", UNREAD)
def test_what_is_stored_in_another_way_is_refused_by_its_header(way, tmp_path):
    tensors = load_file(header_file(tmp_path / "flux.safetensors", {**FLUX, f"{LAYER}.weight": (96, 64)}))
    del tensors[f"{LAYER}.weight"]
    with pytest.raises(BaseModelError, match="is quantised .*give the fp16, bf16 or fp8 file") as raised:
        describe(saved(tmp_path / "packed.safetensors", tensors | {f"{LAYER}.{end}": tensor for end, tensor in UNREAD[way].items()}))
    assert raised.value.code == "base.quantised"
