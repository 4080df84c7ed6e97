"""Whose a file is: its shapes decide, then the names of its layers, then what its metadata say; other families are called by their names."""

import json
import re

import pytest
import torch

from lorasmith.adapters.files.dialects import read_network
from lorasmith.errors import AdapterError
from tests.reference import FOLDER

SDXL_BLOCK = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"
SD1_BLOCK = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"


def lora(*layers, ends=("lora_A", "lora_B"), rank=1):
    """LoRA layers given as (name, out, in)."""
    return {
        f"{name}.{end}.weight": torch.zeros(shape)
        for name, out, width in layers
        for end, shape in zip(ends, ((rank, width), (out, rank)), strict=True)
    }


def kohya(*layers):
    return lora(*layers, ends=("lora_down", "lora_up"))


BLOCK = "transformer.transformer_blocks.0"
OTHERS = {
    "FLUX.2 dev": ("FLUX.2 dev", lora(("transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj", 55296, 6144))),
    "HunyuanVideo": ("HunyuanVideo", kohya(("lora_unet_double_blocks_0_img_mlp_fc1", 12288, 3072))),
    "HunyuanVideo, attention alone": ("HunyuanVideo", kohya(("lora_unet_double_blocks_19_img_attn_qkv", 9216, 3072))),
    "HunyuanVideo, feed-forward of the last block": (
        "HunyuanVideo",
        lora(("transformer.transformer_blocks.19.ff.net.0.proj", 12288, 3072)),
    ),
    "the attention of block 19": ("HunyuanVideo or Qwen-Image", lora(("transformer.transformer_blocks.19.attn.to_q", 3072, 3072))),
    "HunyuanVideo 1.5": ("HunyuanVideo 1.5", lora((f"{BLOCK}.attn.to_q", 2048, 2048))),
    "HunyuanImage": ("HunyuanImage", kohya(("lora_unet_double_blocks_0_img_attn_qkv", 10752, 3584))),
    "AuraFlow": ("AuraFlow", lora(("transformer.joint_transformer_blocks.0.attn.to_q", 3072, 3072))),
    "PixArt": ("PixArt", lora((f"{BLOCK}.attn1.to_q", 1152, 1152))),
    "CogVideoX": ("CogVideoX", lora((f"{BLOCK}.attn1.to_q", 1920, 1920))),
    "LTX-Video": ("LTX-Video", lora((f"{BLOCK}.attn2.to_k", 2048, 2048))),
    "Wan": ("Wan", lora(("diffusion_model.blocks.0.self_attn.q", 5120, 5120))),
    "Lumina-Next": ("Lumina-Next", kohya(("lora_unet_layers_0_attention_wq", 2304, 2304))),
    "NewBie": ("NewBie", kohya(*((f"lora_unet_layers_{number}_attention_qkv", 3840, 2304) for number in (0, 35)))),
    "NewBie, what modulates its last blocks": ("NewBie", kohya(("lora_unet_layers_35_adaLN_modulation_1", 9216, 1024))),
    "Stable Cascade": ("Stable Cascade", kohya(("lora_prior_unet_down_blocks_0_1_attention", 8, 8))),
    "Wan of VideoX-Fun": ("Wan", kohya(("lora_unet__blocks_0_cross_attn_k", 5120, 5120))),
    "HiDream": ("HiDream", kohya(("lora_unet_single_stream_blocks_0_block_attn1_to_q", 2560, 2560))),
    "the SDXL refiner": (
        "the refiner of Stable Diffusion XL",
        kohya(("lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k", 768, 1280)),
    ),
    "Stable Video Diffusion": (
        "Stable Video Diffusion",
        lora(("unet.down_blocks.0.attentions.0.temporal_transformer_blocks.0.attn1.to_q", 320, 320)),
    ),
    "AnimateDiff": ("AnimateDiff", lora(("unet.down_blocks.0.motion_modules.0.proj_in", 320, 320))),
}


