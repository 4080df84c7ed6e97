"""Which tensors learn at which rate: parts, LoRA+, blocks; and that it is so in the optimizer's own steps."""

import pytest
import torch

from lorasmith.adapters.attach import attach_network
from lorasmith.adapters.kinds import KINDS
from lorasmith.adapters.selection import select_network
from lorasmith.errors import SettingsError
from lorasmith.models.open import open_base
from lorasmith.training.optim.optimizers import make_optimizer
from lorasmith.training.optim.parameter_groups import PartRates, make_groups, set_rates
from lorasmith.training.settings.checks import check_rates
from tests.models.toys import toy_folder


@pytest.fixture(scope="module")
def bases(toy_base):
    return {"sd1": open_base(toy_base, torch.float32, "cpu"), "sdxl": open_base(toy_folder("sdxl"), torch.float32, "cpu"),
            "flux": open_base(toy_folder("flux"), torch.float32, "cpu")}  # fmt: skip


@pytest.fixture
def groups_for(bases, settings_for):
    """The groups of settings on a toy base, by their names; adapters are taken off again."""
    attached = []

    def take_off():
        while attached:
            attached.pop().detach()

    def make(family="sd1", **sections):
        settings = settings_for(**sections)
        base = bases[family]
        take_off()
        parts = {part: module for part, module in base.parts.items() if settings.lr_of(part, family) > 0}
        chosen = select_network(family, parts, settings.network)
        adapters = {part: attach_network(parts[part], one.targets, one.settings, 1) for part, one in chosen.items()}
        attached.extend(adapters.values())
        rates = {
            part: PartRates(adapter, settings.lr_of(part, family), settings.optimizer.loraplus_ratio(part), chosen[part].rates)
            for part, adapter in adapters.items()
        }
        groups = make_groups(rates, [rule.pattern for rule in settings.network.layers if rule.lr is not None])
        process_group = [id(p) for group in groups for p in group.parameters.values()]
        assert len(process_group) == len(set(process_group))
        assert set(process_group) == {id(p) for adapter in adapters.values() for p in adapter.parameters()}
        return {group.name: group for group in groups}

    yield make
    take_off()


def first_updates(groups, optimizer):
    """How far Adam's first step moves every tensor, where all gradients are one."""
    before = {name: p.detach().clone() for group in groups.values() for name, p in group.parameters.items()}
    for group in groups.values():
        for parameter in group.parameters.values():
            parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return {name: (p.detach() - before[name]).abs().max().item() for group in groups.values() for name, p in group.parameters.items()}


def test_each_part_has_its_own_group_and_rate(groups_for):
    groups = groups_for("sdxl", optimizer={"unet_lr": 1e-3, "text_encoder_lr": 2e-4, "text_encoder_2_lr": 1e-4})
    assert {name: group.lr for name, group in groups.items()} == {"unet": 1e-3, "text_encoder": 2e-4, "text_encoder_2": 1e-4}


def test_with_ratio_16_the_first_update_of_b_is_16_times_that_of_a(groups_for):
    groups = groups_for(optimizer={"learning_rate": 1e-4, "loraplus_lr_ratio": 16})
    assert list(groups) == ["unet", "unet up", "text_encoder", "text_encoder up"]
    optimizer = make_optimizer("AdamW", [group.for_optimizer() for group in groups.values()], {"weight_decay": 0.0})
    moved = first_updates(groups, optimizer)
    assert {name.partition(".")[2] for name in groups["unet up"].parameters} == {"lora_up.weight"}
    for name, distance in moved.items():
        assert distance == pytest.approx(16e-4 if "lora_up" in name else 1e-4, rel=1e-3), name


def test_unet_and_text_encoder_may_have_ratios_of_their_own(groups_for):
    optimizer = {"learning_rate": 1e-4, "loraplus_lr_ratio": 16, "loraplus_text_encoder_lr_ratio": 4}
    rates = {name: group.lr for name, group in groups_for(optimizer=optimizer).items()}
    assert rates == pytest.approx({"unet": 1e-4, "unet up": 16e-4, "text_encoder": 1e-4, "text_encoder up": 4e-4})
    assert list(groups_for(optimizer={"loraplus_unet_lr_ratio": 2})) == ["unet", "unet up", "text_encoder"]
    assert list(groups_for("flux", optimizer={"loraplus_unet_lr_ratio": 2}, network={"train_text_encoder": False})) == [
        "transformer", "transformer up"
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.loraplus])
def test_b_of_every_kind_is_a_matrix_on_the_outputs_side(groups_for, kind):
    groups = groups_for(network={"kind": kind, "rank": 2, "train_text_encoder": False}, optimizer={"loraplus_lr_ratio": 8})
    assert set(groups) == {"unet", "unet up"}
    assert {name.partition(".")[2] for name in groups["unet up"].parameters} <= KINDS[kind].loraplus
    assert KINDS[kind].loraplus <= set(KINDS[kind].suffixes)


