"""Blocks in the words of sd-scripts: which block each number is for, curves, and rules that train the same."""

import pytest
import torch

from lorasmith.adapters.selection import candidates_of, rule_for, select_network
from lorasmith.adapters.settings import NetworkSettings
from lorasmith.training.importers.import_settings import import_settings
from lorasmith.training.importers.sd_scripts_blocks import Sizes, block_rules, row_of, stretch

DEFAULTS = Sizes(rank=8, alpha=4.0, conv_rank=None, conv_alpha=1.0)
WITH_CONVOLUTIONS = Sizes(rank=8, alpha=4.0, conv_rank=2, conv_alpha=1.0)


@pytest.fixture(scope="module")
def unets():
    from lorasmith.models.families import FAMILIES
    from lorasmith.models.parts import build

    with torch.device("meta"):
        return {family: build(FAMILIES[family].usual.parts["unet"]) for family in ("sd1", "sdxl")}


def layers_with(unets, family, arguments, defaults):
    """Layer -> (settings, rule), as trained by the rules for these arguments."""
    rules = block_rules(arguments, row_of(family, arguments), defaults)
    settings = NetworkSettings(rank=defaults.rank, alpha=defaults.alpha, conv_rank=defaults.conv_rank, conv_alpha=defaults.conv_rank and defaults.conv_alpha,
                               layers=rules)  # fmt: skip
    chosen = select_network(family, {"unet": unets[family]}, settings)["unet"].settings
    rule_of = {
        each.target.name: rule_for(each, settings) for each in candidates_of(family, "unet", unets[family], settings.effective_preset)
    }
    return {name: (own, rule_of[name]) for name, own in chosen.items()}


def test_curves_run_over_a_stretch_and_lists_are_filled_up():
    assert stretch("linear", 5) == [0, 0.25, 0.5, 0.75, 1]
    assert stretch("reverse_linear+.1", 3) == pytest.approx([1.1, 0.6, 0.1])
    assert stretch("sine", 3) == pytest.approx([0, 0.7071, 1], abs=1e-4)
    assert stretch("cosine", 3) == pytest.approx([1, 0.7071, 0], abs=1e-4)
    assert stretch("cosine", 12)[-1] == 0.0
    assert stretch("zeros+0.5", 2) == [0.5, 0.5]
    assert stretch((0.5,), 3) == [0.5, 1, 1]
    assert stretch([1, 2, 3, 4], 2) == [1, 2]
    with pytest.raises(ValueError, match="no curve 'cosinus'"):
        stretch("cosinus", 3)


def test_each_number_of_25_is_for_its_block(unets):
    """The ranks say which number a layer got: number k is k + 1."""
    layers = layers_with(unets, "sd1", {"block_dims": tuple(range(1, 26)), "conv_block_dims": tuple(range(101, 126))}, WITH_CONVOLUTIONS)
    ranks = {name.removeprefix("lora_unet_"): own.rank for name, (own, _) in layers.items()}
    assert ranks["down_blocks_0_attentions_0_proj_in"] == 1 + 1  # IN01
    assert ranks["down_blocks_1_attentions_1_proj_in"] == 1 + 5
    assert ranks["down_blocks_0_downsamplers_0_conv"] == 101 + 3
    assert ranks["down_blocks_3_resnets_1_conv1"] == 101 + 11
    assert ranks["down_blocks_3_resnets_1_time_emb_proj"] == 1 + 11
    assert ranks["mid_block_attentions_0_proj_in"] == 1 + 12
    assert ranks["mid_block_resnets_1_conv2"] == 101 + 12
    assert ranks["up_blocks_0_resnets_0_conv1"] == 101 + 13
    assert ranks["up_blocks_0_upsamplers_0_conv"] == 101 + 15
    assert ranks["up_blocks_3_attentions_2_proj_out"] == 1 + 24


