"""Files made from other files: what they say of themselves is true of their new tensors, and nothing of a change is lost or invented."""

import copy
import json

import pytest
import torch
from safetensors.torch import save_file

from lorasmith.adapters.compatibility.check import check_file
from lorasmith.adapters.delta import delta
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.lora_file import load_tensors
from lorasmith.adapters.files.network import save_network
from lorasmith.adapters.kinds import KINDS
from lorasmith.adapters.layer import Layer
from lorasmith.adapters.tools.convert import convert_file
from lorasmith.adapters.tools.merge import merge_files
from lorasmith.adapters.tools.resize import resize_file
from lorasmith.cli.main import app
from lorasmith.errors import AdapterError
from lorasmith.library.inspect import inspect as describe_lora
from tests.models.toys import pipeline_of

BLOCK = "input_blocks_4_1_transformer_blocks_0"
SDXL = {"ss_base_model_version": "sdxl_base_v1-0"}


def pair(name, out=640, width=640, rank=4, alpha=None, ends=("lora_down", "lora_up"), dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    down, up = torch.randn(rank, width, generator=generator), torch.randn(out, rank, generator=generator)
    tensors = {f"{name}.{ends[0]}.weight": down.to(dtype), f"{name}.{ends[1]}.weight": up.to(dtype)}
    return tensors if alpha is None else {**tensors, f"{name}.alpha": torch.tensor(float(alpha))}


def write(path, tensors, metadata=None):
    path.parent.mkdir(exist_ok=True, parents=True)
    save_file(tensors, path, metadata)
    return path


def change(path, name):
    """The change of a layer of kohya's layout, by hand."""
    tensors = load_tensors(path).tensors
    down, up = tensors[f"{name}.lora_down.weight"].double(), tensors[f"{name}.lora_up.weight"].double()
    return up @ down * float(tensors[f"{name}.alpha"]) / down.shape[0]


def run(arguments):
    """The command line in this process."""
    app(arguments, standalone_mode=False)


def alphas(path):
    return {float(tensor) for key, tensor in load_tensors(path).tensors.items() if key.endswith(".alpha")}


# ---- one alpha


@pytest.mark.parametrize("part", ["unet", "text_encoder"])
def test_layers_of_different_alphas_are_written_so_that_diffusers_reads_all_of_them(part, tmp_path):
    pipeline = copy.deepcopy(pipeline_of("sd1"))
    module, layers, wanted = getattr(pipeline, part), {}, {}
    found = keys.targets("sd1", part, module)
    names = [name for name in found if "attn" in name][:4]
    for name, rank, alpha in zip(names, (2, 4, 2, 4), (1.0, 4.0, 1.0, 3.0), strict=True):
        shape = module.get_submodule(found[name][0]).weight.shape
        tensors = {"lora_down.weight": torch.randn(rank, shape[1]), "lora_up.weight": torch.randn(shape[0], rank)}
        layers[name] = Layer(name, KINDS["lora"], tensors, alpha)
        wanted[found[name][0]] = alpha / rank * tensors["lora_up.weight"] @ tensors["lora_down.weight"]
    path = tmp_path / "mixed.safetensors"
    save_network(path, layers.values(), "sd1", {}, torch.float32)
    assert alphas(path) == {1.0}
    before = {name: module.get_submodule(name).weight.detach().clone() for name in wanted}
    pipeline.load_lora_weights(str(tmp_path), weight_name=path.name)
    pipeline.fuse_lora(components=[part])
    for name, expected in wanted.items():
        layer = module.get_submodule(name)
        found_change = getattr(layer, "base_layer", layer).weight.detach() - before[name]
        torch.testing.assert_close(found_change, expected, rtol=1e-4, atol=1e-4)


def test_merging_and_resizing_write_one_alpha_and_keep_the_change(tmp_path):
    q, k = f"lora_unet_{BLOCK}_attn1_to_q", f"lora_unet_{BLOCK}_attn2_to_k"
    a = write(tmp_path / "a.safetensors", pair(q, rank=4, alpha=1) | pair(k, width=2048, rank=2, alpha=2, seed=1), SDXL)
    b = write(tmp_path / "b.safetensors", pair(q, rank=8, alpha=4, seed=2), SDXL)
    merged, resized = tmp_path / "merged.safetensors", tmp_path / "resized.safetensors"
    merge_files([(a, 0.5), (b, 1.0)], merged)
    resize_file(a, resized, rank=32, method="sv_fro", target=0.7)
    assert len(alphas(merged)) == len(alphas(resized)) == 1
    assert load_tensors(merged).metadata["ss_network_alpha"] == str(alphas(merged).pop())
    torch.testing.assert_close(change(merged, q), 0.5 * change(a, q) + change(b, q), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_alphas_are_stored_exactly(precision, tmp_path):
    """bf16 has 8 digits: 257 and 0.3 are none of its numbers, and 1e5 is none of fp16's."""
    q = f"lora_unet_{BLOCK}_attn1_to_q"
    for alpha in (257.0, 0.3, 1e5):
        source = write(tmp_path / "a.safetensors", pair(q, alpha=alpha), SDXL)
        convert_file(source, tmp_path / "b.safetensors", precision=precision, overwrite=True)
        assert alphas(tmp_path / "b.safetensors") == {float(torch.tensor(alpha))}


# ---- metadata


def test_what_metadata_said_of_the_old_tensors_does_not_survive(tmp_path):
    """An alpha that was multiplied into the weights would count twice."""
    name = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
    settings = {"unet.r": 4, "unet.lora_alpha": 8}
    metadata = {"lora_adapter_metadata": json.dumps(settings), "lorasmith_alphas": "8.0", "modelspec.hash_sha256": "0x00", "author": "me"}
    source = write(tmp_path / "a.safetensors", pair(name, ends=("lora_A", "lora_B")), SDXL | metadata)
    for to in ("diffusers", "kohya"):
        out = tmp_path / f"{to}.safetensors"
        convert_file(source, out, to=to)
        written = load_tensors(out).metadata
        assert not written.keys() & {"lora_adapter_metadata", "lorasmith_alphas", "modelspec.hash_sha256"}
        assert written["author"] == "me"


@pytest.mark.parametrize("to", ["kohya", "diffusers"])
def test_an_alpha_in_the_metadata_counts_once(to, tmp_path):
    name = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
    tensors = pair(name, ends=("lora_A", "lora_B"))
    settings = {"unet.r": 4, "unet.lora_alpha": 8}
    source = write(tmp_path / "a.safetensors", tensors, SDXL | {"lora_adapter_metadata": json.dumps(settings)})
    convert_file(source, tmp_path / "b.safetensors", to=to)
    convert_file(tmp_path / "b.safetensors", tmp_path / "c.safetensors")
    wanted = 2 * tensors[f"{name}.lora_B.weight"].double() @ tensors[f"{name}.lora_A.weight"].double()
    torch.testing.assert_close(change(tmp_path / "c.safetensors", f"lora_unet_{BLOCK}_attn1_to_q"), wanted, rtol=1e-6, atol=1e-5)


def test_an_alpha_among_the_tensors_goes_before_what_another_program_copied_of_the_metadata(tmp_path):
    key = "diffusion_model.layers.0.attention.to_q"
    tensors = pair(key, 3840, 3840, 4, 2.0, ("lora_A", "lora_B"))
    source = write(tmp_path / "a.safetensors", tensors, {"lorasmith_alphas": "16.0"})
    (layer,) = read_network(load_tensors(source).tensors, load_tensors(source).metadata, "zimage").layers.values()
    wanted = 0.5 * tensors[f"{key}.lora_B.weight"].double() @ tensors[f"{key}.lora_A.weight"].double()
    torch.testing.assert_close(delta(layer).double(), wanted, rtol=1e-5, atol=1e-4)
    assert describe_lora(source, "zimage").alphas == {"2": 1}


def test_pefts_configuration_beside_a_file_is_read(tmp_path):
    name = "base_model.model.down_blocks.1.attentions.0.transformer_blocks.0."
    tensors = pair(f"{name}attn1.to_q", ends=("lora_A", "lora_B")) | pair(f"{name}attn2.to_k", width=2048, ends=("lora_A", "lora_B"))
    source = write(tmp_path / "peft" / "adapter_model.safetensors", tensors)
    settings = {"r": 4, "lora_alpha": 16, "alpha_pattern": {"attn2.to_k": 6}, "use_rslora": False}
    (source.parent / "adapter_config.json").write_text(json.dumps(settings))
    file = load_tensors(source)
    network = read_network(file.tensors, file.metadata)
    assert [layer.alpha for layer in network.layers.values()] == [16.0, 6.0]


def test_pefts_scale_of_a_whole_lokr_goes_into_its_weights(tmp_path):
    """peft multiplies by alpha / r, and every other program by 1."""
    name = "base_model.model.down_blocks.1.attentions.0.transformer_blocks.0."
    lokr = {f"{name}attn1.to_q.lokr_w1": torch.ones(8, 8), f"{name}attn1.to_q.lokr_w2": torch.ones(80, 80)}
    source = write(tmp_path / "peft" / "adapter_model.safetensors", lokr | pair(f"{name}attn2.to_k", width=2048))
    (source.parent / "adapter_config.json").write_text(json.dumps({"r": 4, "alpha": 2}))
    file = load_tensors(source)
    layer = read_network(file.tensors, file.metadata).layers[f"lora_unet_{BLOCK}_attn1_to_q"]
    assert float(layer.tensors["lokr_w1"][0, 0]) == 0.5


def test_secrets_of_whoever_trained_a_file_are_not_copied_and_that_is_said(tmp_path, capsys):
    q = f"lora_unet_{BLOCK}_attn1_to_q"
    settings = json.dumps({"hub": {"hf_token": "abcd1234"}, "epochs": 3})
    metadata = SDXL | {"wandb_api_key": "abcd1234", "training_config": settings, "author": "me"}
    source = write(tmp_path / "a.safetensors", pair(q, alpha=4), metadata)
    for number, verb in enumerate((["convert"], ["convert", "--to", "diffusers"], ["resize", "--rank", "2"], ["merge"])):
        out = tmp_path / f"{number}.safetensors"
        run(["lora", verb[0], str(source), "--out", str(out), *verb[1:]])
        said = capsys.readouterr().out
        assert "abcd1234" not in out.read_bytes().decode("latin-1") + said
        if verb != ["merge"]:
            assert "training_config, wandb_api_key" in said
            written = load_tensors(out).metadata
            assert json.loads(written["training_config"])["epochs"] == 3
            assert "wandb_api_key" not in written
    run(["lora", "show", str(source)])
    assert "abcd1234" not in capsys.readouterr().out


# ---- names


def test_a_file_of_an_unknown_family_is_not_written_anew_under_names_that_nobody_knows(tmp_path):
    """Nothing can be checked of it: what a name stands for, and whether two names are one layer."""
    source = write(tmp_path / "a.safetensors", pair("lora_unet_decoder_stage_3_mixer", alpha=4) | pair("lora_unet_foo_bar", alpha=4))
    out = tmp_path / "out.safetensors"
    for work in (
        lambda: resize_file(source, out, rank=2),
        lambda: merge_files([(source, 1.0), (source, 0.5)], out),
        lambda: convert_file(source, out),
        lambda: resize_file(source, out, rank=2, family="sdxl"),
    ):
        with pytest.raises(AdapterError, match="unknown|cannot be read"):
            work()
        assert not out.exists()


def test_a_file_of_a_known_family_is_never_taken_by_its_own_names(tmp_path):
    """Its layers would stand in a merged file beside the same layers in other names."""
    a = write(tmp_path / "a.safetensors", pair(f"lora_unet_{BLOCK}_attn1_to_q", alpha=4), SDXL)
    diffusers = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0"
    known, unknown = pair(f"{diffusers}_attn1_to_q", alpha=4), pair("lora_unet_foo_bar", alpha=4)
    b = write(tmp_path / "b.safetensors", known, SDXL)
    c = write(tmp_path / "c.safetensors", known | unknown, SDXL)
    d = write(tmp_path / "d.safetensors", unknown)
    out = tmp_path / "out.safetensors"
    assert len(merge_files([(a, 1.0), (b, 1.0)], out)) == 1
    out.unlink()
    for files in ([(a, 1.0), (c, 1.0)], [(a, 1.0), (d, 1.0)]):
        with pytest.raises(AdapterError):
            merge_files(files, out)
    with pytest.raises(AdapterError, match="foo_bar"):
        resize_file(c, out, rank=2)
    assert not out.exists()


# ---- numbers


def test_numbers_too_large_for_the_new_file_are_refused(tmp_path):
    tensors = pair(f"lora_unet_{BLOCK}_attn1_to_q", alpha=4)
    tensors[f"lora_unet_{BLOCK}_attn1_to_q.lora_up.weight"][0, 0] = 1e5
    source, out = write(tmp_path / "a.safetensors", tensors, SDXL), tmp_path / "b.safetensors"
    with pytest.raises(AdapterError, match="too large for fp16") as refusal:
        convert_file(source, out, precision="fp16")
    assert refusal.value.code == "lora.overflow"
    assert not out.exists()
    convert_file(source, out, precision="bf16")
    for ratio in (float("nan"), float("inf")):
        with pytest.raises(AdapterError, match="not finite"):
            merge_files([(source, ratio)], tmp_path / "c.safetensors")


def test_a_difference_that_is_too_large_for_the_new_file_is_not_called_damaged(tmp_path):
    tensors = {f"lora_unet_{BLOCK}_attn1_to_q.diff": torch.ones(640, 640, dtype=torch.float16)}
    source, out = write(tmp_path / "a.safetensors", tensors, SDXL), tmp_path / "b.safetensors"
    with pytest.raises(AdapterError, match="too large for fp16") as refusal:
        merge_files([(source, 1e6)], out)
    assert refusal.value.code == "lora.overflow"
    merge_files([(source, 1e6)], out, precision="bf16")


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.bool, torch.complex64])
def test_numbers_that_are_not_in_floating_point_are_refused(dtype, tmp_path):
    q = f"lora_unet_{BLOCK}_attn1_to_q"
    tensors = pair(q, alpha=4)
    tensors[f"{q}.lora_up.weight"] = tensors[f"{q}.lora_up.weight"].to(dtype)
    source, out = (
        write(tmp_path / "a.safetensors", tensors | pair(f"lora_unet_{BLOCK}_attn1_to_v", alpha=4), SDXL),
        tmp_path / "b.safetensors",
    )
    words = f"lora_up.weight is in {str(dtype).removeprefix('torch.')}, and only numbers in floating point are read"
    with pytest.raises(AdapterError, match=words):
        convert_file(source, out)
    assert [finding.code for finding in check_file(source, fit=False).findings if words in finding.message] == ["check.unreadable"]


