"""From a user's settings to the settings of each layer: presets, rules, blocks, and settings that would do nothing."""

import pytest
import torch
from pydantic import ValidationError

from lorasmith.adapters.attach import attach_network
from lorasmith.adapters.kinds import KINDS, trainable_kinds
from lorasmith.adapters.kinds.layer_settings import LayerSettings
from lorasmith.adapters.presets import PRESETS
from lorasmith.adapters.selection import select_network
from lorasmith.adapters.settings import NetworkSettings, check_network
from lorasmith.errors import SettingsError


@pytest.fixture(scope="module")
def sd1():
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.device("meta"):
        unet = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8)
        return {"unet": unet, "text_encoder": CLIPTextModel(CLIPTextConfig())}


@pytest.fixture(scope="module")
def flux():
    from diffusers import FluxTransformer2DModel

    with torch.device("meta"):
        return {"transformer": FluxTransformer2DModel(num_layers=2, num_single_layers=3, num_attention_heads=2, attention_head_dim=128)}


def chosen(parts, part="unet", family="sd1", **settings):
    return select_network(family, parts, NetworkSettings(**settings))[part].settings


# ---- presets


def test_the_default_is_kohyas_choice_and_convolutions_come_with_their_rank(sd1):
    assert len(chosen(sd1)) == 192
    with_convolutions = chosen(sd1, rank=32, alpha=16, conv_rank=8)
    assert len(with_convolutions) == 278
    assert with_convolutions["lora_unet_down_blocks_0_resnets_0_conv1"] == LayerSettings(rank=8, alpha=4.0)
    # As in sd-scripts: 1x1 convolutions and linear layers of the residual blocks have the rank of the others.
    assert with_convolutions["lora_unet_down_blocks_0_resnets_0_time_emb_proj"] == LayerSettings(rank=32, alpha=16.0)
    assert with_convolutions["lora_unet_down_blocks_0_attentions_0_proj_in"].rank == 32
    assert chosen(sd1, conv_rank=8, conv_alpha=1.0)["lora_unet_down_blocks_0_resnets_0_conv1"].alpha == 1.0


def test_presets_go_from_attention_to_everything(sd1):
    counts = [len(chosen(sd1, preset=preset)) for preset in PRESETS]
    assert counts == [128, 160, 192, 278, 282]


def test_alpha_follows_the_rank_where_it_is_not_given(sd1):
    assert {(own.rank, own.alpha) for own in chosen(sd1, rank=4).values()} == {(4, 4.0)}


# ---- rules


def test_the_first_rule_that_fits_decides_by_name_path_or_block(sd1):
    layers = chosen(
        sd1, rank=16, alpha=8,
        layers=[
            {"pattern": "*attn1_to_q", "exclude": True},
            {"pattern": "down_blocks.*.attn1.*", "rank": 4},
            {"pattern": "OUT0[3-5]", "rank": 8, "alpha": 1},
            {"pattern": "IN01", "kind": "lokr"},
        ],
    )  # fmt: skip
    assert "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q" not in layers
    assert layers["lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_k"] == LayerSettings(rank=4, alpha=2.0)
    assert layers["lora_unet_up_blocks_1_attentions_0_proj_in"] == LayerSettings(rank=8, alpha=1.0)
    assert layers["lora_unet_down_blocks_0_attentions_0_proj_in"].kind == "lokr"
    assert layers["lora_unet_mid_block_attentions_0_proj_in"] == LayerSettings(rank=16, alpha=8.0)


def test_a_rule_brings_in_what_the_preset_leaves_out_and_a_last_one_can_shut_all_else_out(sd1):
    layers = chosen(
        {"unet": sd1["unet"]}, preset="attention",
        layers=[{"pattern": "mid_block.resnets.*.conv?", "rank": 2}, {"pattern": "*attn2*"}, {"pattern": "*", "exclude": True}],
    )  # fmt: skip
    assert sum("resnets" in name for name in layers) == 4
    assert sum("attn2" in name for name in layers) == 64
    assert len(layers) == 68


