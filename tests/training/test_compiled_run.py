"""A run whose blocks are compiled: the losses of one without, and nothing compiled for samples and validation."""

from functools import partial

import pytest
from PIL import Image, ImageOps

from lorasmith.models.compiled_blocks import compile_blocks
from lorasmith.training.events import StepDone
from lorasmith.training.learner import learner
from lorasmith.training.run import train
from tests.models.test_compiled_blocks import ROUNDING, Counted, forgotten  # noqa: F401  # a fixture

SIZES = 1  # of batches
KINDS = 1  # of blocks in the toy base


def losses_of(settings, folder):
    losses = []
    train(settings, folder, [lambda event: losses.append(event.loss) if isinstance(event, StepDone) else None])
    return losses


def test_a_compiled_run_has_the_losses_of_one_without(settings_for, creatures, tmp_path, monkeypatch):
    held_out = tmp_path / "held out"
    held_out.mkdir()
    for name in ("0", "1"):
        ImageOps.mirror(Image.open(creatures / f"{name}.png")).save(held_out / f"{name}.png")
        (held_out / f"{name}.txt").write_text("zorvex", encoding="utf-8")
    sections = {
        "training": {"epochs": 1, "batch_size": 1}, "network": {"rank": 2, "train_text_encoder": False},
        "samples": {"prompts": ["zorvex"], "steps": 2}, "validation": {"path": str(held_out), "max_images": 2, "timesteps": 2},
    }  # fmt: skip
    plain = losses_of(settings_for(**sections), tmp_path / "plain")
    backend = Counted()
    monkeypatch.setattr(learner, "compile_blocks", partial(compile_blocks, backend=backend))
    sections["training"] = {**sections["training"], "torch_compile": True}
    assert losses_of(settings_for(**sections), tmp_path / "compiled") == pytest.approx(plain, rel=ROUNDING)
    assert KINDS * SIZES <= backend.graphs <= 2 * KINDS * SIZES
