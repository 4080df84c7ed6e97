"""Several processes train the LoRA that one would: tested with two on the CPU, which talk through gloo."""

import os
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from lorasmith.errors import RunError, SettingsError
from lorasmith.training import events
from lorasmith.training.commands import Commands
from lorasmith.training.data import TrainingData
from lorasmith.training.distributed.workers import Workers
from lorasmith.training.learner.state import load_newest_state
from lorasmith.training.run import resume, train
from lorasmith.training.settings.changes import with_changes
from lorasmith.training.settings.tree import settings_from


@pytest.fixture
def started(monkeypatch):
    """The workers that a test starts, by their process ids; at its end none of them may be left."""
    found = {}
    start = Workers.start

    def noting(workers, rank, environment):
        start(workers, rank, environment)
        found[workers.processes[rank].pid] = workers.processes[rank]

    monkeypatch.setattr(Workers, "start", noting)
    yield found
    assert found
    assert not [pid for pid in found if is_alive(pid)]


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module", autouse=True)
def non_finite_in_step_three():
    """The third step's latents are NaN in this process; another process finds nothing wrong with its own batches."""
    prepare = TrainingData.prepare

    def prepared(data, batch, epoch, step, first_sample):
        made = prepare(data, batch, epoch, step, first_sample)
        return replace(made, latents=made.latents * float("nan")) if step == 2 else made

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(TrainingData, "prepare", prepared)
        yield


@pytest.fixture(scope="module")
def settings(toy_base, creatures, tmp_path_factory):
    """A run in two processes: three batches an epoch, so that in every second step one process has nothing to do."""
    return settings_from(
        {
            "name": "toy", "base": {"path": str(toy_base)}, "datasets": [{"path": str(creatures)}],
            "buckets": {"resolution": 32, "min_bucket_reso": 16, "max_bucket_reso": 64, "bucket_reso_steps": 8},
            "captions": {"trigger": "zorvex", "shuffle_caption": True, "keep_tokens": 1},
            "network": {"rank": 2, "module_dropout": 0.3}, "optimizer": {"learning_rate": 1e-3},
            "training": {"epochs": 2, "batch_size": 2, "num_processes": 2},
            "checkpoints": {"save_precision": "fp32", "save_state_every_seconds": 0.001},
            "cache": str(tmp_path_factory.mktemp("processes") / "cache"),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(settings, tmp_path_factory):
    """That run, never interrupted; (its LoRA, its events)."""
    seen = []
    return train(settings, tmp_path_factory.mktemp("whole") / "run", [seen.append]).file, seen


ALONE = {"training.num_processes": 1, "training.gradient_accumulation_steps": 2}


def alone(settings):
    """The same run in one process that accumulates twice as many batches."""
    return with_changes(settings, ALONE)


def losses(seen):
    return [(e.step, e.loss) for e in seen if isinstance(e, events.StepDone)]


def assert_same_lora(file, expected):
    wanted = load_file(expected)
    for key, tensor in load_file(file).items():
        torch.testing.assert_close(tensor, wanted[key], rtol=1e-5, atol=1e-5 * float(wanted[key].abs().max()))


def stop_at(step, commands):
    return lambda event: commands.stop() if isinstance(event, (events.StepDone, events.StepSkipped)) and event.step == step else None


def test_two_processes_train_the_lora_of_one_with_twice_the_accumulation_and_skip_the_same_step(settings, whole, tmp_path):
    file, seen = whole
    alone_seen = []
    expected = train(alone(settings), tmp_path / "one", [alone_seen.append]).file
    assert [event.step for event in seen if isinstance(event, events.StepSkipped)] == [3]
    assert [step for step, _ in losses(seen)] == [1, 2, 4]
    for (_, one), (_, other) in zip(losses(seen), losses(alone_seen), strict=True):
        assert one == pytest.approx(other, rel=1e-5)
    assert_same_lora(file, expected)


def test_a_worker_that_is_killed_ends_the_run_with_a_sentence_and_it_goes_on_to_the_same_bytes_or_in_one_process_to_the_same_lora(
    settings, whole, tmp_path, started
):
    def kill(event):
        if isinstance(event, events.StateSaved) and event.step == 2:
            next(iter(started.values())).kill()

    with pytest.raises(RunError, match=r"Process 2 of 2 has ended \(killed by SIGKILL\).*lorasmith resume"):
        train(settings, tmp_path / "run", [kill])
    assert load_newest_state(tmp_path / "run" / "state")[0].step >= 2
    shutil.copytree(tmp_path / "run", tmp_path / "one")
    commands = Commands()
    assert not resume(tmp_path / "run", [stop_at(3, commands)], commands).finished
    assert [*started.values()][-1].returncode == 0, "told of the stop, the worker ends by itself at the same step"
    assert resume(tmp_path / "run").file.read_bytes() == whole[0].read_bytes()
    assert not torch.distributed.is_initialized()

    assert_same_lora(resume(tmp_path / "one", changes=ALONE).file, whole[0])


def test_a_worker_that_cannot_start_is_reported_in_its_own_words(settings, tmp_path, started, monkeypatch):
    monkeypatch.setattr(
        "lorasmith.training.distributed.workers._environment", lambda *_: {"RANK": "first", "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    )
    with pytest.raises(RunError, match=r"Process 2 of 2 has ended \(ValueError: .*'first'\)"):
        train(settings, tmp_path / "run")


def test_a_launcher_that_starts_the_run_several_times_is_refused(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SettingsError, match=r"Start it once, without accelerate launch or torchrun, and set training.num_processes"):
        train(settings, tmp_path / "run")
    assert not (tmp_path / "run").exists()
