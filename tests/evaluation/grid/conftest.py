"""A short run on the toy base, shared by the tests of grids."""

import pytest

from lorasmith.training.run import train
from lorasmith.training.settings.tree import settings_from


@pytest.fixture(scope="session")
def grid_run(toy_base, creatures, tmp_path_factory):
    """A run of three epochs with two sample prompts; its text encoder is left alone."""
    folder = tmp_path_factory.mktemp("grid")
    settings = settings_from(
        {
            "name": "toy", "base": {"path": str(toy_base)}, "datasets": [{"path": str(creatures)}],
            "buckets": {"resolution": 32, "min_bucket_reso": 16, "max_bucket_reso": 64, "bucket_reso_steps": 8},
            "captions": {"trigger": "zorvex"}, "network": {"rank": 2, "train_text_encoder": False}, "training": {"epochs": 3, "batch_size": 5},
            "optimizer": {"learning_rate": 1e-1}, "cache": str(folder / "cache"), "checkpoints": {"save_precision": "fp32"},
            "samples": {"prompts": ["{trigger}, red hat", "happy --d 7"], "steps": 2, "cfg_scale": 2.0, "every_n_epochs": 3},
        }
    )  # fmt: skip
    return train(settings, folder / "run").folder
