"""One LoRA trained on the nodes of a Ray cluster: the one that processes of this machine train, also where a node dies meanwhile."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest
import torch
from safetensors.torch import load_file

from lorasmith.cli.interrupt import STOPPED
from lorasmith.cluster import joined
from lorasmith.errors import InputError, RunError, SettingsError
from lorasmith.jobs.enqueue import checked
from lorasmith.jobs.kinds.train import KIND
from lorasmith.jobs.work import StoppedEarly, Work
from lorasmith.jobs.workspace import JobFolder
from lorasmith.training import events
from lorasmith.training.commands import Commands
from lorasmith.training.learner.saved_states import newest_step
from lorasmith.training.records.event_log import read_history
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.run import resume, train
from lorasmith.training.settings.changes import with_changes
from lorasmith.training.settings.toml import settings_toml
from tests.jobs.training_records import PATIENCE, assert_trained_once, steps_done, wait_until
from tests.jobs.training_records import events as records
from tests.ray_cluster import ray_cluster

pytestmark = pytest.mark.slow

PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}


@pytest.fixture(scope="module")
def cluster():
    with pytest.MonkeyPatch.context() as surroundings:
        surroundings.setenv("OMP_NUM_THREADS", "1")  # as many here as there, so that the bytes are the same
        with ray_cluster(nodes=2) as started:
            yield started


@pytest.fixture(scope="module")
def settings(settings_with_cache, creatures, tmp_path_factory):
    """Two processes, each with so many batches in a step that a node can die between two steps."""
    return settings_with_cache(
        tmp_path_factory.mktemp("over-ray") / "cache",
        datasets=[{"path": str(creatures), "repeats": 8}],
        training={"epochs": 3, "batch_size": 1, "num_processes": 2, "gradient_accumulation_steps": 4},
        checkpoints={"save_precision": "fp32", "save_state_every_seconds": 0.001},
    )


@pytest.fixture(scope="module")
def alone(settings, tmp_path_factory):
    """What one process with accumulation makes."""
    changed = with_changes(settings, {"training.num_processes": 1, "training.gradient_accumulation_steps": 8})
    return load_file(train(changed, tmp_path_factory.mktemp("alone") / "run").file)


def assert_same_lora(file, expected):
    """Two sums of float32 in another order: some eps (1.2e-7) for each term and step, far below 1e-5 of the largest weight."""
    for key, tensor in load_file(file).items():
        torch.testing.assert_close(tensor, expected[key], rtol=1e-5, atol=1e-5 * float(expected[key].abs().max()))


def test_two_nodes_make_the_bytes_of_two_processes_here_and_act_on_what_is_requested(cluster, settings, tmp_path):
    here = train(settings, tmp_path / "here").file
    commands, seen = Commands(), []

    def request(event):
        seen.append(event)
        if isinstance(event, events.StepDone) and event.step == 1:
            commands.save()
            commands.stop()

    stopped = train(settings, tmp_path / "there", [request], commands, ray=cluster.address)
    assert not stopped.finished
    assert isinstance(seen[-1], events.Stopped)
    assert stopped.step < next(event for event in seen if isinstance(event, events.Planned)).steps
    assert resume(tmp_path / "there", ray=cluster.address).file.read_bytes() == here.read_bytes()
    assert seen[0].phase == "workers"
    assert {path.name for path in (tmp_path / "there" / "checkpoints").iterdir()} > {path.name for path in here.parent.iterdir()}
    assert not [path for path in (tmp_path / "there" / "state").iterdir() if path.name.startswith(".ray")]


def test_a_training_whose_node_dies_goes_on_with_the_one_that_is_left_to_the_same_lora(cluster, settings, alone, tmp_path):
    killed = threading.Event()

    def kill(event):
        if isinstance(event, events.StateSaved) and event.step == 3 and not killed.is_set():
            killed.set()
            cluster.kill(cluster.workers[-1])

    try:
        result = train(settings, tmp_path / "run", [kill], ray=cluster.address)
    finally:
        cluster.add()
    assert result.finished
    assert killed.is_set()
    assert_same_lora(result.file, alone)
    history = [event for _, event in read_history(tmp_path / "run" / "events.jsonl")]
    (resumed,) = [event for event in history if isinstance(event, events.Resumed)]
    assert resumed.step >= 3
    assert [event.step for event in history if isinstance(event, events.StepDone)] == list(range(1, result.step + 1))
    assert any("room for 1 of 2 processes" in event.message for event in history if isinstance(event, events.Warned))
    assert not any(isinstance(event, events.Stopped) for event in history)


def test_ctrl_c_saves_and_a_killed_program_takes_its_processes_along_and_the_run_goes_on(cluster, settings, tmp_path):
    long = with_changes(settings, {"training.epochs": 12})
    here = train(long, tmp_path / "here").file
    file, run = tmp_path / "toy.toml", tmp_path / "run"
    file.write_text(settings_toml(long), encoding="utf-8")

    def started(*command):
        return subprocess.Popen([sys.executable, "-m", "lorasmith", *map(str, command), "--ray", cluster.address], text=True, **PIPES)

    stopped = started("train", file, "--out", run)
    wait_until(lambda: steps_done(run) > 0)
    stopped.send_signal(signal.SIGINT)
    said, _ = stopped.communicate(timeout=PATIENCE)
    assert stopped.returncode == STOPPED, said
    before = steps_done(run)
    assert before < 60, "it was over before it was stopped"
    assert newest_step(RunFolder(run).state) == before

    killed = started("resume", run)
    wait_until(lambda: steps_done(run) > before)
    killed.kill()
    killed.wait()
    wait_until(
        lambda: not any("ray_driver" in word for process in psutil.process_iter(["cmdline"]) for word in process.info["cmdline"] or ())
    )
    assert [event.step for event in records(run, events.Resumed)] == [before]
    assert steps_done(run) < 60, "it was over before it was killed"

    last = started("resume", run)
    said, _ = last.communicate(timeout=PATIENCE)
    assert last.returncode == 0, said
    assert_trained_once(run)
    assert (run / "checkpoints" / here.name).read_bytes() == here.read_bytes()


def test_a_run_whose_driver_is_killed_has_its_place_again_before_ray_would_give_it_back(cluster, settings, tmp_path):
    """Ray Train asks for its place every 20 seconds and has it for 180: by itself Ray gives it back 160 seconds after the death at the earliest."""

    def kill(event):
        if isinstance(event, events.StepDone) and event.step == 2:
            (driver,) = [each for each in psutil.Process().children() if any("ray_driver" in word for word in each.cmdline())]
            driver.kill()

    with pytest.raises(RunError, match="killed by SIGKILL"):
        train(settings, tmp_path / "run", [kill], ray=cluster.address)
    died, again = time.monotonic(), []
    resume(
        tmp_path / "run",
        [lambda event: again.append(time.monotonic()) if isinstance(event, events.StepDone) else None],
        ray=cluster.address,
    )
    assert again[0] - died < 160
    assert_trained_once(tmp_path / "run")
    with joined(cluster.address) as ray:
        wait_until(lambda: not any(each["name"].startswith("place of") for each in ray.util.list_named_actors(all_namespaces=True)))


def test_where_no_cluster_answers_or_no_node_fits_a_sentence_says_so_and_nothing_is_begun(cluster, settings, tmp_path):
    with pytest.raises(InputError, match=r"No head of a Ray cluster answers at 127.0.0.1:9 .*ray start --head"):
        train(settings, tmp_path / "run", ray="127.0.0.1:9")
    with pytest.raises(SettingsError, match=r"No node of the Ray cluster .* has a GPU, and each process of the run takes one"):
        train(with_changes(settings, {"training.device": "cuda"}), tmp_path / "run", ray=cluster.address)
    assert not (tmp_path / "run").exists()


def test_a_job_trains_over_the_cluster_and_goes_on_with_what_was_stopped(cluster, settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = JobFolder(tmp_path / "job")
    job.root.mkdir()
    asked = {"settings": settings.model_dump(mode="json"), "out": "runs/queued", "ray": cluster.address}
    work = Work(job)
    work.commands.stop()
    with pytest.raises(StoppedEarly):
        KIND.run(checked("train", asked), work)
    outcome = KIND.run(checked("train", asked), Work(job))
    phases = [event.phase for _, event in read_history(tmp_path / "runs/queued/events.jsonl") if isinstance(event, events.PhaseStarted)]
    assert (tmp_path / outcome["file"]).is_file()
    assert "workers" in phases or "model" in phases
    with pytest.raises(InputError, match=r"No head of a Ray cluster answers at 127.0.0.1:9"):
        KIND.run(checked("train", {**asked, "out": "runs/other", "ray": "127.0.0.1:9"}), Work(job))
