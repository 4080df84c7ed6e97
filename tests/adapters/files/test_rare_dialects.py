"""Ways of writing LoRA files that few programs have: each is read as it is meant, or called by its name."""

import pytest
import torch

from lorasmith.adapters.delta import delta
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.layer import file_tensors, read_layer
from lorasmith.errors import AdapterError

BLOCK = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"
SD1 = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
WIDTH = 3072


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


DOWN, UP = normal(2, 768), normal(640, 2, seed=1)


def test_xlabs_processors_are_layers_of_fluxs_blocks():
    """1 is the picture's side and 2 the text's; a single block's query, key and value are the first rows of its linear1."""
    rows = {
        "double_blocks.0.processor.qkv_lora1": ("lora_unet_double_blocks_0_img_attn_qkv", 3 * WIDTH, WIDTH),
        "double_blocks.0.processor.qkv_lora2": ("lora_unet_double_blocks_0_txt_attn_qkv", 3 * WIDTH, WIDTH),
        "double_blocks.0.processor.proj_lora1": ("lora_unet_double_blocks_0_img_attn_proj", WIDTH, WIDTH),
        "double_blocks.0.processor.proj_lora2": ("lora_unet_double_blocks_0_txt_attn_proj", WIDTH, WIDTH),
        "single_blocks.3.processor.qkv_lora": ("lora_unet_single_blocks_3_linear1", 3 * WIDTH, WIDTH),
        "single_blocks.3.processor.proj_lora": ("lora_unet_single_blocks_3_linear2", WIDTH, 5 * WIDTH),
    }
    tensors = {}
    for seed, (head, (_, out, width)) in enumerate(rows.items()):
        tensors |= {f"{head}.down.weight": normal(1, width, seed=seed), f"{head}.up.weight": normal(out, 1, seed=seed + 9)}
    network = read_network(tensors).whole()
    assert (network.family, network.dialects) == ("flux", ("XLabs",))
    for head, (name, out, _) in rows.items():
        found = network.layers[name].tensors
        assert torch.equal(found["lora_down.weight"], tensors[f"{head}.down.weight"])
        assert torch.equal(found["lora_up.weight"][:out], tensors[f"{head}.up.weight"])
        assert not found["lora_up.weight"][out:].any()
    assert network.layers["lora_unet_single_blocks_3_linear1"].tensors["lora_up.weight"].shape == (7 * WIDTH, 1)


@pytest.mark.parametrize(
    "keys",
    [
        (f"unet.base_model.model.{BLOCK}.lora_A.weight", f"unet.base_model.model.{BLOCK}.lora_B.weight"),
        (f"unet.{BLOCK}.lora_A.mimi.weight", f"unet.{BLOCK}.lora_B.mimi.weight"),
        (f"base_model.model.{BLOCK}.lora_A.default_0.weight", f"base_model.model.{BLOCK}.lora_B.default_0.weight"),
    ],
)
def test_pefts_own_names_are_read_wherever_they_are(keys):
    network = read_network(dict(zip(keys, (DOWN, UP), strict=True))).whole()
    torch.testing.assert_close(delta(network.layers[SD1]), (UP.double() @ DOWN.double()))


def test_two_adapters_in_one_file_are_not_mixed():
    tensors = {f"unet.{BLOCK}.lora_{end}.{name}.weight": tensor for name in ("a", "b") for end, tensor in (("A", DOWN), ("B", UP))}
    network = read_network(tensors)
    assert all("twice" in reason for reason in network.unread.values())
    assert len(network.unread) == 2


def test_a_scale_stands_for_alpha_over_rank_as_automatic1111_has_it():
    network = read_network({f"{SD1}.lora_down.weight": DOWN, f"{SD1}.lora_up.weight": UP, f"{SD1}.scale": torch.tensor(0.25)}).whole()
    layer = network.layers[SD1]
    torch.testing.assert_close(delta(layer), 0.25 * (UP.double() @ DOWN.double()))
    written = {key.removeprefix(f"{SD1}."): tensor for key, tensor in file_tensors([layer]).items()}
    torch.testing.assert_close(delta(read_layer(SD1, written)), delta(layer))


NOT_READ = {
    "OFTv2": ("oft_R.weight", torch.zeros(96, 496)),
    "BOFT of peft": ("boft_R", torch.zeros(1, 4, 8, 8)),
    "VeRA": ("vera_lambda_b", torch.zeros(8)),
    "OFT of LyCORIS before": ("oft_diag", torch.zeros(4, 8, 8)),
}


@pytest.mark.parametrize(("what", "suffix", "tensor"), [(what, *rest) for what, rest in NOT_READ.items()], ids=NOT_READ)
def test_networks_that_are_not_read_are_called_by_their_names(what, suffix, tensor):
    with pytest.raises(AdapterError, match=what) as refusal:
        read_network({f"lora_unet_double_blocks_0_img_attn_proj.{suffix}": tensor})
    assert refusal.value.code == "lora.other_kind"


def test_what_a_control_lora_of_flux_has_besides_is_named():
    name = "double_blocks.0.img_attn"
    tensors = {
        f"{name}.proj.lora_A.weight": normal(1, WIDTH), f"{name}.proj.lora_B.weight": normal(WIDTH, 1),
        f"{name}.proj.lora_B.bias": torch.zeros(WIDTH), f"{name}.norm.key_norm.scale": torch.ones(128),
    }  # fmt: skip
    unread = read_network(tensors).unread
    assert set(unread) == {f"{name}.proj.lora_B.bias", f"{name}.norm.key_norm.scale"}
    assert all("control LoRAs" in reason for reason in unread.values())
