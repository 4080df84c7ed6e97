"""A run does what it is asked to while it works: by its own process, and by another one through the run's folder."""

import os
import subprocess
import sys

import pytest

from lorasmith.cli.run import signal
from lorasmith.errors import RunError, SettingsError
from lorasmith.training import events
from lorasmith.training.commands import Commands, StopRequested
from lorasmith.training.records.event_log import read_history
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.run import resume, train
from lorasmith.training.settings.toml import settings_toml

# A run in a process of its own. After each event that the test waits for it says so, and goes on when it gets a line.
RUN = """
import sys
from pathlib import Path
from lorasmith.training import events
from lorasmith.training.run import train
from lorasmith.training.settings.toml import load_settings

def wait(event):
    match event:
        case events.StepDone(step=1 | 3) | events.CacheProgress(done=1, what="latents"):
            print(type(event).__name__, flush=True)
            sys.stdin.readline()

result = train(load_settings(Path(sys.argv[1])), sys.argv[2], [wait])
print(result.finished, result.step)
"""


@pytest.fixture
def other_process(settings_for, tmp_path):
    """A run in another process, which waits where `RUN` says."""
    (tmp_path / "settings.toml").write_text(settings_toml(settings_for(samples={"prompts": ["zorvex"], "steps": 1})), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(tmp_path / "settings.toml"), str(tmp_path / "run")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def waits_at(process, event):
    assert process.stdout.readline().strip() == event


def go_on(process):
    process.stdin.write("\n")
    process.stdin.flush()


def ended(process):
    process.stdin.close()
    return process.stdout.readline().split()


def test_a_run_is_saved_sampled_and_stopped_from_another_process(other_process, tmp_path, capsys):
    waits_at(other_process, "CacheProgress")
    go_on(other_process)
    waits_at(other_process, "StepDone")
    signal(tmp_path / "run", "save")
    signal(tmp_path / "run", "sample")
    assert "Requested: save" in capsys.readouterr().out
    go_on(other_process)
    waits_at(other_process, "StepDone")
    signal(tmp_path / "run", "stop")
    go_on(other_process)
    assert ended(other_process) == ["False", "3"]
    happened = [event for _, event in read_history(tmp_path / "run" / "events.jsonl")]
    assert [e.step for e in happened if isinstance(e, events.CheckpointSaved)] == [1, 3, 3]  # asked for, of the epoch, of the stop
    assert [e.step for e in happened if isinstance(e, events.SampleReady)] == [0, 1, 3]
    assert happened[-1].code == "stopped"
    assert list((tmp_path / "run" / "commands").iterdir()) == []
    assert resume(tmp_path / "run").finished


def test_a_run_is_stopped_through_its_folder_while_it_caches(settings_for, tmp_path):
    folder = RunFolder(tmp_path / "run")
    result = train(settings_for(), folder.root, [lambda event: folder.send("stop") if isinstance(event, events.CacheProgress) else None])
    assert (result.finished, result.step) == (False, 0)
    assert list((folder.root / "checkpoints").iterdir()) == []


def test_a_request_to_a_run_that_is_not_running_is_refused_and_leaves_nothing(settings_for, tmp_path):
    folder = RunFolder(tmp_path / "run")
    train(settings_for(), folder.root)
    with pytest.raises(RunError, match=r"is not running.*lorasmith resume") as caught:
        signal(folder.root, "stop")
    assert caught.value.code == "run.not_running"
    assert list(folder.commands.iterdir()) == []
    with pytest.raises(SettingsError, match=r"no command 'pause'; choose one of stop, save, sample"):
        folder.send("pause")
    with pytest.raises(SettingsError, match="is not the folder of a run"):
        RunFolder(tmp_path / "nothing").send("stop")


def test_what_was_asked_of_an_earlier_process_does_not_stop_the_next(settings_for, tmp_path):
    settings = settings_for()
    commands = Commands()
    train(settings, tmp_path / "run", [lambda e: commands.stop() if isinstance(e, events.StepDone) else None], commands)
    (tmp_path / "run" / "commands" / "stop").touch()
    assert resume(tmp_path / "run").finished


def test_a_request_is_taken_once_and_a_stop_stays():
    commands = Commands()
    commands.save()
    commands.sample()
    assert [commands.take("save"), commands.take("save"), commands.take("sample")] == [True, False, True]
    commands.raise_if_stopping()
    commands.stop()
    assert repr(commands) == "Commands(requested: stop)"
    for _ in range(2):
        with pytest.raises(StopRequested):
            commands.raise_if_stopping()
