"""The demo's claims, measured: LoRAs of a character, a style and a concept learn their subject and leave the rest alone."""

import pytest
import torch

from lorasmith.demo.datasets import write_dataset
from lorasmith.demo.proof import prove
from lorasmith.demo.recipes import EPOCHS, recipe
from lorasmith.demo.weights import BASE, TAGGER
from lorasmith.models.open import open_base
from lorasmith.training.run import train

THINGS = [("character", "zorvex"), ("style", "chalk"), ("concept", "balloon")]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), THINGS, ids=[name for _, name in THINGS])
def test_a_lora_learns_its_subject_and_leaves_the_rest_alone(kind, name, tmp_path):
    dataset = write_dataset(tmp_path, f"{kind}-{name.replace(' ', '-')}-large")
    regularisation = write_dataset(tmp_path, "regularisation")
    result = train(recipe(kind, name, dataset, regularisation, tmp_path / "cache", EPOCHS[kind]), tmp_path / "run")
    proof = prove(open_base(BASE, torch.float32), kind, name, result.file, samples=64)
    print(proof)
    assert proof.recognised_before < 0.05
    assert proof.recognised_after >= 0.85
    assert proof.others_before - proof.others_after <= 0.03


def test_the_demos_weights_stay_small():
    files = [f for folder in (BASE, TAGGER) for f in folder.rglob("*") if f.is_file()]
    assert files
    assert sum(f.stat().st_size for f in files) <= 48e6
