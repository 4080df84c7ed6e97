"""Names in files are those of layers that the family really has: at full size on the meta device, layer by layer."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lorasmith.adapters.base_weights import standard_base
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.tools.convert import convert_file
from lorasmith.errors import AdapterError
from lorasmith.models.families import FAMILIES

PARTS = [(family, part) for family, record in FAMILIES.items() for part in record.lora.parts]


def layers_of(module):
    """Path -> input width of each layer of a module that a network can change, CLIP's as transformers named them up to version 5.5."""
    found = {
        path: getattr(layer, "in_features", getattr(layer, "in_channels", None))
        for path, layer in module.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv2d) or getattr(getattr(layer, "weight", None), "ndim", 0) == 1
    }
    if "encoder.layers.0.mlp.fc1" in found:
        found = {f"text_model.{path}": width for path, width in found.items()}
    found.pop("text_projection", None)  # no trainer changes it
    return found


@pytest.mark.parametrize(("family", "part"), PARTS)
def test_the_layers_of_a_family_are_those_of_its_modules(family, part):
    real = layers_of(standard_base(family).parts[part])
    known = FAMILIES[family].lora.parts[part].layers.all_layers(FAMILIES[family].usual.parts[part].settings)
    assert set(known) == set(real)
    assert {path: width for path, width in known.items() if width is not None}.items() <= real.items()


def lora(name, out=640, width=640):
    return {f"{name}.lora_down.weight": torch.zeros(2, width), f"{name}.lora_up.weight": torch.zeros(out, 2)}


BLOCK = "transformer_blocks_0"
KNOWN = {
    "sd1": lora(f"lora_unet_down_blocks_1_attentions_0_{BLOCK}_attn2_to_k", 640, 768),
    "sdxl": lora(f"lora_unet_input_blocks_4_1_{BLOCK}_attn2_to_k", 640, 2048),
    "flux": lora("lora_unet_double_blocks_0_img_attn_proj", 3072, 3072),
}
NO_LAYERS = {
    "no such block": ("sd1", lora(f"lora_unet_down_blocks_7_attentions_0_{BLOCK}_attn1_to_q")),
    "a block without attention": ("sd1", lora(f"lora_unet_up_blocks_0_attentions_0_{BLOCK}_attn1_to_q", 1280, 1280)),
    "one block too many": ("sdxl", lora("lora_unet_input_blocks_4_1_transformer_blocks_2_attn1_to_q")),
    "words of two layers": ("sd1", lora("lora_unet_down_blocks_1_attentions_0_conv1")),
    "an attention in a residual block": ("sdxl", lora("lora_unet_input_blocks_4_0_attn1_to_q")),
    "a layer of the other kind of block": ("flux", lora("lora_unet_double_blocks_0_linear1", 21504, 3072)),
    "a block of another transformer": ("flux", lora("lora_unet_double_blocks_0_img_attn_lin", 3072, 3072)),
    "a feed-forward in a single block": ("flux", lora("transformer.single_transformer_blocks.0.ff.net.0.proj", 12288, 3072)),
    "no such block of the text encoder": ("sdxl", lora("lora_te1_text_model_encoder_layers_12_mlp_fc1", 3072, 768)),
    "no layer of a text encoder": ("sd1", lora("lora_te_text_model_encoder_layers_0_self_attn_fc1", 768, 768)),
}


@pytest.mark.parametrize(("family", "tensors"), NO_LAYERS.values(), ids=NO_LAYERS)
def test_a_name_of_words_that_the_family_has_is_not_yet_one_of_its_layers(family, tensors, tmp_path):
    network = read_network(KNOWN[family] | tensors)
    assert set(network.unread) == set(tensors)
    assert all("has no" in reason for reason in network.unread.values())
    source, out = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_file(KNOWN[family] | tensors, source)
    with pytest.raises(AdapterError, match="has no"):
        convert_file(source, out)
    assert not out.exists()


def test_a_base_of_another_size_may_have_other_blocks():
    small = lora(f"lora_unet_down_blocks_1_attentions_0_{BLOCK}_attn1_to_q", 32, 32)
    more = lora(f"lora_unet_up_blocks_0_attentions_0_{BLOCK}_attn1_to_q", 32, 32)
    network = read_network(small | more)
    assert (network.family, len(network.layers), network.unread) == ("sd1", 2, {})
