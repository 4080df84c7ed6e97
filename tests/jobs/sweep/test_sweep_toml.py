"""A sweep written as a file is the same sweep: what varies, how it is searched, and its settings."""

from __future__ import annotations

import pytest

from lorasmith.jobs.sweep.sweep_file import load_sweep, sweep_from
from lorasmith.jobs.sweep.sweep_folder import SweepFolder, definition_of
from lorasmith.jobs.sweep.sweep_toml import sweep_toml

SETTINGS = {
    "name": "toy", "base": {"path": "base"}, "datasets": [{"path": "my-set"}, {"path": "[other]"}], "training": {"epochs": 10},
    "optimizer": {"args": {"weight_decay": 0.1}}, "samples": {"prompts": ["zorvex\n[vary] by night", "zorvex"]},
}  # fmt: skip


@pytest.mark.parametrize(
    "said",
    [
        {"vary": {"network.rank": [4, 8], "training.seed": [1, 2]}, "hours": 2.5, "stop_early": False},
        {
            "vary": {
                "optimizer.learning_rate": {"from": 1e-5, "to": 1e-3, "scale": "log"}, "network.rank, network.alpha": [[8, 4], [16, 8]],
                "datasets.1.repeats": [1, 2], "network.kind": ["lora", "lokr"],
            },
            "search": "random", "trials": 3, "seed": 7,
        },
    ],
)  # fmt: skip
def test_the_file_is_read_as_the_same_sweep_and_goes_on_in_its_folder(said, tmp_path):
    sweep = sweep_from({"name": "my-rates", "settings": SETTINGS, **said})
    (tmp_path / "anything.toml").write_text(sweep_toml(sweep), encoding="utf-8")
    read = load_sweep(tmp_path / "anything.toml")
    assert definition_of(read) == definition_of(sweep)
    folder = SweepFolder.of(sweep, tmp_path / "rates")
    folder.root.mkdir()
    folder.save()
    assert SweepFolder.of(read, folder.root).record.trials == []