@pytest.mark.parametrize(("title", "tensors"), OTHERS.values(), ids=OTHERS)
def test_files_of_other_families_are_called_by_their_names_and_not_read(title, tensors):
    with pytest.raises(AdapterError, match=f"made for {title}, which is not supported") as refusal:
        read_network(tensors)
    assert refusal.value.code == "lora.other_family"


SUPPORTED = {
    "SD3 medium": ("sd3", lora((f"{BLOCK}.attn.to_q", 1536, 1536))),
    "SD3.5 large": ("sd3", lora((f"{BLOCK}.attn.add_q_proj", 2432, 2432))),
    "SD3 of sd-scripts": ("sd3", kohya(("lora_unet_joint_blocks_0_x_block_attn_qkv", 4608, 1536))),
    "Anima": (
        "anima",
        lora(("diffusion_model.blocks.0.cross_attn.k_proj", 2048, 1024), ("diffusion_model.blocks.27.mlp.layer1", 8192, 2048)),
    ),
    "Anima of sd-scripts": ("anima", kohya(("lora_unet_blocks_0_self_attn_output_proj", 2048, 2048))),
    "Qwen-Image": ("qwen_image", lora((f"{BLOCK}.attn.to_q", 3072, 3072), (f"{BLOCK}.img_mod.1", 18432, 3072))),
    "Qwen-Image, attention alone": ("qwen_image", lora(("diffusion_model.transformer_blocks.59.attn.add_q_proj", 3072, 3072))),
    "Qwen-Image, the last block that HunyuanVideo has too": (
        "qwen_image",
        kohya(*((f"lora_unet_transformer_blocks_{number}_attn_to_q", 3072, 3072) for number in (19, 20))),
    ),
}


@pytest.mark.parametrize(("family", "tensors"), SUPPORTED.values(), ids=SUPPORTED)
def test_files_of_newer_families_are_known_by_the_names_of_their_layers(family, tensors):
    network = read_network(tensors)
    assert (network.family, network.alike, network.unread) == (family, (), {})


def test_a_model_with_the_layers_of_another_is_known_by_its_metadata():
    tensors = kohya((SDXL_BLOCK, 640, 2048))
    assert read_network(tensors).family == "sdxl"
    with pytest.raises(AdapterError, match="made for Kolors"):
        read_network(tensors, {"modelspec.architecture": "kolors/lora"})


DOUBLE = "lora_unet_double_blocks_"
ALIKE = {
    "attention and MLP, as Chroma trains them": ((f"{DOUBLE}18_img_attn_qkv", 9216, 3072), (f"{DOUBLE}0_txt_mlp_0", 12288, 3072), ("lora_unet_single_blocks_37_linear1", 21504, 3072)),
    "attention of the first blocks": ((f"{DOUBLE}4_img_attn_qkv", 9216, 3072), (f"{DOUBLE}0_txt_attn_proj", 3072, 3072)),
    "a modulation": ((f"{DOUBLE}0_img_attn_qkv", 9216, 3072), (f"{DOUBLE}0_img_mod_lin", 18432, 3072)),
    "attention of later blocks": ((f"{DOUBLE}7_img_attn_qkv", 9216, 3072), ("lora_unet_single_blocks_20_linear2", 3072, 15360)),
    "CLIP": ((f"{DOUBLE}0_img_attn_qkv", 9216, 3072), ("lora_te1_text_model_encoder_layers_0_mlp_fc1", 3072, 768)),
}  # fmt: skip


