"""Query, key and value that were trained apart are one layer of the file's names: what they do is kept, and no weight is built to read them."""

import pytest
import torch

from lorasmith.adapters.base_weights import BaseWeights
from lorasmith.adapters.compatibility.check import check_file
from lorasmith.adapters.delta import delta
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.lora_file import LoraFile, load_tensors, save_lora
from lorasmith.adapters.kinds.formulas import dora
from lorasmith.adapters.layer import file_tensors, read_layer
from lorasmith.adapters.tools.convert import convert, convert_file
from lorasmith.errors import AdapterError
from lorasmith.evaluation.sampling.loras import with_loras
from lorasmith.models.open import open_base
from tests.models.toys import pipeline_of, toy_folder

WIDTH = 3072
QKV = "lora_unet_double_blocks_0_img_attn_qkv"


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def lokr(path, out, width, seed=0, factor=4):
    a, b, c, d = factor, out // factor, factor, width // factor
    return {
        f"{path}.lokr_w1": normal(a, c, seed=seed),
        f"{path}.lokr_w2_a": normal(b, 2, seed=seed + 1),
        f"{path}.lokr_w2_b": normal(2, d, seed=seed + 2),
        f"{path}.alpha": torch.tensor(1.0),
    }


def change_of(tensors, path):
    w2 = tensors[f"{path}.lokr_w2_a"] @ tensors[f"{path}.lokr_w2_b"]
    return torch.kron(tensors[f"{path}.lokr_w1"], w2) * float(tensors[f"{path}.alpha"]) / 2


def flux_lokr(factor=16):
    """A LoKr on all blocks of Flux.1 at its size, as SimpleTuner names it."""
    tensors = {}
    for i in range(19):
        for q in ("to_q", "to_k", "to_v", "add_q_proj", "add_k_proj", "add_v_proj", "to_out.0", "to_add_out"):
            tensors |= lokr(f"transformer.transformer_blocks.{i}.attn.{q}", WIDTH, WIDTH, factor=factor)
    for i in range(38):
        for q, rows in (("attn.to_q", 1), ("attn.to_k", 1), ("attn.to_v", 1), ("proj_mlp", 4)):
            tensors |= lokr(f"transformer.single_transformer_blocks.{i}.{q}", rows * WIDTH, WIDTH, factor=factor)
    return {key: tensor.half() if tensor.dim() else tensor for key, tensor in tensors.items()}


def bytes_of(tensors):
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def test_reading_a_lokr_of_flux_takes_no_more_than_its_file():
    """As differences its fused layers would be 38 x 9216 x 3072 and 38 x 21504 x 3072 numbers: 14 GB in fp32."""
    tensors = flux_lokr()
    network = read_network(tensors).whole()
    in_layers = bytes_of(tensor for layer in network.layers.values() for tensor in layer.all_tensors().values())
    rows_and_alphas = 8 * 4 * len(network.layers) + 4 * len(tensors)
    assert in_layers <= bytes_of(tensors.values()) + rows_and_alphas
    assert len(network.layers) == 19 * 4 + 38


def test_loras_of_other_alphas_are_fused_without_rounding():
    """In fp16 an `up` around 1e-4 times 1 / 16 is 6e-6, of which the smallest step, 6e-8, is a hundredth."""
    tensors, wanted = {}, []
    for seed, (q, alpha) in enumerate({"to_q": 1.0, "to_k": 2.0, "to_v": 3.0}.items()):
        path = f"transformer.transformer_blocks.0.attn.{q}"
        down, up = normal(16, WIDTH, seed=seed).half(), (1e-4 * normal(WIDTH, 16, seed=seed + 9)).half()
        tensors |= {f"{path}.lora_A.weight": down, f"{path}.lora_B.weight": up, f"{path}.alpha": torch.tensor(alpha)}
        wanted.append(alpha / 16 * up.double() @ down.double())
    found = delta(read_network(tensors, family="flux").layers[QKV]).double()
    assert (found - torch.cat(wanted)).norm() < 1e-6 * torch.cat(wanted).norm()


def test_a_conversion_of_names_that_would_write_gigabytes_of_differences_is_refused(tmp_path):
    source, out = tmp_path / "lokr.safetensors", tmp_path / "kohya.safetensors"
    save_lora(source, flux_lokr(), {}, torch.float16)
    with pytest.raises(AdapterError, match="7 GB.*--to lora --rank 16"):
        convert_file(source, out)
    assert not out.exists()


