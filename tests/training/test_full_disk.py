"""A disk that is full while a run saves: the run ends with a sentence, everything that was saved is whole, and it resumes to the same bytes.

Two ways to have no room without being root: a limit on how large a file may grow (every system has it, and it picks the file that is
too large), and a disk of a megabyte in memory, where the system lets users mount one.
"""

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager

import pytest
from safetensors.torch import load_file

from lorasmith.atomic import WriteFailed
from lorasmith.errors import RunError
from lorasmith.training import events
from lorasmith.training.commands import Commands
from lorasmith.training.learner.state import load_newest_state, saved_states
from lorasmith.training.records.event_log import read_history
from lorasmith.training.records.run_folder import could_not_write
from lorasmith.training.run import resume, train
from lorasmith.training.settings.toml import settings_toml

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")


def allow_files_up_to(size):
    """No file of this process may grow beyond `size` bytes (None: as before)."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard if size is None else size, hard))


@contextmanager
def no_file_larger_than(size):
    allow_files_up_to(size)
    try:
        yield
    finally:
        allow_files_up_to(None)


def full_from(step, size):
    """A listener: from this step on no file may be larger."""
    return lambda event: allow_files_up_to(size) if isinstance(event, events.StepDone) and event.step == step else None


SECTIONS = {"training": {"epochs": 3, "batch_size": 2}, "checkpoints": {"save_precision": "fp32"}}


@pytest.fixture
def settings(settings_for):
    return settings_for(**SECTIONS)


@pytest.fixture(scope="module")
def whole(settings_with_cache, tmp_path_factory):
    """That run on a disk with room."""
    folder = tmp_path_factory.mktemp("whole")
    return train(settings_with_cache(folder / "cache", **SECTIONS), folder / "run")


def made(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "checkpoints").iterdir())}


def ends_for_lack_of_room(run, file_name):
    """What `run` says when it ends; nothing half-written is left."""
    try:
        with pytest.raises(
            RunError, match=rf"{file_name} could not be written \(.*\): it needs .*B, and .*B are free.*lorasmith resume"
        ) as caught:
            run()
    finally:
        allow_files_up_to(None)
    return str(caught.value)


def test_no_room_for_a_state_keeps_the_one_before(settings, whole, tmp_path):
    largest_lora = max(len(data) for data in made(whole.folder).values())
    assert largest_lora < saved_states(whole.folder / "state")[-1].stat().st_size
    folder = tmp_path / "run"
    said = ends_for_lack_of_room(lambda: train(settings, folder, [full_from(4, largest_lora)]), "step-00000006.pt")
    assert [path.name for path in saved_states(folder / "state")] == ["step-00000003.pt"]
    state, damaged = load_newest_state(folder / "state")
    assert (state.step, damaged) == (3, [])
    assert made(folder) == {name: data for name, data in made(whole.folder).items() if name != "toy.safetensors"}
    assert not list(folder.rglob("*.part"))
    assert [event for _, event in read_history(folder / "events.jsonl")][-1] == events.Stopped(6, said, "run.disk_full")
    assert resume(folder).finished
    assert made(folder) == made(whole.folder)


def test_no_room_for_a_lora_keeps_those_before(settings, whole, tmp_path):
    folder = tmp_path / "run"
    smallest = min(len(data) for data in made(whole.folder).values())
    ends_for_lack_of_room(lambda: train(settings, folder, [full_from(4, smallest - 1)]), "toy-000002.safetensors")
    assert list(made(folder)) == ["toy-000001.safetensors"]
    load_file(folder / "checkpoints" / "toy-000001.safetensors")
    assert not list(folder.rglob("*.part"))
    assert resume(folder).finished
    assert made(folder) == made(whole.folder)


def test_no_room_for_the_manifest_ends_the_run_before_it_trains(settings, whole, tmp_path):
    folder = tmp_path / "run"

    def full(event):
        if isinstance(event, events.PhaseStarted) and event.phase == "model":
            allow_files_up_to(500)

    ends_for_lack_of_room(lambda: train(settings, folder, [full]), "manifest.json")
    assert not (folder / "manifest.json").exists()
    assert not saved_states(folder / "state")
    assert resume(folder).finished
    assert made(folder) == made(whole.folder)


def test_no_room_for_the_settings_leaves_a_folder_that_can_be_begun_in(settings, whole, tmp_path):
    folder = tmp_path / "run"
    with no_file_larger_than(100), pytest.raises(OSError, match="settings.toml"):
        train(settings, folder)
    assert train(settings, folder).finished
    assert made(folder) == made(whole.folder)


def test_no_room_for_a_latent_is_reported_too(settings, tmp_path):
    folder = tmp_path / "run"

    def full(event):
        if isinstance(event, events.PhaseStarted) and event.phase == "cache":
            allow_files_up_to(100)

    ends_for_lack_of_room(lambda: train(settings, folder, [full]), r"(\w+\.safetensors|CACHEDIR\.TAG)")
    assert resume(folder).finished


def test_no_room_for_the_events_is_reported_once_and_does_not_end_the_run(settings, whole, tmp_path, caplog):
    folder, commands = tmp_path / "run", Commands()
    train(settings, folder, [lambda event: commands.stop() if isinstance(event, events.StepDone) and event.step == 4 else None], commands)
    log = folder / "events.jsonl"
    with log.open("a", encoding="utf-8") as file:  # by far the largest file, so that the limit stops it alone
        file.write(json.dumps({"event": "Unknown", "filler": "-" * 2_000_000}) + "\n")
    with no_file_larger_than(log.stat().st_size):
        assert resume(folder).finished
    assert caplog.text.count("gets no more events") == 1
    assert {name: data for name, data in made(folder).items() if "step" not in name} == made(whole.folder)
    assert read_history(log)


ON_A_SMALL_DISK = """
import shutil, sys
from pathlib import Path
from lorasmith.errors import RunError
from lorasmith.training.run import resume, train
from lorasmith.training.settings.toml import load_settings

