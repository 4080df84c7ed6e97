"""Several processes train the LoRA that one would: tested with two on the CPU, which talk through gloo."""

import os
import signal
import time

import pytest
import torch
from safetensors.torch import load_file

from lorasmith.errors import RunError, SettingsError
from lorasmith.training import events
from lorasmith.training.commands import Commands
from lorasmith.training.processes import ALONE
from lorasmith.training.run import resume, train
from lorasmith.training.workers import Workers


@pytest.fixture
def started(monkeypatch):
    """The process ids of the workers that a test starts; at its end none of them may be left."""
    pids = []
    start = Workers.start

    def noting(workers, rank, environment):
        start(workers, rank, environment)
        pids.append(workers.processes[rank].pid)

    monkeypatch.setattr(Workers, "start", noting)
    yield pids
    assert pids
    assert not [pid for pid in pids if alive(pid)]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def two(settings_for, **sections):
    training = {"epochs": 2, "batch_size": 2, "num_processes": 2, **sections.pop("training", {})}
    return settings_for(training=training, checkpoints={"save_precision": "fp32"}, **sections)


def test_two_processes_train_the_lora_of_one_with_twice_the_accumulation(settings_for, tmp_path, started):
    seen = []
    both = train(two(settings_for), tmp_path / "two", [seen.append])
    accumulated = settings_for(
        training={"epochs": 2, "batch_size": 2, "gradient_accumulation_steps": 2}, checkpoints={"save_precision": "fp32"}
    )
    alone_seen = []
    alone = train(accumulated, tmp_path / "one", [alone_seen.append])
    steps = [e for e in seen if isinstance(e, events.StepDone)]
    alone_steps = [e for e in alone_seen if isinstance(e, events.StepDone)]
    # three batches an epoch: in the second step of each the other process has nothing to do
    assert [e.step for e in steps] == [e.step for e in alone_steps] == [1, 2, 3, 4]
    for one, other in zip(steps, alone_steps, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-5)
    expected = load_file(alone.file)
    for key, tensor in load_file(both.file).items():
        torch.testing.assert_close(tensor, expected[key], rtol=1e-5, atol=1e-5 * float(expected[key].abs().max()))
    warned = [e for e in seen if isinstance(e, events.Warned)]
    assert warned == []