def test_each_number_of_23_is_for_its_block_of_sdxl(unets):
    arguments = {"block_dims": tuple(range(1, 24)), "conv_block_dims": tuple(range(101, 124))}
    ranks = {
        name.removeprefix("lora_unet_"): own.rank for name, (own, _) in layers_with(unets, "sdxl", arguments, WITH_CONVOLUTIONS).items()
    }
    assert ranks["input_blocks_1_0_in_layers_2"] == 101 + 2
    assert ranks["input_blocks_8_1_proj_in"] == 1 + 9
    assert ranks["middle_block_0_in_layers_2"] == 101 + 10
    assert ranks["middle_block_1_proj_in"] == 1 + 11
    assert ranks["middle_block_2_out_layers_3"] == 101 + 12
    assert ranks["output_blocks_0_1_proj_in"] == 1 + 13
    assert ranks["output_blocks_8_0_in_layers_2"] == 101 + 21


@pytest.mark.parametrize(("family", "count"), [("sd1", 12), ("sdxl", 9)])
def test_factors_are_rates_of_blocks_and_0_is_not_trained(unets, family, count):
    arguments = {"down_lr_weight": "linear", "mid_lr_weight": 0.5 if family == "sd1" else (1, 0.5, 1), "up_lr_weight": (0,) * (count - 1)}
    layers = layers_with(unets, family, arguments, DEFAULTS)
    everything = select_network(family, {"unet": unets[family]}, NetworkSettings(rank=8, alpha=4.0))["unet"].settings
    assert layers.keys() < everything.keys()
    names = {"sd1": ("down_blocks_1_attentions_0", "mid_block_attentions_0", "up_blocks_1", 12, "up_blocks_3_attentions_2"),
             "sdxl": ("input_blocks_4_1", "middle_block_1", "output_blocks_0", 9, None)}[family]  # fmt: skip
    rates = {name: rule.lr if rule else 1.0 for name, (_, rule) in layers.items()}
    assert {rate for name, rate in rates.items() if names[0] in name} == {round(4 / (count - 1), 6)}
    assert {rate for name, rate in rates.items() if names[1] in name} == {0.5}
    assert not any(names[2] in name for name in layers)
    if names[4]:
        assert {rate for name, rate in rates.items() if names[4] in name} == {1.0}  # the list was a number short
    assert {(own.rank, own.alpha) for own, _ in layers.values()} == {(8, 4.0)}


def test_blocks_as_all_others_have_no_rule():
    assert block_rules({"down_lr_weight": (1,) * 12, "block_dims": (8,) * 25, "block_alphas": (4,) * 25}, row_of(None, {}), DEFAULTS) == []


def test_the_threshold_switches_weak_blocks_off():
    rules = block_rules({"up_lr_weight": "linear", "block_lr_zero_threshold": 0.5}, row_of("sd1", {}), DEFAULTS)
    assert [rule["pattern"] for rule in rules if rule.get("exclude")] == ["OUT03", "OUT04", "OUT05"]


def test_what_sd_scripts_would_refuse_is_said():
    with pytest.raises(ValueError, match="25 numbers"):
        block_rules({"block_dims": (1, 2, 3)}, row_of("sd1", {}), DEFAULTS)
    with pytest.raises(ValueError, match="IN02 trains either"):
        block_rules({"conv_block_dims": (2, 2, 0) + (2,) * 22}, row_of("sd1", {}), WITH_CONVOLUTIONS)


def test_a_command_with_blocks_and_loraplus_becomes_settings_that_a_run_takes(tmp_path):
    file = tmp_path / "train.sh"
    file.write_text(
        "accelerate launch train_network.py --pretrained_model_name_or_path=base.safetensors --train_data_dir=pictures --network_module=networks.lora "
        "--network_dim=8 --network_alpha=4 --network_weights=first.safetensors --dim_from_weights --max_train_steps=100 --network_args "
        "down_lr_weight=cosine mid_lr_weight=0.5 up_lr_weight=sine+.25 loraplus_lr_ratio=16 --unet_lr=1e-4\n",
        encoding="utf-8",
    )
    found = import_settings(file)
    assert found.fault == ""
    network, optimizer = found.settings.network, found.settings.optimizer
    assert (str(network.weights), network.dim_from_weights, optimizer.loraplus_lr_ratio) == ("first.safetensors", True, 16)
    rates = {rule.pattern: rule.lr for rule in network.layers}
    assert rates["MID"] == 0.5
    assert rates["OUT11"] == 1.25
    assert {each.subjects[0]: each.why for each in found.of("import.not_carried")}[
        "network_args up_lr_weight"
    ] == "Read together with down_lr_weight."
