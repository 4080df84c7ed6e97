"""The verbs on LoRA files as a user meets them: words, exit codes, files that are never lost."""

import json

import pytest
import torch
import typer
from typer.testing import CliRunner

from lorasmith.adapters.base_weights import empty_base
from lorasmith.adapters.delta import delta
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.lora_file import load_tensors, save_lora
from lorasmith.cli.check import check
from lorasmith.cli.lora.app import app as lora_app
from lorasmith.errors import AdapterError, InputError, SettingsError
from lorasmith.models.open import describe
from tests.models.toys import toy_folder

app = typer.Typer()
app.command("check")(check)
app.add_typer(lora_app, name="lora")


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A LoRA of rank 4 and a LoHa, on the toy SD 1."""
    folder = tmp_path_factory.mktemp("loras")
    shapes = keys.weight_shapes("sd1", {"unet": empty_base(describe(toy_folder("sd1"))).parts["unet"]}, "attention")
    generator = torch.Generator().manual_seed(1)
    plain, loha = {}, {}
    for name, (out, width) in shapes.items():
        plain |= {f"{name}.lora_down.weight": torch.randn(4, width, generator=generator), f"{name}.alpha": torch.tensor(2.0)}
        plain[f"{name}.lora_up.weight"] = torch.randn(out, 4, generator=generator)
        for i in (1, 2):
            loha |= {f"{name}.hada_w{i}_a": torch.randn(out, 2, generator=generator), f"{name}.alpha": torch.tensor(2.0)}
            loha[f"{name}.hada_w{i}_b"] = torch.randn(2, width, generator=generator)
    metadata = {"ss_base_model_version": "sd_v1", "ss_v2": "False", "ss_output_name": "mimi"}
    save_lora(folder / "lora.safetensors", plain, metadata, torch.float32)
    save_lora(folder / "loha.safetensors", loha, metadata, torch.float32)
    return folder


def changes(path):
    content = load_tensors(path)
    return {name: delta(layer).double() for name, layer in read_network(content.tensors, content.metadata).whole().layers.items()}


def test_check_is_content_with_a_sound_file_and_says_so_to_scripts(files):
    base = toy_folder("sd1")
    result = run("check", files / "lora.safetensors", "--base", base)
    assert result.exit_code == 0
    assert result.output.count("loads all of it") == 4
    data = json.loads(run("check", files / "lora.safetensors", "--base", base, "--json").output)
    assert (data["problems"], data["names"]) == ([], ["kohya"])
    assert data["consumers"]["ComfyUI"]["verdict"] == "all"


def test_check_warns_of_a_program_that_drops_the_file_and_can_be_asked_for_one_alone(files):
    everywhere = run("check", files / "loha.safetensors", "--base", toy_folder("sd1"))
    assert everywhere.exit_code == 1
    assert "problem: diffusers refuses the file" in everywhere.output
    assert run("check", files / "loha.safetensors", "--base", toy_folder("sd1"), "--for", "comfy").exit_code == 0
    with pytest.raises(SettingsError, match="Nothing is known of the program 'InvokeAI'"):
        run("check", files / "loha.safetensors", "--for", "InvokeAI")


def test_check_refuses_what_is_no_lora(files, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"hello")
    with pytest.raises(AdapterError, match="not a safetensors file"):
        run("check", tmp_path / "x.safetensors")
    with pytest.raises(AdapterError, match="There is no LoRA file"):
        run("check", tmp_path / "y.safetensors")


def test_show_tells_what_is_in_a_file(files):
    data = json.loads(run("lora", "show", files / "lora.safetensors", "--json").output)
    assert (data["family"], data["kinds"], data["ranks"]) == ("sd1", {"lora": data["parts"]["unet"]}, {"4": data["parts"]["unet"]})
    assert (data["layers"], data["names"]) == (data["parts"]["unet"], ["kohya"])
    assert data["metadata"]["ss_output_name"] == "mimi"
    assert "mimi" in run("lora", "show", files / "loha.safetensors").output


def test_resize_writes_a_smaller_file_that_says_its_rank_and_keeps_the_old_one(files, tmp_path):
    before = (files / "lora.safetensors").read_bytes()
    out = tmp_path / "small.safetensors"
    result = run("lora", "resize", files / "lora.safetensors", "--rank", 2, "--out", out)
    assert "kept of the change's norm" in result.output
    content = load_tensors(out)
    assert (content.metadata["ss_network_dim"], content.metadata["ss_network_alpha"]) == ("2", "1.0")
    numbers = sum(tensor.numel() for tensor in content.tensors.values() if tensor.dim())
    assert numbers == sum(tensor.numel() for tensor in load_tensors(files / "lora.safetensors").tensors.values() if tensor.dim()) / 2
    with pytest.raises(InputError, match="exists already"):
        run("lora", "resize", files / "lora.safetensors", "--rank", 3, "--out", out)
    with pytest.raises(InputError, match=".safetensors"):
        run("lora", "resize", files / "lora.safetensors", "--rank", 3, "--out", tmp_path / "small.ckpt")
    run("lora", "resize", files / "lora.safetensors", "--rank", 3, "--by", "sv_fro", "--target", 0.8, "--out", out, "--overwrite")
    assert (files / "lora.safetensors").read_bytes() == before


def test_merge_adds_files_at_their_ratios(files, tmp_path):
    out = tmp_path / "both.safetensors"
    run("lora", "merge", f"{files / 'lora.safetensors'}:0.5", files / "loha.safetensors", "--out", out)
    one, two = changes(files / "lora.safetensors"), changes(files / "loha.safetensors")
    for name, value in changes(out).items():
        torch.testing.assert_close(value, 0.5 * one[name] + two[name], rtol=1e-4, atol=1e-4)
    assert load_tensors(out).metadata["modelspec.merged_from"] == "lora.safetensors:0.5, loha.safetensors:1"
    with pytest.raises(SettingsError, match="not a number"):
        run("lora", "merge", f"{files / 'lora.safetensors'}:much", "--out", tmp_path / "x.safetensors")


def test_convert_goes_to_diffusers_and_back_and_tells_what_an_approximation_loses(files, tmp_path):
    theirs, back = tmp_path / "theirs.safetensors", tmp_path / "back.safetensors"
    assert "exact" in run("lora", "convert", files / "lora.safetensors", "--to", "diffusers", "--out", theirs).output
    run("lora", "convert", theirs, "--out", back, "--family", "sd1")
    one, other = changes(files / "lora.safetensors"), changes(back)
    assert one.keys() == other.keys()
    assert all(torch.allclose(value, other[name], rtol=1e-4, atol=1e-4) for name, value in one.items())
    result = run("lora", "convert", files / "loha.safetensors", "--to", "lora", "--rank", 2, "--out", tmp_path / "lora.safetensors")
    assert "approximated: lost" in result.output
    with pytest.raises(AdapterError, match="give the rank"):
        run("lora", "convert", files / "loha.safetensors", "--to", "lora", "--out", tmp_path / "no.safetensors")
    assert not (tmp_path / "no.safetensors").exists()


def test_files_for_models_that_are_not_known_are_refused_and_nothing_is_written(tmp_path):
    tensors = {"lora_unet_strange_layer.lora_down.weight": torch.randn(4, 6), "lora_unet_strange_layer.lora_up.weight": torch.randn(5, 4)}
    odd, out = tmp_path / "odd.safetensors", tmp_path / "out.safetensors"
    save_lora(odd, tensors, {}, torch.float32)
    for verb in (["resize", odd, "--rank", 2], ["merge", odd, odd]):
        with pytest.raises(AdapterError, match="unknown"):
            run("lora", *verb, "--out", out)
        assert not out.exists()


def test_a_pickle_is_refused_until_it_is_allowed_and_can_be_converted(files, tmp_path):
    torch.save(load_tensors(files / "lora.safetensors").tensors, tmp_path / "old.pt")
    verbs = [["lora", "show", tmp_path / "old.pt"], ["check", tmp_path / "old.pt"]]
    verbs += [["lora", "convert", tmp_path / "old.pt", "--out", tmp_path / "new.safetensors"]]
    verbs += [["lora", "resize", tmp_path / "old.pt", "--rank", 2, "--out", tmp_path / "small.safetensors"]]
    verbs += [["lora", "merge", tmp_path / "old.pt", "--out", tmp_path / "merged.safetensors"]]
    for verb in verbs:
        with pytest.raises(AdapterError, match="is a pickle, which can carry programs; .*--allow-pickle"):
            run(*verb)
        assert run(*verb, "--allow-pickle").exit_code == 0
    assert changes(tmp_path / "new.safetensors").keys() == changes(files / "lora.safetensors").keys()
