"""peft's folders: what is written is read by peft itself, and comes back as it was."""

import json
import shutil

import peft
import pytest
import torch

from lorasmith.adapters.compatibility.check import check_file
from lorasmith.adapters.delta import delta
from lorasmith.adapters.tools.convert import convert_file
from lorasmith.adapters.tools.opened import open_lora
from lorasmith.errors import AdapterError, InputError
from tests.adapters.test_kinds_on_families import outputs
from tests.adapters.tools.merged_bases import PARTS, loaded, write_lora
from tests.adapters.tools.test_merge_into_base import attached
from tests.models.toys import toy_folder


@pytest.mark.parametrize("family", ["sd1", "flux"])
def test_a_lora_of_one_part_is_a_folder_that_peft_reads(family, tmp_path):
    denoiser = PARTS[family][0]
    file = write_lora(tmp_path / "lora.safetensors", family, "lora", size=0.05, parts=[denoiser], rank=4, alpha=2.0, dora=False)
    convert_file(file, tmp_path / "peft", "peft")
    assert {each.name for each in (tmp_path / "peft").iterdir()} == {"adapter_model.safetensors", "adapter_config.json"}
    parts = loaded(toy_folder(family), PARTS[family])
    parts[denoiser] = peft.PeftModel.from_pretrained(parts[denoiser], str(tmp_path / "peft")).base_model.model
    with torch.no_grad():
        for a, b in zip(outputs(parts), attached(family, file, 1.0), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_a_lora_of_several_parts_is_a_folder_for_each_and_comes_back(tmp_path):
    file = write_lora(tmp_path / "lora.safetensors", "sdxl", "lora", size=0.05, rank=2, conv_rank=3, preset="convolutions")
    reports, _ = convert_file(file, tmp_path / "peft", "peft")
    assert {each.name for each in (tmp_path / "peft").iterdir()} == {"unet", "text_encoder", "text_encoder_2"}
    settings = json.loads((tmp_path / "peft" / "unet" / "adapter_config.json").read_text(encoding="utf-8"))
    assert (settings["r"], set(settings["rank_pattern"].values())) == (2, {3})
    assert max(report.rounding for report in reports) < 1e-6
    convert_file(tmp_path / "peft", tmp_path / "back.safetensors", family="sdxl")
    before, after = open_lora(file, "sdxl").layers, open_lora(tmp_path / "back.safetensors", "sdxl").layers
    assert before.keys() == after.keys()
    for name, layer in before.items():
        torch.testing.assert_close(delta(after[name]), delta(layer), rtol=1e-5, atol=1e-6)
    text = peft.PeftModel.from_pretrained(
        loaded(toy_folder("sdxl"), ["text_encoder"])["text_encoder"], str(tmp_path / "peft" / "text_encoder")
    )
    layer = text.base_model.model.get_submodule("encoder.layers.0.mlp.fc1")
    change = layer.get_delta_weight("default")
    torch.testing.assert_close(change.double(), delta(before["lora_te1_text_model_encoder_layers_0_mlp_fc1"]), rtol=1e-5, atol=1e-6)


def test_a_folder_is_not_written_where_something_is(tmp_path):
    file = write_lora(tmp_path / "lora.safetensors", "sd1", "lora", parts=["unet"])
    (tmp_path / "there").mkdir()
    for out, reason in ((tmp_path / "there", "exists already"), (tmp_path / "new.safetensors", "a LoRA of peft a folder")):
        with pytest.raises(InputError, match=reason):
            convert_file(file, out, "peft")


@pytest.mark.parametrize("parts", [["unet"], ["unet", "text_encoder"]])
def test_a_damaged_configuration_is_said_as_the_alpha_is_in_it(tmp_path, parts):
    file = write_lora(tmp_path / "lora.safetensors", "sd1", "lora", parts=parts)
    convert_file(file, tmp_path / "peft", "peft")
    config = next((tmp_path / "peft").rglob("adapter_config.json"))
    config.write_text('{"r": 4, "lora_al', encoding="utf-8")
    with pytest.raises(AdapterError, match="adapter_config.json is not valid JSON"):
        open_lora(tmp_path / "peft", "sd1")


@pytest.mark.parametrize(("before", "after"), [(["unet"], ["unet", "text_encoder"]), (["unet", "text_encoder"], ["unet"])])
def test_of_a_folder_that_is_written_again_nothing_old_is_read(before, after, tmp_path):
    old = write_lora(tmp_path / "old.safetensors", "sd1", "lora", parts=before, rank=2)
    new = write_lora(tmp_path / "new.safetensors", "sd1", "lora", parts=after, rank=3)
    convert_file(old, tmp_path / "peft", "peft")
    reports, _ = convert_file(new, tmp_path / "peft", "peft", overwrite=True)
    assert max(report.rounding for report in reports) < 1e-6
    found = open_lora(tmp_path / "peft", "sd1").layers
    assert found.keys() == open_lora(new, "sd1").layers.keys()
    assert {layer.rank for layer in found.values()} == {3}
    assert len(list((tmp_path / "peft").rglob("adapter_config.json"))) == len(after)


@pytest.fixture(scope="module")
def of_two_parts(tmp_path_factory):
    """A LoRA on both parts, and peft's folders of it."""
    folder = tmp_path_factory.mktemp("peft")
    file = write_lora(folder / "lora.safetensors", "sd1", "lora", parts=["unet", "text_encoder"], rank=4, alpha=2.0)
    convert_file(file, folder / "peft", "peft")
    return file, folder / "peft"


def test_weights_of_the_denoiser_in_the_folder_itself_are_read_with_those_below(of_two_parts, tmp_path):
    file, folder = of_two_parts
    mixed = shutil.copytree(folder, tmp_path / "mixed")
    for each in (mixed / "unet").iterdir():
        each.rename(mixed / each.name)
    # An alpha of its own, in the settings beside it.
    config = json.loads((mixed / "adapter_config.json").read_text(encoding="utf-8"))
    (mixed / "adapter_config.json").write_text(json.dumps(config | {"lora_alpha": 2 * config["lora_alpha"]}), encoding="utf-8")
    before, after = open_lora(file, "sd1").layers, open_lora(mixed, "sd1").layers
    assert before.keys() == after.keys()
    for name, layer in before.items():
        torch.testing.assert_close(delta(after[name]), delta(layer) * (2 if name.startswith("lora_unet") else 1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("moved", [("unet", "style"), ("text_encoder", "text_encoder/default"), ("", "unet")])
def test_several_adapters_in_a_folder_are_named_and_not_read_in_part(moved, of_two_parts, tmp_path):
    """peft keeps a second adapter below the first, under its name."""
    place = shutil.copytree(of_two_parts[1], tmp_path / "several")
    inside = place / moved[0] if moved[0] else place / "unet"
    if moved[0]:
        shutil.copytree(inside, tmp_path / "moved")
        shutil.rmtree(inside)
        shutil.copytree(tmp_path / "moved", place / moved[1])
    else:
        for each in inside.iterdir():
            shutil.copy(each, place)
    with pytest.raises(AdapterError, match=rf"several \(.*{moved[1]}.*\) are not the parts of one LoRA"):
        open_lora(place, "sd1")


def test_a_check_of_a_folder_says_how_it_becomes_a_file(of_two_parts):
    with pytest.raises(AdapterError, match=r"is not a file; .*lorasmith lora convert FOLDER --out"):
        check_file(of_two_parts[1])
