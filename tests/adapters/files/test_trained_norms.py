"""Trained normalisations of every family are read under every name that a file may have for them, and written so that they are read again."""

import pytest
import torch
from torch import nn

from lorasmith.adapters.base_weights import empty_base
from lorasmith.adapters.compatibility.loading import in_programs
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.key_style import in_style_of
from lorasmith.adapters.kinds import norm
from lorasmith.adapters.layer import file_tensors
from lorasmith.models.families import FAMILIES
from lorasmith.models.open import describe
from tests.models.toys import carrying, toy_folder


def norms_of(module):
    """Path -> how many numbers it has, of every layer with a scale for each channel."""
    return {
        path: layer.weight.numel()
        for path, layer in module.named_modules()
        if not isinstance(layer, nn.Linear | nn.Conv2d | nn.Embedding)
        and getattr(layer, "weight", None) is not None
        and layer.weight.dim() == 1
    }


def changed_paths(family, base, tensors):
    """Part and path of each layer of a file that was read whole, all of them normalisations."""
    network = read_network(tensors, {}, family, base.shape).whole()
    assert {layer.kind for layer in network.layers.values()} == {norm.KIND}
    return [(found[0], *found[1]) for name in network.layers if (found := base.layers(name))], network


@pytest.mark.parametrize("family", FAMILIES)
def test_every_norm_of_a_family_is_read_and_written(family):
    base = empty_base(describe(toy_folder(family)))
    for part, module in carrying(base).items():
        found = norms_of(module)
        assert found
        tensors = {f"{part}.{path}.diff": torch.ones(size) for path, size in found.items()}
        paths, network = changed_paths(family, base, tensors)
        assert sorted(paths) == sorted((part, path) for path in found)
        written, _ = in_style_of(family, file_tensors(network.layers.values()), {})
        again, _ = changed_paths(family, base, written)
        assert sorted(again) == sorted(paths)


@pytest.mark.parametrize("family", FAMILIES)
def test_norms_are_read_under_the_names_of_single_files(family):
    description = describe(toy_folder(family))
    base, denoiser = empty_base(description), description.denoiser
    found = norms_of(base.parts[denoiser])
    shapes = {name: tuple(tensor.shape) for name, tensor in base.parts[denoiser].state_dict().items()}
    for table in description.parts[denoiser].config.architecture.tables.values():
        takes = table(shapes, ())
        # ComfyUI leaves out ".weight", and keeps what else a tensor is called; LyCORIS writes the layer's path alone.
        for end in ("", ".scale"):
            heads = {path: f"diffusion_model.{takes[f'{path}.weight'].key.removesuffix('.weight').removesuffix(end)}" for path in found}
            paths, _ = changed_paths(family, base, {f"{head}.w_norm": torch.ones(found[path]) for path, head in heads.items()})
            assert sorted(paths) == sorted((denoiser, path) for path in found)


def test_comfyui_finds_norms_of_flux_under_dotted_names_alone():
    head = "double_blocks.0.img_attn.norm.query_norm"
    for name, finds in ((f"diffusion_model.{head}.scale", True), (f"lora_unet_{head.replace('.', '_')}", False)):
        network = read_network({f"{name}.w_norm": torch.ones(128)}, {}, "flux")
        assert (in_programs(network)["ComfyUI"].verdict == "all") is finds


def test_a_file_is_recognised_whatever_its_last_layer_is():
    """ComfyUI trains normalisations and biases beside the LoRA."""
    head = "diffusion_model.layers.0"
    tensors = {f"{head}.attention.qkv.lora_down.weight": torch.ones(2, 3840), f"{head}.attention.qkv.lora_up.weight": torch.ones(11520, 2)}
    tensors |= {f"{head}.ffn_norm2.diff": torch.ones(3840)}
    assert read_network(tensors).family == "zimage"


def test_comfyui_finds_its_own_names_of_attention_layers():
    """Those of diffusers it looks for with `.processor` in them."""
    head = "diffusion_model.input_blocks.4.1.transformer_blocks.0"
    tensors = {f"{head}.norm1.diff": torch.ones(640), f"{head}.norm1.diff_b": torch.ones(640)}
    for layer in ("attn1.to_q", "attn1.to_out.0"):
        tensors |= {f"{head}.{layer}.lora_{end}.weight": torch.ones(shape) for end, shape in (("down", (2, 640)), ("up", (640, 2)))}
    assert in_programs(read_network(tensors, {}, "sdxl"))["ComfyUI"].verdict == "all"


def test_comfyui_and_forge_look_for_no_norms_of_clip():
    head = "text_model_encoder_layers_0_layer_norm1"
    for family, prefix in (("sd1", "lora_te_"), ("sdxl", "lora_te2_"), ("flux", "lora_te1_"), ("sd3", "text_encoder.")):
        name = prefix + (head if prefix.startswith("lora") else "text_model.encoder.layers.0.layer_norm1")
        network = read_network({f"{name}.w_norm": torch.ones(768), f"{name}.b_norm": torch.ones(768)}, {}, family)
        found = in_programs(network)
        assert {found[program].verdict for program in ("ComfyUI", "Forge")} == {"none"}, family


def test_the_last_norm_of_t5_is_found_under_kohyas_name():
    network = read_network({"lora_te3_encoder_final_layer_norm.diff": torch.ones(4096)}, {}, "flux")
    assert {program: in_programs(network)[program].verdict for program in ("ComfyUI", "Forge")} == {"ComfyUI": "all", "Forge": "all"}
