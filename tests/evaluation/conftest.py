"""An effort for proofs in tests: few pictures in few steps, but of every kind of prompt; and a run to prove."""

import shutil

import pytest

from lorasmith.evaluation.prompts import Counts
from lorasmith.evaluation.proof.plan import EFFORTS, Effort
from lorasmith.training.run import train
from lorasmith.training.settings.tree import settings_from


def trained_with_hold_out(toy_base, creatures, folder, **sections):
    """The folder of a run of two epochs below `folder`, each with its checkpoint; two of its pictures are held out. `sections` are added to its settings."""
    pictures = folder / "pictures"
    shutil.copytree(creatures, pictures)
    (pictures / "holdout").mkdir()
    for number in (3, 4):
        for suffix in ("png", "txt"):
            (pictures / f"{number}.{suffix}").rename(pictures / "holdout" / f"{number}.{suffix}")
    settings = settings_from({
        "name": "toy", "base": {"path": str(toy_base)}, "datasets": [{"path": str(pictures)}], "captions": {"trigger": "zorvex"},
        "buckets": {"resolution": 32, "min_bucket_reso": 16, "max_bucket_reso": 64, "bucket_reso_steps": 8}, "network": {"rank": 2},
        "training": {"epochs": 2, "batch_size": 2}, "optimizer": {"learning_rate": 1e-3}, "cache": str(folder / "cache"), **sections,
    })  # fmt: skip
    train(settings, folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def tiny_effort():
    """It is called "tiny"."""
    tiny = Effort("for tests", Counts(3, 2, 2, 2, 3), most_steps=3, most_drawn=2, loss_pictures=2)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(EFFORTS, "tiny", tiny)
        yield tiny