def test_check_says_of_layers_that_were_trained_apart_what_it_says_of_each():
    report = check_file(LoraFile(flux_lokr(), {}))
    assert report.kinds == {"lokr": 19 * 8 + 38 * 4}
    assert report.consumers["ComfyUI"].verdict == "all"
    assert report.findings[0].code != "check.misfit"


@pytest.mark.parametrize("missing", [None, "to_k"])
def test_a_lokr_that_was_trained_apart_changes_its_own_rows(missing):
    paths = [f"transformer.transformer_blocks.0.attn.{q}" for q in ("to_q", "to_k", "to_v") if q != missing]
    tensors = {key: tensor for seed, path in enumerate(paths) for key, tensor in lokr(path, 32, 32, seed=10 * seed).items()}
    network = read_network(tensors, family="flux").whole()
    found = delta(network.layers[QKV])
    wanted = {path: change_of(tensors, path) for path in paths}
    rows = [wanted.get(f"transformer.transformer_blocks.0.attn.{q}", torch.zeros(32, 32)) for q in ("to_q", "to_k", "to_v")]
    torch.testing.assert_close(found, torch.cat(rows))
    written = {key.removeprefix(f"{QKV}."): tensor for key, tensor in file_tensors(network.layers.values()).items()}
    torch.testing.assert_close(delta(read_layer(QKV, written)), torch.cat(rows))
    converted, (report,) = convert(network.layers, "lora", rank=32)
    torch.testing.assert_close(delta(converted[QKV]).float(), torch.cat(rows), rtol=1e-4, atol=1e-4)
    assert report.error < 1e-6


def dora_apart(weights, paths):
    """OneTrainer's DoRA: LoRAs with a magnitude along each one's own inputs, and the change that they stand for."""
    tensors, changes = {}, []
    for seed, (path, weight) in enumerate(zip(paths, weights, strict=True)):
        down, up = normal(2, weight.shape[1], seed=seed), normal(weight.shape[0], 2, seed=seed + 9)
        magnitude = normal(1, weight.shape[1], seed=seed + 20).abs()
        tensors |= {
            f"{path}.lora_down.weight": down,
            f"{path}.lora_up.weight": up,
            f"{path}.dora_scale": magnitude,
            f"{path}.alpha": torch.tensor(2.0),
        }
        changes.append(dora.delta_weight(up @ down, magnitude, weight))
    return tensors, torch.cat(changes)


def test_magnitudes_of_layers_that_were_trained_apart_are_kept_with_the_base(tmp_path):
    transformer = pipeline_of("flux").transformer
    paths = [f"transformer_blocks.0.attn.{q}" for q in ("to_q", "to_k", "to_v")]
    weights = [transformer.get_submodule(path).weight.detach() for path in paths]
    tensors, wanted = dora_apart(weights, [f"lora_transformer_{path.replace('.', '_')}" for path in paths])
    source = tmp_path / "onetrainer.safetensors"
    save_lora(source, tensors, {}, torch.float32)
    layer = read_network(tensors, family="flux").whole().layers[QKV]
    assert layer.form is read_layer("x", {k.partition(".")[2]: v for k, v in tensors.items() if "_to_q." in k}).form
    torch.testing.assert_close(delta(layer, torch.cat(weights)), wanted)
    with pytest.raises(AdapterError, match="convert the file with the base"):
        convert_file(source, tmp_path / "kohya.safetensors", family="flux")
    base = BaseWeights("flux", {"transformer": transformer})
    convert_file(source, tmp_path / "diff.safetensors", "diff", base=base)
    torch.testing.assert_close(load_tensors(tmp_path / "diff.safetensors").tensors[f"{QKV}.diff"], wanted)


def test_layers_that_were_trained_apart_act_on_a_base_as_they_do_alone(tmp_path):
    base = open_base(toy_folder("flux"))
    transformer = base.parts["transformer"]
    paths = [f"transformer_blocks.0.attn.{q}" for q in ("to_q", "to_k", "to_v")]
    before = {path: transformer.get_submodule(path).weight.detach() for path in paths}
    width = before[paths[0]].shape[1]
    tensors = {
        key: tensor for seed, path in enumerate(paths) for key, tensor in lokr(f"transformer.{path}", width, width, seed=10 * seed).items()
    }
    source = tmp_path / "lokr.safetensors"
    save_lora(source, tensors, {}, torch.float32)
    x = normal(3, width, seed=5)
    with with_loras(base, [(source, 0.5)]):
        for path in paths:
            module = transformer.get_submodule(path)
            wanted = torch.nn.functional.linear(x, before[path] + 0.5 * change_of(tensors, f"transformer.{path}"), module.bias)
            torch.testing.assert_close(module(x), wanted, rtol=1e-4, atol=1e-4)