def test_doras_magnitudes_learn_as_fast_as_a(groups_for):
    groups = groups_for(network={"dora": True, "train_text_encoder": False}, optimizer={"loraplus_lr_ratio": 8})
    assert {name.partition(".")[2] for name in groups["unet"].parameters} == {"lora_down.weight", "dora_scale"}


def test_rules_give_blocks_and_layers_a_share_of_their_parts_rate(groups_for):
    layers = [{"pattern": "IN01", "lr": 0.5}, {"pattern": "*attn2*", "lr": 2.0, "rank": 4}, {"pattern": "TE00", "lr": 0.1}]
    groups = groups_for(
        network={"rank": 2, "layers": layers}, optimizer={"unet_lr": 1e-3, "text_encoder_lr": 1e-4, "loraplus_unet_lr_ratio": 4}
    )
    rates = {name: group.lr for name, group in groups.items()}
    assert rates == pytest.approx({
        "unet": 1e-3, "unet up": 4e-3, "unet IN01": 5e-4, "unet IN01 up": 2e-3, "unet *attn2*": 2e-3, "unet *attn2* up": 8e-3,
        "text_encoder": 1e-4, "text_encoder TE00": 1e-5,
    })  # fmt: skip
    assert all("down_blocks_0" in name for name in groups["unet IN01"].parameters)
    assert all("attn2" in name and "down_blocks_0" not in name for name in groups["unet *attn2*"].parameters)
    moved = first_updates(groups, make_optimizer("AdamW", [group.for_optimizer() for group in groups.values()], {"weight_decay": 0.0}))
    assert moved[next(iter(groups["unet IN01"].parameters))] == pytest.approx(5e-4, rel=1e-3)


def test_the_schedule_moves_all_groups_by_one_factor_and_says_their_rates(groups_for):
    groups = groups_for(network={"layers": [{"pattern": "IN01", "lr": 0.5}]}, optimizer={"learning_rate": 1e-3, "loraplus_lr_ratio": 16})
    optimizer = make_optimizer("AdamW", [group.for_optimizer() for group in groups.values()], {})
    rates = set_rates(optimizer, groups.values(), 0.1)
    assert rates == {name: group.lr * 0.1 for name, group in groups.items()}
    assert {group["name"]: group["lr"] for group in optimizer.param_groups} == rates


@pytest.mark.parametrize("sections", [
    {"network": {"rank": 4, "conv_rank": 2, "dora": True}}, {"network": {"kind": "lokr", "rank": 4, "preset": "convolutions"}},
    {"network": {"kind": "ia3", "rank": 16}}, {"network": {"kind": "full", "rank": 16, "preset": "convolutions"}}, {"network": {"kind": "diag-oft", "rank": 16}},
], ids=["convolutions and lengths", "lokr", "ia3", "full with biases", "rotations"])  # fmt: skip
def test_muon_takes_groups_with_convolutions_and_single_numbers(groups_for, sections):
    groups = groups_for(**sections)
    optimizer = make_optimizer("Muon", [group.for_optimizer() for group in groups.values()], {})
    set_rates(optimizer, groups.values(), 0.5)
    moved = first_updates(groups, optimizer)
    assert all(0 < distance < 1 for distance in moved.values())
    assert {group["lr"] for group in optimizer.param_groups} == {5e-4}


# ---- settings that would do nothing

REFUSED = {
    "a kind without B": ({"network": {"kind": "ia3", "rank": 16}, "optimizer": {"loraplus_lr_ratio": 16}}, "no effect on network.kind 'ia3'"),
    "a part that does not train": (
        {"network": {"train_text_encoder": False}, "optimizer": {"loraplus_text_encoder_lr_ratio": 16}},
        "loraplus_text_encoder_lr_ratio has no effect while network.train_text_encoder is off",
    ),
    "a ratio that nothing is left for": (
        {"optimizer": {"loraplus_lr_ratio": 16, "loraplus_unet_lr_ratio": 4, "loraplus_text_encoder_lr_ratio": 4}},
        "optimizer.loraplus_lr_ratio has no effect",
    ),
    "Prodigy and a ratio": ({"optimizer": {"type": "Prodigy", "learning_rate": 1, "loraplus_lr_ratio": 16}}, "Prodigy finds one rate for all"),
    "DAdapt and a block's rate": (
        {"optimizer": {"type": "DAdaptAdam", "learning_rate": 1}, "network": {"layers": [{"pattern": "IN01", "lr": 0.5}]}},
        "'IN01' in network.layers has a rate of its own, but DAdaptAdam finds one rate",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("sections", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_a_rate_without_effect_is_refused_in_a_sentence(settings_for, sections, words):
    with pytest.raises(SettingsError, match=words):
        check_rates(settings_for(**sections))
    check_rates(settings_for())
