"""A run whose base keeps blocks in the host's memory ends in the same LoRA, and plan knows what it takes."""

import pytest
import torch
from safetensors.torch import load_file

from lorasmith.errors import SettingsError
from lorasmith.models.families import FAMILIES
from lorasmith.models.files.weights import empty_module
from lorasmith.training.events import StepDone
from lorasmith.training.forecast.memory import weight_bytes
from lorasmith.training.forecast.rehearsal import part_bytes
from lorasmith.training.forecast.report import make_report
from lorasmith.training.run import resume, train
from lorasmith.training.settings.changes import with_changes
from lorasmith.training.settings.checks import check_together


def trained(settings, folder):
    events = []
    result = train(settings, folder, [events.append])
    return load_file(result.file), [event.loss for event in events if isinstance(event, StepDone)]


@pytest.mark.parametrize("training", [{}, {"gradient_checkpointing": True, "mixed_precision": "bf16"}], ids=["fp32", "bf16-checkpointed"])
def test_the_lora_and_its_losses_are_the_same_bytes(settings_for, tmp_path, training):
    (plain, losses), (swapped, losses_of_swapped) = (
        trained(settings_for(training={**training, "blocks_to_swap": blocks}), tmp_path / str(blocks)) for blocks in (0, 2)
    )
    assert losses == losses_of_swapped
    assert plain.keys() == swapped.keys()
    assert all(torch.equal(plain[key], swapped[key]) for key in plain)


def test_a_run_can_go_on_with_another_number_of_blocks(settings_for, tmp_path):
    settings = settings_for(training={"epochs": 1}, schedule={"lr_scheduler": "constant"})
    trained(settings, tmp_path / "run")
    longer = resume(tmp_path / "run", changes={"training.epochs": 2, "training.blocks_to_swap": 2})
    whole, _ = trained(with_changes(settings, {"training.epochs": 2}), tmp_path / "whole")
    continued = load_file(longer.file)
    assert all(torch.equal(whole[key], continued[key]) for key in whole)


def test_more_blocks_than_the_base_has_are_refused_before_a_weight_is_read(settings_for):
    with pytest.raises(SettingsError, match="blocks_to_swap is 99, but this base has"):
        make_report(settings_for(training={"blocks_to_swap": 99}))


def test_on_a_cpu_it_only_takes_time(settings_for):
    findings = check_together(settings_for(training={"blocks_to_swap": 1, "device": "cpu"}))
    assert [finding.subjects for finding in findings] == [("training.blocks_to_swap", "training.device")]


@pytest.mark.parametrize(
    ("family", "quantize", "blocks", "gigabytes"),
    # Flux has 19 double blocks of 340 M weights and 38 single ones of 142 M; SDXL 60 of 34.7 M and 10 of 10.0 M. Two copies are on the device.
    [
        ("flux", "none", 0, 23.8),
        ("flux", "none", 57, 23.8 - 19 * 0.680 - 38 * 0.283 + 2 * 0.680),
        ("sdxl", "none", 0, 5.13),
        ("sdxl", "none", 70, 5.135 - 60 * 0.0695 - 10 * 0.0200 + 2 * 0.0695),
    ],
)
def test_plan_counts_two_of_the_swapped_blocks_on_the_device(family, quantize, blocks, gigabytes):
    record = FAMILIES[family]
    part = record.usual.parts[record.denoiser]
    with torch.device("meta"):
        module = empty_module(part).to(torch.bfloat16)
    found = weight_bytes(part_bytes(module, part), quantize, blocks)
    assert found.on_device / 1e9 == pytest.approx(gigabytes, rel=0.02)
    assert bool(found.on_host) == bool(blocks)