@pytest.mark.parametrize(
    ("layers", "metadata", "alike"),
    [
        ("attention and MLP, as Chroma trains them", {}, ("Chroma",)), ("attention of the first blocks", {}, ("Chroma", "FLUX.2 klein", "HunyuanVideo")),
        ("attention of later blocks", {}, ("Chroma", "HunyuanVideo")),
        ("a modulation", {}, ()), ("CLIP", {}, ()), ("attention of the first blocks", {"ss_base_model_version": "flux1"}, ()),
    ],
)  # fmt: skip
def test_a_file_of_layers_that_two_models_have_is_said_to_be_for_one_or_the_other(layers, metadata, alike):
    tensors = kohya(*ALIKE[layers])
    network = read_network(tensors, metadata)
    assert (network.family, network.alike) == ("flux", alike)
    assert [note for note in network.notes if note.startswith("Nothing in the file shows")] == [
        f"Nothing in the file shows whether it was made for {' or '.join(('Flux.1', *alike))}: its layers are the same in "
        f"{'both' if len(alike) == 1 else 'all of them'}. It is read as Flux.1."
    ] * bool(alike)
    assert read_network(tensors, metadata, "flux").alike == ()


ATTENTION, SINGLE = "transformer.transformer_blocks.{}.attn.to_q", "transformer.single_transformer_blocks.{}.attn.to_q"
FEED_FORWARD = "transformer.transformer_blocks.{}.ff.net.0.proj"


@pytest.mark.parametrize(
    ("layers", "alike"),
    [
        ([(ATTENTION.format(7), 3072, 3072)], ("Chroma", "HunyuanVideo", "Qwen-Image")),
        ([(ATTENTION.format(number), 3072, 3072) for number in (5, 18)], ("Chroma", "HunyuanVideo", "Qwen-Image")),
        ([(ATTENTION.format(7), 3072, 3072), (SINGLE.format(3), 3072, 3072)], ("Chroma", "HunyuanVideo")),
        ([(FEED_FORWARD.format(7), 12288, 3072)], ("Chroma", "HunyuanVideo")),
        ([("transformer.transformer_blocks.7.norm1.linear", 18432, 3072)], ("HunyuanVideo",)),
        ([(ATTENTION.format(number), 3072, 3072) for number in range(19)], ("Chroma",)),
        ([(SINGLE.format(number), 3072, 3072) for number in range(38)], ("Chroma",)),
    ],
    ids=str,
)
def test_a_part_of_the_layers_in_diffusers_names_could_be_of_models_with_more_blocks(layers, alike):
    network = read_network(lora(*layers))
    assert (network.family, network.alike) == ("flux", alike)


KEYS = sorted((FOLDER / "keys").glob("*_keys_*.json"))
OURS = re.compile("keys_(flux|sd15.*|sd21|sdxl.*|zimage|flux2_klein4b)$")
TITLES = {"qwen_image": "Qwen-Image"}
"""Of models that share layers with Flux.1."""


@pytest.mark.skipif(not KEYS, reason="needs the lists of trainers' keys")
@pytest.mark.parametrize("path", [path for path in KEYS if not OURS.search(path.stem)], ids=lambda path: path.stem)
def test_no_layer_of_another_family_is_said_to_be_of_flux_alone(path):
    family, layers = path.stem.partition("_keys_")[2], {}
    for key, shape in json.loads(path.read_text(encoding="utf-8"))["keys"].items():
        name = re.sub(r"\.(alpha|lora_(down|up|A|B)\.weight)$", "", key)
        layers.setdefault(name, {})[key] = torch.zeros(shape) if shape else torch.tensor(1.0)
    alike = {name: alike_of(tensors) for name, tensors in layers.items()}
    assert [name for name, titles in alike.items() if titles is not None and TITLES.get(family) not in titles] == []


def alike_of(tensors):
    """The other models that a file could be for; None where it is refused, or read as another family's."""
    try:
        network = read_network(tensors)
    except AdapterError:
        return None
    return network.alike if network.family == "flux" else None


def test_a_file_of_whose_layers_none_is_the_familys_is_unknown():
    with pytest.raises(AdapterError, match="unknown") as refusal:
        read_network(kohya(("lora_unet_down_blocks_9_attentions_0_mixer", 320, 320)))
    assert refusal.value.code == "lora.unknown_family"


