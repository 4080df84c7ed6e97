"""A proof works on every family through the same contract: features, bands of noise, the base as ruler, pictures."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from lorasmith.adapters.base_weights import empty_base
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.key_style import in_style_of
from lorasmith.adapters.files.lora_file import save_lora
from lorasmith.evaluation.prove import prove_file
from lorasmith.models import description
from lorasmith.models.families import FAMILIES
from lorasmith.models.open import describe
from lorasmith.models.settings import BaseModelSettings
from tests.models.toys import PICTURE, toy_folder


@pytest.fixture
def lora_for(tmp_path):
    def make(family: str):
        """A LoRA of rank 2 with random weights on the denoiser of a toy."""
        base = empty_base(describe(toy_folder(family)))
        part = next(iter(keys.naming_of(family).parts))
        shapes = keys.weight_shapes(family, {part: base.parts[part]}, "attention")
        generator, tensors = torch.Generator().manual_seed(1), {}
        for name, (out, width) in shapes.items():
            tensors[f"{name}.lora_down.weight"] = torch.randn(2, width, generator=generator) * 0.1
            tensors[f"{name}.lora_up.weight"] = torch.randn(out, 2, generator=generator) * 0.1
            tensors[f"{name}.alpha"] = torch.tensor(2.0)
        save_lora(tmp_path / "lora.safetensors", *in_style_of(family, tensors, {}), torch.float32)
        return tmp_path / "lora.safetensors"

    return make


@pytest.mark.parametrize("family", FAMILIES)
def test_a_lora_of_every_family_is_proven(tiny_effort, family, lora_for, creatures, tmp_path, monkeypatch):
    usual = description.native_size
    monkeypatch.setattr(description, "native_size", lambda *of: replace(usual(*of), side=PICTURE))  # not all toys say that they are small
    file = lora_for(family)
    proven = prove_file(
        [file], BaseModelSettings(path=toy_folder(family)), creatures, tmp_path / "proof", trigger="zorvex", effort="tiny", weights=()
    )

    measures = proven.verdict.checkpoints[0].measured.measures
    assert proven.complete
    assert {"subject", "moved", "leaks", "replay", "near", "trained_loss_shape"} <= set(measures)
    assert all(math.isfinite(measure.value) for measure in measures.values())
    assert abs(measures["moved"].value) > 0  # the LoRA changes pictures