@pytest.mark.parametrize("to", ["everywhere", "diffusers"])
def test_an_alpha_that_goes_into_the_weights_is_rounded_to_the_new_files_precision_alone(to, tmp_path):
    """At alpha / rank = 1 / 30 a product in fp16 is off by 2**-12 of itself; in fp32 that is far smaller."""
    tensors = pair("diffusion_model.layers.0.attention.to_q", 3840, 3840, 3, 0.1, ("lora_A", "lora_B"), torch.float16)
    source = write(tmp_path / "a.safetensors", tensors)
    (report,), _ = convert_file(source, tmp_path / "b.safetensors", to, precision="fp32", family="zimage")
    assert report.rounding < 1e-6
    (report,), _ = convert_file(source, tmp_path / "c.safetensors", to, family="zimage")
    assert report.rounding > 1e-5


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_float8_is_read_as_the_numbers_that_it_holds(dtype, tmp_path):
    q = f"lora_unet_{BLOCK}_attn1_to_q"
    tensors = {key: tensor.to(dtype) for key, tensor in pair(q, alpha=4).items()}
    source = write(tmp_path / "a.safetensors", tensors, SDXL)
    convert_file(source, tmp_path / "b.safetensors")
    new = load_tensors(tmp_path / "b.safetensors").tensors
    assert all(torch.equal(new[key].float(), tensor.float()) for key, tensor in tensors.items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_an_alpha_that_nothing_depends_on_is_never_written_as_infinity(dtype, tmp_path):
    """A LoKr of whole factors is not scaled; LyCORIS writes alphas of 1e8 into its files."""
    name = f"lora_unet_{BLOCK}_attn2_to_k"
    tensors = {f"{name}.lokr_w1": torch.ones(8, 8), f"{name}.lokr_w2": torch.ones(80, 256), f"{name}.alpha": torch.tensor(1e8)}
    source = write(tmp_path / "a.safetensors", {key: tensor.to(dtype) for key, tensor in tensors.items()}, SDXL)
    convert_file(source, tmp_path / "b.safetensors", precision="fp16")
    assert all(tensor.isfinite().all() for tensor in load_tensors(tmp_path / "b.safetensors").tensors.values())


def test_exact_is_said_of_what_was_measured_only(tmp_path):
    """bf16 keeps 8 binary digits; fp16 loses numbers under 6e-8 altogether."""
    q = f"lora_unet_{BLOCK}_attn1_to_q"
    source, out = write(tmp_path / "a.safetensors", pair(q, alpha=3), SDXL), tmp_path / "b.safetensors"
    (same,), _ = convert_file(source, out)
    assert same.rounding == 0
    (rounded,), _ = convert_file(source, out, precision="bf16", overwrite=True)
    assert 2**-11 < rounded.rounding < 2 * 2**-8
    tiny = {key: tensor * (1e-9 if "lora_up" in key else 1) for key, tensor in pair(q, alpha=3).items()}
    (gone,), _ = convert_file(write(tmp_path / "c.safetensors", tiny, SDXL), out, precision="fp16", overwrite=True)
    assert gone.rounding == pytest.approx(1)


def test_layers_that_are_unknown_for_one_reason_are_one_finding(tmp_path):
    unknown = {key: tensor for number in range(5) for key, tensor in pair(f"lora_unet_foo_{number}", alpha=4).items()}
    source = write(tmp_path / "a.safetensors", pair(f"lora_unet_{BLOCK}_attn1_to_q", alpha=4) | unknown, SDXL)
    assert [finding.code for finding in check_file(source).findings].count("check.unreadable") == 1
