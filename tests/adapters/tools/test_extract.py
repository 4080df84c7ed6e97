"""What a checkpoint changed in its base comes out as a network file: a merged LoRA as itself, and what a file cannot hold by name."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from lorasmith.adapters.base_weights import standard_base
from lorasmith.adapters.delta import delta
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.real_layers import exists_at_some_size
from lorasmith.adapters.tools.extract import extract_file
from lorasmith.adapters.tools.merge_into_base import merge_into_base
from lorasmith.adapters.tools.opened import open_lora
from lorasmith.errors import AdapterError, SettingsError
from lorasmith.models.files.tensor_file import read_header
from tests.adapters.tools.merged_bases import PARTS, loaded, toy_parts, write_lora
from tests.models.single_files import write_single_file
from tests.models.toys import toy_folder

EPS = torch.finfo(torch.float32).eps


def tuned_folder(tmp_path, change, part="unet", family="sd1"):
    """The toy with tensors of a part changed by a function of (name, tensor)."""
    folder = shutil.copytree(toy_folder(family), tmp_path / "tuned")
    path = folder / part / ("model.safetensors" if part.startswith("text") else "diffusion_pytorch_model.safetensors")
    save_file({name: change(name, tensor) for name, tensor in load_file(path).items()}, path, {"format": "pt"})
    return folder


def normal(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def weight_of(family, name):
    part, paths = keys.layers_of(family, name, keys.denoiser_shape(family, toy_parts(family)))
    module = toy_parts(family)[part]
    if "text_model" not in dict(module.named_children()):
        paths = tuple(path.removeprefix("text_model.") for path in paths)
    return torch.cat([module.get_submodule(path).weight for path in paths]).detach().double()


@pytest.mark.parametrize("family", PARTS)
def test_a_lora_that_was_merged_comes_out_again(family, tmp_path):
    file = write_lora(tmp_path / "lora.safetensors", family, "lora", size=0.1, dora=False, preset="full", rank=2)
    merge_into_base([(file, 1.0)], toy_folder(family), tmp_path / "tuned")
    found = extract_file(tmp_path / "tuned", toy_folder(family), tmp_path / "out.safetensors", "locon", rank=2, parts=PARTS[family])
    true, ours = open_lora(file, family).layers, open_lora(tmp_path / "out.safetensors", family).layers
    assert ours.keys() == true.keys()
    assert (found.left_out, found.unchanged) == ((), 0)
    assert found.error < 1e-4
    for name, layer in true.items():
        change, weight = delta(layer), weight_of(family, name)
        # W' is rounded once, by half an eps of itself; the best approximation of rank 2 is off by no more than that rounding, and from
        # the change by twice as much. The factors are rounded as well.
        allowed = 2 * EPS * (weight.norm() + change.norm()) + 8 * EPS * change.norm()
        assert (delta(ours[name]).reshape(change.shape) - change).norm() <= allowed, name


def test_names_without_an_option_are_compared_in_the_denoiser_alone(tmp_path):
    file = write_lora(tmp_path / "lora.safetensors", "sd1", "lora")
    merge_into_base([(file, 1.0)], toy_folder("sd1"), tmp_path / "tuned")
    found = extract_file(tmp_path / "tuned", toy_folder("sd1"), tmp_path / "out.safetensors", rank=2)
    assert found.parts == ("unet",)
    assert all(layer.name.startswith("lora_unet_") for layer in found.layers)
    # The toy's LoRA has 3x3 convolutions, which a plain LoRA does not hold.
    assert found.left_out
    assert all(each.name.startswith("unet.") and each.name.endswith(".weight") for each in found.left_out)
    assert found.error == pytest.approx(found.share(found.left_out), rel=1e-3)


def test_of_a_fine_tune_the_error_is_that_of_what_was_written(tmp_path):
    tuned = tuned_folder(tmp_path, lambda name, tensor: tensor + 0.01 * normal(tensor.shape, len(name)))
    found = extract_file(tuned, toy_folder("sd1"), tmp_path / "out.safetensors", "locon", rank=4, precision="fp16")
    old, new = (loaded(each, ["unet"])["unet"].state_dict() for each in (toy_folder("sd1"), tuned))
    written = open_lora(tmp_path / "out.safetensors", "sd1").layers
    true = torch.cat([(new[name].double() - old[name].double()).flatten() for name in old]).norm()
    assert found.norm == pytest.approx(float(true), rel=1e-6)
    for report in found.layers[:40]:
        path = keys.layers_of("sd1", report.name)[1][0] + ".weight"
        change = new[path].double() - old[path].double()
        lost = (change - delta(written[report.name]).reshape(change.shape)).norm() / change.norm()
        assert report.error == pytest.approx(float(lost), rel=1e-3, abs=1e-5)
    assert 0 < found.error < 1
    # Biases and normalisations are named, the largest first.
    assert [each.norm for each in found.left_out] == sorted((each.norm for each in found.left_out), reverse=True)
    assert {each.name.rpartition(".")[2] for each in found.left_out} == {"weight", "bias"}


def test_each_layer_gets_the_rank_that_its_share_asks_for(tmp_path):
    tuned = tuned_folder(tmp_path, lambda name, tensor: tensor + 0.01 * normal(tensor.shape, len(name)))
    found = extract_file(
        tuned, toy_folder("sd1"), tmp_path / "out.safetensors", "locon", rank=64, method="sv_fro", target=0.9, precision="fp32"
    )
    # What 0.9 of the norm leaves is an error of sqrt(1 - 0.81) at most. Wide kernels have no more ranks than channels.
    linear = [layer for layer in found.layers if weight_of("sd1", layer.name)[0].numel() == weight_of("sd1", layer.name).shape[1]]
    assert all(layer.error <= (1 - 0.9**2) ** 0.5 + 1e-6 for layer in linear)
    assert len({layer.rank for layer in found.layers}) > 2


@pytest.mark.parametrize(
    "family", ["sd1", pytest.param("sd2", marks=pytest.mark.slow), pytest.param("sdxl", marks=pytest.mark.slow), "flux"]
)
def test_in_full_nothing_is_lost_and_the_base_with_it_is_the_fine_tune(family, tmp_path):
    part = PARTS[family][0]
    tuned = tuned_folder(tmp_path, lambda name, tensor: tensor + 0.01 * normal(tensor.shape, len(name)), part, family)
    found = extract_file(tuned, toy_folder(family), tmp_path / "full.safetensors", "full")
    # Only norms without a shift (RMSNorm) and Flux's last modulation have no name in files.
    assert all(family == "flux" and ("norm_" in each.name) for each in found.left_out)
    merge_into_base([(tmp_path / "full.safetensors", 1.0)], toy_folder(family), tmp_path / "again")
    again, wanted = (loaded(each, [part])[part].state_dict() for each in (tmp_path / "again", tuned))
    left = {each.name.removeprefix(f"{part}.") for each in found.left_out}
    for name in wanted.keys() - left:
        torch.testing.assert_close(again[name], wanted[name], rtol=2 * EPS, atol=EPS)


def test_what_another_precision_rounds_is_no_difference(tmp_path):
    base = write_single_file(toy_folder("sd1"), tmp_path / "base.safetensors")
    half = write_single_file(toy_folder("sd1"), tmp_path / "half.safetensors", dtype=torch.float16)
    with pytest.raises(AdapterError, match="no more than rounding"):
        extract_file(half, base, tmp_path / "out.safetensors", "full", config=toy_folder("sd1"))
    changed = load_file(half)
    name = next(key for key in changed if key.endswith("attn1.to_q.weight"))
    changed[name] = changed[name] + changed[name].abs() * 2**-9  # two units in the last place
    save_file(changed, tmp_path / "tuned.safetensors")
    found = extract_file(tmp_path / "tuned.safetensors", base, tmp_path / "out.safetensors", "full", config=toy_folder("sd1"))
    assert len(found.layers) == 1
    assert found.unchanged == len(keys.targets("sd1", "unet", toy_parts("sd1")["unet"], "full")) - 1


def test_one_unit_in_the_last_place_is_a_difference_between_files_of_one_precision(tmp_path):
    half = write_single_file(toy_folder("sd1"), tmp_path / "half.safetensors", dtype=torch.float16)
    changed = load_file(half)
    name = next(key for key in changed if key.endswith("attn1.to_q.weight"))
    changed[name] = torch.nextafter(changed[name].float(), torch.tensor(9.0)).half() + changed[name].abs() * 2**-10
    save_file(changed, tmp_path / "tuned.safetensors")
    assert len(extract_file(tmp_path / "tuned.safetensors", half, tmp_path / "out.safetensors", config=toy_folder("sd1")).layers) == 1


def test_the_file_says_what_it_is_of(tmp_path):
    file = write_lora(tmp_path / "lora.safetensors", "sd2", "lora")
    merge_into_base([(file, 1.0)], toy_folder("sd2"), tmp_path / "tuned")
    extract_file(tmp_path / "tuned", toy_folder("sd2"), tmp_path / "mimi.safetensors", "locon", rank=2)
    said = read_header(tmp_path / "mimi.safetensors").metadata
    assert (said["ss_base_model_version"], said["ss_v2"]) == ("sd_v2_v", "True")
    assert (said["modelspec.title"], said["modelspec.description"]) == ("mimi", "The difference of tuned and sd2.")
    assert (said["ss_network_dim"], said["ss_network_alpha"]) == ("2", "2.0")
    assert not any(str(tmp_path) in value for value in said.values())


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"form": "loha"}, "cannot be written as 'loha'"),
        ({"form": "full", "rank": 4}, "rank has no effect on 'full'"),
        ({"conv_rank": 4}, "conv_rank has no effect on 'lora'"),
        ({"parts": ["text_encoder_2"]}, "has no part 'text_encoder_2'"),
        ({"precision": "fp8"}, "cannot be written as 'fp8'"),
    ],
)
def test_settings_without_an_effect_are_refused(more, message, tmp_path):
    with pytest.raises(SettingsError, match=message):
        extract_file(toy_folder("sd1"), toy_folder("sd1"), tmp_path / "out.safetensors", **more)


def test_checkpoints_that_have_no_difference_are_refused(tmp_path):
    out = tmp_path / "out.safetensors"
    with pytest.raises(AdapterError, match="for sd1 and .* for sd2"):
        extract_file(toy_folder("sd1"), toy_folder("sd2"), out)
    broken = tuned_folder(tmp_path, lambda name, tensor: tensor * (float("nan") if name == "conv_in.weight" else 1))
    with pytest.raises(AdapterError, match="conv_in.weight has numbers that are not finite"):
        extract_file(broken, toy_folder("sd1"), out)
    biases = shutil.copytree(toy_folder("sd1"), tmp_path / "biases")
    path = biases / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({name: tensor + (name == "conv_in.bias") for name, tensor in load_file(path).items()}, path, {"format": "pt"})
    with pytest.raises(AdapterError, match=r"but in unet.conv_in.bias: extract them as full"):
        extract_file(biases, toy_folder("sd1"), out)
    assert not out.exists()


def test_every_tensor_of_a_full_size_sdxl_has_a_name_in_files():
    base = standard_base("sdxl")
    unet = base.parts["unet"]
    layers = {path for paths in keys.targets("sdxl", "unet", unet, "full").values() for path in paths}
    norms = {name.rpartition(".")[0] for name in unet.state_dict()} - layers
    assert (len(layers), len(norms)) == (794, 256)
    assert all(exists_at_some_size("sdxl", keys.place("sdxl", "unet", path, base.shape).name) for path in norms)
