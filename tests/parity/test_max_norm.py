"""Keeping layers' changes within a norm: the same factors and the same figures as sd-scripts."""

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from lorasmith.adapters.attach import attach_network
from lorasmith.adapters.kinds.layer_settings import LayerSettings
from tests.reference import FOLDER, reference_cases

FILE = "10_max_norm"


@pytest.mark.parametrize("case", reference_cases(f"{FILE}.json"), ids=lambda case: case["id"])
def test_factors_are_scaled_as_sd_scripts_scales_them(case):
    tensors = load_file(FOLDER / f"{FILE}.safetensors")

    def factor(stage, module, which):
        return tensors[f"{case['id']}.{stage}.{module['name']}.lora_{which}.weight"]

    layers, settings = nn.ModuleDict(), {}
    for module in case["modules"]:
        down, up = factor("in", module, "down"), factor("in", module, "up")
        width, kernel = down.shape[1], down.shape[-1]
        layers[module["name"]] = nn.Linear(width, len(up)) if down.dim() == 2 else nn.Conv2d(width, len(up), kernel)
        settings[module["name"]] = LayerSettings(rank=module["rank"], alpha=module["alpha"])
    adapter = attach_network(layers, {name: name for name in settings}, settings, seed=0)
    with torch.no_grad():
        for module in case["modules"]:
            layer = adapter.layers()[module["name"]]
            layer.lora_down.weight.copy_(factor("in", module, "down"))
            layer.lora_up.weight.copy_(factor("in", module, "up"))

    norms = adapter.scale_weight_norms(case["max_norm_value"])

    assert norms.keys_scaled == case["keys_scaled"]
    assert norms.mean_norm == pytest.approx(case["mean_norm"], rel=1e-5)
    assert norms.max_norm == pytest.approx(case["max_norm"], rel=1e-5)
    for module in case["modules"]:
        layer = adapter.layers()[module["name"]]
        torch.testing.assert_close(layer.lora_down.weight.detach(), factor("out", module, "down"), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(layer.lora_up.weight.detach(), factor("out", module, "up"), rtol=1e-5, atol=1e-6)
        norm = layer.layer.delta_weight(layers[module["name"]].weight).norm().item()
        assert norm == pytest.approx(module["norm_after"], rel=1e-5)