settings, disk, result = map(Path, sys.argv[1:])
run, filler = disk / "run", disk / "filler"
filler.write_bytes(bytes(shutil.disk_usage(disk).free - int({room})))
try:
    train(load_settings(settings), run)
except RunError as error:
    print(error)
assert not list(run.rglob("*.part"))
filler.unlink()
shutil.copy(resume(run).file, result)
"""


def test_a_disk_that_really_is_full(settings, whole, tmp_path):
    disk, result = tmp_path / "disk", tmp_path / "result.safetensors"
    disk.mkdir()
    mount = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", 'mount -t tmpfs -o size=8m tmpfs "$0" && exec "$@"']
    if not shutil.which("unshare") or subprocess.run([*mount, str(disk), "true"], capture_output=True).returncode:
        pytest.skip("this system lets no user mount a disk in memory")
    (tmp_path / "settings.toml").write_text(settings_toml(settings), encoding="utf-8")
    room = 3 * saved_states(whole.folder / "state")[-1].stat().st_size
    program = [sys.executable, "-c", ON_A_SMALL_DISK.format(room=room), str(tmp_path / "settings.toml"), str(disk), str(result)]
    ended = subprocess.run([*mount, str(disk), *program], capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert ended.returncode == 0, ended.stderr
    assert "No space left on device" in ended.stdout
    assert "lorasmith resume" in ended.stdout
    assert result.read_bytes() == whole.file.read_bytes()


@pytest.mark.parametrize("refused", [errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written_to_is_not_called_full(tmp_path, refused):
    error = could_not_write(WriteFailed(tmp_path / "step-1.pt", 10, OSError(refused, os.strerror(refused))), tmp_path)
    assert error.code == "run.cannot_write"
    assert "Make sure that this folder can be written to" in str(error)
    assert "free" not in str(error)
