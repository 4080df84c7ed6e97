"""Files whose tensors have shapes that no network of their kind has: the layer is named as unreadable, and the others are read."""

import pytest
import torch
from safetensors.torch import save_file

from lorasmith.adapters.compatibility.check import check_file
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.tools.convert import diffusers_tensors
from lorasmith.errors import AdapterError

BLOCK = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0"
SOUND, OTHER = f"{BLOCK}_attn1_to_q", f"{BLOCK}_attn1_to_k"


MISSHAPEN = {
    "one axis": {"lora_down.weight": torch.ones(2, 320), "lora_up.weight": torch.ones(320)},
    "an up with a kernel": {"lora_down.weight": torch.ones(2, 320), "lora_up.weight": torch.ones(320, 2, 3, 3)},
    "a core without a kernel": {"lora_down.weight": torch.ones(2, 320), "lora_up.weight": torch.ones(320, 2), "lora_mid.weight": torch.ones(2, 2)},
    "LoHa": {f"hada_w{k}_{end}": torch.ones(2, 2, 2) for k in (1, 2) for end in "ab"},
    "LoKr": {"lokr_w1": torch.ones(2), "lokr_w2": torch.ones(160, 160)},
    "GLoRA": {f"{end}.weight": torch.ones(4) for end in ("a1", "a2", "b1", "b2")},
    "rotations in two axes": {"oft_blocks": torch.ones(4, 4), "alpha": torch.tensor(0.0)},
    "blocks that are not square": {"oft_blocks": torch.ones(80, 4, 3), "alpha": torch.tensor(0.0)},
    "stages that are not square": {"oft_blocks": torch.ones(2, 80, 4, 3), "alpha": torch.tensor(0.0)},
    "rotations that are not square": {"oft_diag": torch.ones(80, 4, 3)},
    "half circles": {"oft_diag": -torch.eye(4).expand(80, 4, 4)},
    "OFTv2": {"oft_R.weight": torch.ones(6)},
    "a single number": {"diff": torch.tensor(1.0)},
    "a normalisation": {"w_norm": torch.ones(2, 2), "b_norm": torch.ones(2, 2)},
}  # fmt: skip


@pytest.mark.parametrize("tensors", MISSHAPEN.values(), ids=MISSHAPEN)
def test_a_layer_of_tensors_in_other_shapes_than_its_kind_has_is_unreadable_and_the_others_are_read(tensors, tmp_path):
    sound = {f"{SOUND}.lora_down.weight": torch.ones(2, 320), f"{SOUND}.lora_up.weight": torch.ones(320, 2)}
    file = {**sound, **{f"{OTHER}.{suffix}": tensor.contiguous() for suffix, tensor in tensors.items()}}
    network = read_network(file, family="sd1")
    assert list(network.layers) == [SOUND]
    assert set(network.unread) == file.keys() - sound.keys()
    save_file(file, tmp_path / "file.safetensors")
    assert "check.unreadable" in {finding.code for finding in check_file(tmp_path / "file.safetensors", "sd1", fit=False).findings}


def test_rows_that_cannot_be_divided_are_refused():
    """Query, key and value of Z-Image in one layer, as ComfyUI has them; and of Flux, as kohya has them."""
    heads = {"zimage": "diffusion_model.layers.0.attention.qkv", "flux": "lora_unet_double_blocks_0_img_attn_qkv"}
    of = {
        family: {f"{head}.lora_down.weight": torch.ones(2, 8), f"{head}.lora_up.weight": torch.ones(7, 2)} for family, head in heads.items()
    }
    network = read_network(of["zimage"], family="zimage")
    assert network.layers == {}
    assert all("7 rows" in reason for reason in network.unread.values())
    with pytest.raises(AdapterError, match="7 rows"):
        diffusers_tensors("flux", read_network(of["flux"], family="flux").layers)


def test_two_layers_for_one_of_diffusers_are_not_written_over_each_other():
    """Query, key and value of Z-Image in one layer, and the query by itself."""
    tensors = {}
    for name, rows in (("qkv", 96), ("to_q", 32)):
        head = f"diffusion_model.layers.0.attention.{name}"
        tensors |= {f"{head}.lora_A.weight": torch.ones(2, 32), f"{head}.lora_B.weight": torch.ones(rows, 2)}
    with pytest.raises(AdapterError, match="layers.0.attention.to_q, too"):
        diffusers_tensors("zimage", read_network(tensors, family="zimage").layers)