def test_blocks_are_counted_as_in_lora_block_weights(sd1, flux):
    trained = {
        "IN01": "down_blocks_0_attentions_0", "IN08": "down_blocks_2_attentions_1", "MID": "mid_block_attentions_0",
        "OUT03": "up_blocks_1_attentions_0", "OUT11": "up_blocks_3_attentions_2",
    }  # fmt: skip
    for block, where in trained.items():
        layers = chosen({"unet": sd1["unet"]}, layers=[{"pattern": block, "rank": 3}])
        assert {
            name.removeprefix("lora_unet_").rpartition("_transformer")[0] or where for name, own in layers.items() if own.rank == 3
        } == {where}
    text = chosen({"text_encoder": sd1["text_encoder"]}, "text_encoder", layers=[{"pattern": "TE11", "rank": 3}])
    assert sum(own.rank == 3 for own in text.values()) == 6
    single = chosen(flux, "transformer", "flux", layers=[{"pattern": "SINGLE0[12]", "rank": 3}, {"pattern": "DOUBLE*", "exclude": True}])
    assert sorted(own.rank for own in single.values()) == [3] * 6 + [16] * 3


def test_a_rule_for_a_block_leaves_alone_what_the_preset_leaves_out_and_one_for_layers_brings_it_in(sd1):
    assert len(chosen(sd1, layers=[{"pattern": "IN01", "rank": 3}])) == 192
    with_one_more = chosen(sd1, layers=[{"pattern": "*down_blocks_0_resnets_0_conv1", "rank": 3}])
    assert with_one_more["lora_unet_down_blocks_0_resnets_0_conv1"].rank == 3
    assert len(with_one_more) == 193


def test_a_rule_may_give_wide_convolutions_a_rank_of_their_own(sd1):
    layers = chosen(sd1, rank=8, alpha=4, conv_rank=4, layers=[{"pattern": "IN01", "rank": 16, "conv_rank": 2}])
    assert layers["lora_unet_down_blocks_0_attentions_0_proj_in"] == LayerSettings(rank=16, alpha=8.0)
    assert layers["lora_unet_down_blocks_0_resnets_0_conv1"] == LayerSettings(rank=2, alpha=1.0)
    assert layers["lora_unet_down_blocks_0_resnets_1_conv1"] == LayerSettings(rank=4, alpha=2.0)


def test_layers_of_flux_that_share_a_name_are_one_layer(flux):
    selection = select_network("flux", flux, NetworkSettings())["transformer"]
    paths = {target.name: target.paths for target in selection.targets}
    block = "transformer_blocks.1.attn"
    assert paths["lora_unet_double_blocks_1_img_attn_qkv"] == (f"{block}.to_q", f"{block}.to_k", f"{block}.to_v")
    assert len(paths["lora_unet_single_blocks_0_linear1"]) == 4


def test_options_of_other_kinds_do_not_reach_a_layer(sd1):
    layers = chosen(sd1, dora=True, factor=8, layers=[{"pattern": "MID", "kind": "lokr"}, {"pattern": "IN01", "kind": "ia3"}])
    assert layers["lora_unet_mid_block_attentions_0_proj_in"] == KINDS["lokr"].layer_settings(dora=True, factor=8)
    assert layers["lora_unet_down_blocks_0_attentions_0_proj_in"] == KINDS["ia3"].layer_settings()
    assert layers["lora_unet_down_blocks_1_attentions_0_proj_in"] == LayerSettings(dora=True)


def test_what_is_selected_can_be_attached(sd1):
    import diffusers

    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(8, 16), norm_num_groups=4, layers_per_block=1, cross_attention_dim=8, attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )  # fmt: skip
    settings = NetworkSettings(
        rank=2, conv_rank=1, layers=[{"pattern": "MID", "kind": "boft"}, {"pattern": "*attn2*", "kind": "loha", "rank": 3}]
    )
    selection = select_network("sd1", {"unet": unet}, settings)["unet"]
    adapter = attach_network(unet, selection.targets, selection.settings, seed=1)
    kinds = {layer.kind.name for layer in adapter.layers().values()}
    assert kinds == {"lora", "boft", "loha"}
    assert {layer.rank for layer in adapter.layers().values()} == {1, 2, 3, None}


