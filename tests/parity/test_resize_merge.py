"""Resizing and merging LoRAs against the reference's own tools: ranks, alphas and the change of every layer.

Where the reference's tool has a defect our value is asserted instead; docs/parity-files.md lists them.
"""

import functools

import pytest
import torch
from safetensors.torch import load_file

from lorasmith.adapters.kinds.formulas import lora
from lorasmith.adapters.layer import read_layers
from lorasmith.adapters.tools.merge import merge
from lorasmith.adapters.tools.ranks import dynamic_index, dynamic_rank
from lorasmith.adapters.tools.resize import lora_factors, resize
from tests.reference import FOLDER, reference_cases, reference_json

FILE = "11_resize_merge.json"


def cases(kind):
    found = reference_cases(FILE)
    return [case for case in found if not isinstance(case, dict) or case["kind"] == kind]


@functools.cache
def expected():
    return load_file(FOLDER / reference_json(FILE)["tensor_file"])


def lora_file(name):
    return read_layers(load_file(FOLDER / reference_json(FILE)["lora_dir"] / f"{name}.safetensors"))


def change(layer):
    left, right, _ = lora_factors(layer)
    return (1.0 if layer.alpha is None else layer.alpha / left.shape[1]) * left @ right


def assert_same(ours, theirs):
    tolerance = reference_json(FILE)["tolerance"]
    torch.testing.assert_close(ours.float(), theirs, rtol=tolerance["rtol"], atol=tolerance["atol"])


@pytest.mark.parametrize("case", cases("resize"), ids=lambda case: case["id"])
def test_a_resized_lora_has_the_ranks_alphas_and_changes_of_the_reference(case):
    layers, reports = resize(
        lora_file(case["input"]), case["new_rank"], case["new_conv_rank"], case["dynamic_method"], case["dynamic_param"] or 0.0
    )
    reports = {report.name: report for report in reports}
    assert len(layers) == len(case["modules"])
    for module in case["modules"]:
        name, layer = module["module"], layers[module["module"]]
        assert (layer.rank, reports[name].old_rank) == (module["new_rank"], module["old_rank"])
        assert layer.alpha == pytest.approx(module["new_alpha"])
        assert_same(change(layer), expected()[f"{case['id']}.{name}"])
        for ours, theirs in (("sum_retained", "sum_retained"), ("norm_retained", "fro_retained"), ("max_ratio", "max_ratio")):
            assert getattr(reports[name], ours) == pytest.approx(float(module[theirs]), rel=1e-4, nan_ok=True)


@pytest.mark.parametrize("case", reference_cases(FILE, "index_functions"), ids=lambda case: f"{case.get('method')}-{case.get('param')}")
def test_singular_values_are_counted_as_in_the_reference(case):
    values = torch.tensor(case["S"], dtype=torch.float64)
    assert dynamic_index(values, case["method"], case["param"]) == case["index"]
    assert dynamic_rank(values, case["method"], case["param"], 6) == case["new_rank_max6"]


@pytest.mark.parametrize("case", cases("merge"), ids=lambda case: case["id"])
def test_merging_adds_the_changes_where_the_reference_squares_or_thins_them(case):
    inputs = [(lora_file(name), ratio) for name, ratio in zip(case["inputs"], case["ratios"], strict=True)]
    merged = merge(inputs)
    for name, layer in merged.items():
        wanted = sum(
            ratio * expected()[f"input.{lora_name}.{name}"] for lora_name, ratio in zip(case["inputs"], case["ratios"], strict=True)
        )
        assert_same(change(layer), wanted)
        assert layer.rank == sum(layers[name].rank for layers, _ in inputs)
        if "modules" in case:  # the documented defect is there: if the reference is mended one day, this says so
            assert not torch.allclose(expected()[f"{case['id']}.{name}"], wanted, rtol=1e-3)


@pytest.mark.parametrize("case", cases("svd_merge"), ids=lambda case: case["id"])
def test_merging_into_a_rank_gives_the_references_changes_before_it_clamps_them(case):
    inputs = [(lora_file(name), ratio) for name, ratio in zip(case["inputs"], case["ratios"], strict=True)]
    merged = merge(inputs, rank=case["new_rank"], conv_rank=case["new_conv_rank"])
    for module in case["modules"]:
        layer = merged[module["module"]]
        assert (layer.rank, layer.alpha) == (module["rank"], module["alpha"])
        assert_same(change(layer), expected()[f"{case['id']}.noclamp.{module['module']}"])


@pytest.mark.parametrize("case", cases("apply_and_merge_to_base"), ids=lambda case: case["id"])
def test_a_lora_acts_and_merges_into_a_weight_as_in_the_reference(case):
    data = {key.removeprefix(f"{case['id']}."): value for key, value in expected().items() if key.startswith(f"{case['id']}.")}
    weight, bias = data["base.weight"], data["base.bias"]
    scale = case["multiplier"] * case["alpha"] / case["rank"]
    assert_same(weight + lora.delta_weight(data["lora_down"], data["lora_up"], scale), data["merged.weight"])
    if weight.dim() == 2:
        y = lora.linear(data["x"], weight, bias, data["lora_down"], data["lora_up"], scale)
    else:
        kernel = weight.shape[2]
        y = lora.conv2d(data["x"], weight, bias, data["lora_down"], data["lora_up"], scale, padding=(kernel // 2, kernel // 2))
    assert_same(y, data["y_lora_forward"])
