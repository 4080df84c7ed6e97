"""Names and shapes in a file against those that kohya's trainer makes for the real model."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from lorasmith.adapters.attach import adapter_tensors, attach
from lorasmith.adapters.files.names import targets
from lorasmith.errors import AdapterError

REFERENCE = Path(__file__).resolve().parents[4] / "shared" / "reference" / "keys" / "kohya_keys_sd15.json"


def test_stable_diffusion_15_at_full_size_has_kohyas_names_and_shapes():
    if not REFERENCE.exists():
        pytest.skip("the list of kohya's keys for Stable Diffusion 1.5 is not beside this checkout")
    with torch.device("meta"):
        unet = UNet2DConditionModel(block_out_channels=(320, 640, 1280, 1280), cross_attention_dim=768, attention_head_dim=8)
        text_encoder = CLIPTextModel(
            CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, hidden_act="quick_gelu")
        )
    adapters = [
        attach(model, chosen, 4, 1, 0)
        for model, chosen in ((unet, targets("sd1", "unet", unet)), (text_encoder, targets("sd1", "text_encoder", text_encoder)))
    ]
    ours = {key: list(value.shape) for key, value in adapter_tensors(*adapters).items()}
    kohyas = json.loads(REFERENCE.read_text())["keys"]
    assert len(ours) == 792
    assert ours == kohyas


@pytest.mark.parametrize("linear_projection", [False, True])
def test_a_toy_unet_has_its_transformer_blocks_named(linear_projection):
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=16,
        attention_head_dim=8,
        use_linear_projection=linear_projection,
    )
    names = {path: name for name, (path,) in targets("sd1", "unet", unet).items()}
    block = "down_blocks.0.attentions.0"
    inside = [path.removeprefix(block + ".") for path in names if path.startswith(block)]
    attention = [f"{a}.{p}" for a in ("attn1", "attn2") for p in ("to_q", "to_k", "to_v", "to_out.0")]
    layers = [f"transformer_blocks.0.{path}" for path in (*attention, "ff.net.0.proj", "ff.net.2")]
    assert sorted(inside) == sorted([*layers, "proj_in", "proj_out"])
    assert (
        names[f"{block}.transformer_blocks.0.attn1.to_out.0"] == "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0"
    )
    assert not any("resnets" in path or "sampler" in path or "time_emb" in path for path in names)


def test_text_encoders_of_both_shapes_get_text_model_in_their_names():
    config = CLIPTextConfig(
        vocab_size=100, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, projection_dim=16
    )
    one = {path: name for name, (path,) in targets("sd1", "text_encoder", CLIPTextModel(config)).items()}
    two = {path: name for name, (path,) in targets("sdxl", "text_encoder_2", CLIPTextModelWithProjection(config)).items()}
    assert len(one) == len(two) == 2 * 6
    assert "lora_te_text_model_encoder_layers_1_self_attn_out_proj" in one.values()
    assert "lora_te2_text_model_encoder_layers_1_mlp_fc1" in two.values()
    assert two["text_model.encoder.layers.0.mlp.fc2"] == "lora_te2_text_model_encoder_layers_0_mlp_fc2"


def test_a_model_of_another_kind_is_refused():
    for part in ("unet", "text_encoder"):
        with pytest.raises(AdapterError, match=f"no layer that a LoRA trains in the {part} of sd1"):
            targets("sd1", part, nn.Sequential(nn.Linear(2, 2)))