# ---- settings that would do nothing


REFUSED = {
    "factor of a LoRA": ({"factor": 8}, r"network.factor has no effect on network.kind 'lora'; remove it or choose lokr"),
    "rank of an ia3": ({"kind": "ia3", "rank": 8}, "network.rank has no effect on network.kind 'ia3'"),
    "dora of a boft": ({"kind": "boft", "dora": True}, "network.dora .* choose lokr, loha|network.dora .* choose loha, lokr or lora"),
    "dropout of a lokr": ({"kind": "lokr", "dropout": 0.1}, "network.dropout has no effect"),
    "convolutions without any": (
        {"preset": "attention", "conv_rank": 4},
        "network.conv_rank .* network.preset 'attention', which has no 3x3",
    ),
    "conv alpha without convolutions": ({"conv_alpha": 1}, "network.conv_alpha .* choose the preset 'convolutions'"),
    "tucker without convolutions": ({"use_tucker": True}, "network.use_tucker"),
    "full matrix and rank": ({"kind": "lokr", "full_matrix": True, "rank": 4}, "network.rank has no effect with network.full_matrix"),
    "norms of rotations": ({"kind": "boft", "scale_weight_norms": 1}, "network.scale_weight_norms cannot scale the rotations of boft"),
    "uneven rank steps": ({"kind": "dylora", "rank": 10, "rank_step": 4}, "network.rank 10 is not a multiple of network.rank_step 4"),
    "rank of what is excluded": ({"layers": [{"pattern": "*", "exclude": True, "rank": 3}]}, "gives rank to layers that it excludes"),
    "rate of what is excluded": ({"layers": [{"pattern": "*", "exclude": True, "lr": 0.5}]}, "gives lr to layers that it excludes"),
    "no rate": ({"layers": [{"pattern": "*", "lr": 0}]}, "gives lr 0, which does not train its layers .* set exclude instead"),
    "conv rank for a kind without": ({"layers": [{"pattern": "*", "kind": "ia3", "conv_rank": 3}]}, "gives conv_rank, which has no effect"),
    "sizes of no file": ({"dim_from_weights": True}, "network.dim_from_weights has no effect without network.weights"),
    "rank for a kind without": ({"layers": [{"pattern": "*", "kind": "full", "rank": 3}]}, "gives rank, which has no effect on 'full'"),
}


@pytest.mark.parametrize(("settings", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_setting_without_effect_is_refused_in_a_sentence(settings, message):
    with pytest.raises(SettingsError, match=message):
        check_network(NetworkSettings(**settings))


def test_a_rule_that_fits_no_layer_and_rules_that_leave_nothing_are_refused(sd1):
    with pytest.raises(SettingsError, match=r"'\*atn2\*' in network.layers matches no layer .* lora_unet_"):
        chosen(sd1, layers=[{"pattern": "*atn2*", "rank": 4}])
    with pytest.raises(SettingsError, match="'IN00' in network.layers decides over no trained layer: the preset 'default'"):
        chosen(sd1, layers=[{"pattern": "IN00", "rank": 4}])
    with pytest.raises(SettingsError, match="rules before it take them"):
        chosen(sd1, layers=[{"pattern": "*", "rank": 4}, {"pattern": "MID", "rank": 8}])
    with pytest.raises(SettingsError, match="leave nothing of the text_encoder to train"):
        chosen(sd1, layers=[{"pattern": "lora_te*", "exclude": True}])


def test_settings_written_out_in_full_are_as_good_as_those_left_empty():
    for kind in trainable_kinds():
        settings = NetworkSettings(kind=kind)
        check_network(NetworkSettings(**settings.model_dump()))


def test_unknown_kinds_and_keys_are_refused():
    with pytest.raises(ValidationError):
        NetworkSettings(kind="lora2")
    with pytest.raises(ValidationError):
        NetworkSettings(layers=[{"pattern": "*", "ranks": 3}])