@pytest.mark.parametrize("words", [{"ss_base_model_version": "hunyuan"}, {"modelspec.architecture": "flux-2-dev/lora"}])
def test_a_family_whose_names_are_those_of_flux_is_known_by_its_metadata(words):
    with pytest.raises(AdapterError, match="not supported"):
        read_network(kohya(("lora_unet_double_blocks_0_img_attn_qkv", 9216, 3072)), words)


@pytest.mark.parametrize(
    ("family", "tensors", "words"),
    [
        ("sdxl", kohya((SDXL_BLOCK, 640, 2048)), "sd_v1"),
        ("sd1", kohya((SD1_BLOCK, 640, 768)), "sdxl_base_v1-0"),
        ("sd2", kohya((SD1_BLOCK, 640, 1024)), "sd_v1"),
        ("flux", kohya(("lora_unet_double_blocks_0_img_attn_qkv", 9216, 3072)), "sd_v1"),
        ("flux", lora((f"{BLOCK}.attn.to_q", 3072, 3072)), "sdxl_base_v1-0"),
        ("sdxl", kohya(("lora_unet_input_blocks_7_1_transformer_blocks_9_attn1_to_q", 1280, 1280)), "sd_v1"),
        ("sdxl", kohya(("lora_te1_text_model_encoder_layers_0_self_attn_q_proj", 768, 768)), "sdxl_base_v1-0"),
    ],
)
def test_shapes_and_names_win_over_metadata_that_were_copied_or_edited(family, tensors, words):
    assert read_network(tensors, {"ss_base_model_version": words}).family == family


DAMAGED = {
    "LoRA": {"lora_down.weight": torch.zeros(4, 8), "lora_up.weight": torch.zeros(8, 2)},
    "LoHa": {f"hada_w{i}_{s}": torch.zeros(*((8, 4) if s == "a" else (3, 8))) for i in (1, 2) for s in "ab"},
    "LoKr": {"lokr_w1": torch.zeros(2, 2), "lokr_w2_a": torch.zeros(4, 2), "lokr_w2_b": torch.zeros(3, 4)},
    "GLoRA": {
        "a1.weight": torch.zeros(8, 2),
        "a2.weight": torch.zeros(3, 8),
        "b1.weight": torch.zeros(8, 2),
        "b2.weight": torch.zeros(2, 8),
    },
}


EMPTY = {
    "LoRA": {"lora_down.weight": torch.zeros(0, 8), "lora_up.weight": torch.zeros(8, 0), "alpha": torch.tensor(1.0)},
    "LoHa": {f"hada_w{i}_{s}": torch.zeros(*((8, 0) if s == "a" else (0, 8))) for i in (1, 2) for s in "ab"},
    "LoKr": {"lokr_w1": torch.zeros(2, 2), "lokr_w2": torch.zeros(0, 4)},
    "DoRA": {"lora_down.weight": torch.zeros(2, 8), "lora_up.weight": torch.zeros(8, 2), "dora_scale": torch.zeros(0)},
}


@pytest.mark.parametrize("tensors", EMPTY.values(), ids=EMPTY)
def test_a_layer_with_a_tensor_without_numbers_is_unreadable(tensors):
    """No program computes with a rank of 0: AUTOMATIC1111 and ComfyUI divide by it."""
    network = read_network({f"{SD1_BLOCK}.{suffix}": tensor for suffix, tensor in tensors.items()}, family="sd1")
    assert network.layers == {}
    assert all("has no numbers" in reason for reason in network.unread.values())


@pytest.mark.parametrize("tensors", DAMAGED.values(), ids=DAMAGED)
def test_tensors_of_different_ranks_are_unreadable(tensors):
    network = read_network({f"{SD1_BLOCK}.{suffix}": tensor for suffix, tensor in tensors.items()}, family="sd1")
    assert all("do not go together" in reason for reason in network.unread.values())
    with pytest.raises(AdapterError, match="cannot be read"):
        network.whole()
