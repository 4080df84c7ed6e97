"""Pictures, grids and proofs on a device that takes nothing from the CPU's memory, as a GPU does: they are the CPU's."""

import shutil

import numpy as np
import pytest
from PIL import Image

import lorasmith as ls
from lorasmith.evaluation.prove import prove
from lorasmith.models.samplers import SAMPLERS
from tests.evaluation.conftest import trained_with_hold_out

pytestmark = pytest.mark.usefixtures("tiny_effort")


@pytest.fixture(scope="module")
def trained(toy_base, creatures, tmp_path_factory):
    """A run of two epochs, each with its checkpoint; two of its pictures are held out."""
    return trained_with_hold_out(
        toy_base, creatures, tmp_path_factory.mktemp("second-device"), optimizer={"learning_rate": 1e-2},
        training={"epochs": 2, "batch_size": 2, "device": "cpu"},
    )  # fmt: skip


def alike(one, other):
    """At most one of 256 shades apart, where another order of a sum tips a rounding."""
    return np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int)).max() <= 1


@pytest.mark.parametrize("sampler", [name for name, sampler in SAMPLERS.items() if "epsilon" in sampler.predictions])
def test_every_sampler_draws_the_cpus_picture(trained, sampler):
    base = ls.load_settings(trained / "settings.toml").base.path
    asked = {
        "lora": [(trained / "checkpoints" / "toy.safetensors", 0.7)],
        "steps": 3,
        "cfg_scale": 3.0,
        "sampler": sampler,
        "precision": "fp32",
    }
    (there,) = ls.sample(base, "zorvex, red hat", **asked)
    (here,) = ls.sample(base, "zorvex, red hat", device="cpu", **asked)
    assert alike(there, here)


def test_a_proof_measures_what_the_cpu_measures(trained, tmp_path):
    proofs = []
    for device in ("auto", "cpu"):
        run = shutil.copytree(trained, tmp_path / device)
        proven = prove(run, effort="tiny", device=device)
        proofs.append(proven.verdict)
        assert proven.complete
    there, here = ({name: measure.value for name, measure in one.checkpoints[-1].measured.measures.items()} for one in proofs)
    assert there.keys() == here.keys()
    assert there == pytest.approx(here, rel=0.02, abs=0.02, nan_ok=True)


def test_a_grid_changes_weights_and_seeds_there(trained, tmp_path):
    sheets = []
    for device in ("auto", "cpu"):
        run = shutil.copytree(trained, tmp_path / device)
        made = ls.grid(run, x="weight=0,1", y="seed=1,2", device=device, precision="fp32", prompt="zorvex")
        assert made.finished
        sheets.append(Image.open(made.sheet))
    assert alike(*sheets)
