"""Kill a run where nobody expects it, resume it, and compare every byte with a run that was never interrupted.

A `Forge` is a process that has torch and Lorasmith loaded and forks a child for each try, since each start of Python costs seconds. The
children are real processes and are killed with a real SIGKILL: after a time, by the forge, or by themselves right before a file
operation, which reaches the moments between two writes that a clock seldom hits.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve()
WATCHED = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir")
"""Python's audit events of what changes files; a file opened to be read is not counted."""
PATIENCE = 300.0
"""Seconds after which a child is thought to hang."""


# -- on the tests' side -----------------------------------------------------------------------------------------------


@dataclass
class Outcome:
    """What became of a child. `code` is its exit code, or minus the signal that ended it; `left` are processes that outlived it."""

    code: int
    seconds: float
    operations: int = 0
    error: str = ""
    left: list[int] = field(default_factory=list)

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


class Forge:
    """Runs trainings in children of a process that has everything loaded."""

    def __init__(self) -> None:
        # Without bytecode files: the first child to import a module would write one, and do more file operations than the others.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(
            [sys.executable, str(HERE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )

    def run(self, folder: Path, settings: Path, *, seconds: float | None = None, operation: int | None = None) -> Outcome:
        """Begin the run in `folder`, or resume it; kill it after `seconds` or before its `operation`-th file operation, if given."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"folder": str(folder), "settings": str(settings), "seconds": seconds, "operation": operation}
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return Outcome(**json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)


@dataclass(frozen=True)
class Alone:
    """A run that nothing disturbed: what it made, how long it took, how many file operations it did."""

    made: dict[str, bytes]
    seconds: float
    operations: int


def undisturbed(forge: Forge, settings: Path, folder: Path) -> Alone:
    outcome = forge.run(folder, settings)
    assert outcome.code == 0, outcome.error
    return Alone(made(folder), outcome.seconds, outcome.operations)


def made(folder: Path) -> dict[str, bytes]:
    """Name -> bytes of every LoRA and every picture of a run."""
    paths = [path for kind in ("checkpoints", "samples") for path in (folder / kind).iterdir()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(paths)}


def kill_and_resume(forge: Forge, settings: Path, folder: Path, alone: Alone, rng: random.Random, kills: int) -> list[str]:
    """Begin a run and kill it up to `kills` times in its life, then let it end; returns where each kill was. Raises AssertionError.

    It begins without cached latents and texts, as the uninterrupted run did.
    """
    shutil.rmtree(tomllib.loads(settings.read_text(encoding="utf-8"))["cache"], ignore_errors=True)
    killed_at: list[str] = []
    while len(killed_at) < kills:
        when = _drawn_moment(alone, rng)
        outcome = forge.run(folder, settings, **when)
        assert not outcome.left, f"processes {outcome.left} outlived the run that was killed"
        if not outcome.killed:
            assert outcome.code == 0, outcome.error
            break
        killed_at.append(", ".join(f"{name} {value:.4g}" for name, value in when.items()))
        check_what_lies_there(folder)
    outcome = forge.run(folder, settings)
    assert outcome.code == 0, f"after kills at {killed_at}: {outcome.error}"
    found = made(folder)
    assert sorted(found) == sorted(alone.made), f"after kills at {killed_at}"
    changed = [name for name, data in found.items() if data != alone.made[name]]
    assert not changed, f"{changed} differ after kills at {killed_at}"
    assert not list(folder.rglob(".*.part")), f"after kills at {killed_at}"
    return killed_at


def _drawn_moment(alone: Alone, rng: random.Random) -> dict[str, float]:
    if rng.random() < 0.5:
        return {"seconds": rng.uniform(0, alone.seconds)}
    return {"operation": rng.randint(1, alone.operations)}


def check_what_lies_there(folder: Path) -> None:
    """Every file under its final name is whole, whatever killed the run that wrote it."""
    from PIL import Image
    from safetensors.torch import load_file

    from lorasmith.training.learner.state import load_newest_state
    from lorasmith.training.records.event_log import read_history

    for path in folder.glob("checkpoints/*.safetensors"):
        load_file(path)
    for path in folder.glob("samples/*.png"):
        with Image.open(path) as picture:
            picture.load()
    if (folder / "state").is_dir():
        _, damaged = load_newest_state(folder / "state")
        assert damaged == []
    if (folder / "manifest.json").exists():
        json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    if (folder / "events.jsonl").exists():
        list(read_history(folder / "events.jsonl"))


def kill_before_each_operation(root: Path, lay_out: Callable[[Path], None], work: Callable[[Path], object]) -> list[Path]:
    """Do `work` in a folder that `lay_out` made, each time in a child that is killed one file operation later; those folders."""
    tried: list[Path] = []
    while True:
        folder = root / f"killed-before-{len(tried) + 1}"
        lay_out(folder)
        child = os.fork()
        if child == 0:
            try:
                _watch_files(len(tried) + 1)
                work(folder)
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            return tried
        tried.append(folder)


# -- in the forge -----------------------------------------------------------------------------------------------------


def serve() -> None:
    """For each line with an order fork a child, see to its end, and answer with a line that says what became of it."""
    load_everything()
    for line in sys.stdin:
        order = json.loads(line)
        said, write_said = os.pipe()
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            os.close(said)
            os._exit(_in_child(order, write_said))
        os.close(write_said)
        code, left = _see_to_its_end(child, started, order["seconds"])
        with os.fdopen(said, encoding="utf-8") as pipe:
            answer = json.loads(pipe.read() or "{}")
        print(json.dumps({"code": code, "seconds": time.monotonic() - started, "left": left, **answer}), flush=True)


def load_everything() -> None:
    """Import what a run imports, so that no child has to; no thread is started by it."""
    import accelerate  # noqa: F401
    import diffusers
    import prodigyopt  # noqa: F401
    import schedulefree  # noqa: F401
    import transformers

    import lorasmith.jobs.training  # noqa: F401

    for name in ("AutoencoderKL", "UNet2DConditionModel", "DDIMScheduler"):
        getattr(diffusers, name)
    for name in ("CLIPTextModel", "CLIPTokenizer"):
        getattr(transformers, name)


def _see_to_its_end(child: int, started: float, seconds: float | None) -> tuple[int, list[int]]:
    """Kill the child after `seconds`; its exit code, and those of its own children that outlive it for long."""
    import psutil

    process = psutil.Process(child)
    until = started + (PATIENCE if seconds is None else seconds)
    family: dict[int, psutil.Process] = {}
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            break
        if time.monotonic() >= until:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            break
        family |= {one.pid: one for one in process.children()} if process.is_running() else {}
        time.sleep(min(0.02, max(0.0, until - time.monotonic())))
    _, alive = psutil.wait_procs(list(family.values()), PATIENCE)
    return os.waitstatus_to_exitcode(status), [one.pid for one in alive]


def _in_child(order: dict, said: int) -> int:
    """Train or resume; returns the exit code."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    operations = _watch_files(order["operation"])
    code, error = 0, ""
    try:
        _train(Path(order["folder"]), Path(order["settings"]))
    except BaseException as problem:
        import traceback

        code, error = 1, f"{type(problem).__name__}: {problem}\n{traceback.format_exc()}"
    os.write(said, json.dumps({"operations": operations[0], "error": error}).encode())
    return code


def _train(folder: Path, settings: Path) -> None:
    """Begin the run, or resume it, as a user would: what was killed before it had its settings begins again."""
    from lorasmith.training.run import resume, train
    from lorasmith.training.settings.toml import load_settings

    if (folder / "settings.toml").exists():
        resume(folder)
    else:
        train(load_settings(settings), folder)


def _watch_files(kill_at: int | None) -> list[int]:
    """Count the file operations of this process from now on, and kill it right before number `kill_at`."""
    count = [0]

    def see(event: str, args: tuple) -> None:
        if event in WATCHED and not (event == "open" and _only_reads(args)):
            count[0] += 1
            if count[0] == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(see)
    return count


def _only_reads(args: tuple) -> bool:
    _, mode, flags = args
    return not any(letter in mode for letter in "wax+") if isinstance(mode, str) else not flags & (os.O_WRONLY | os.O_RDWR)


if __name__ == "__main__":
    serve()
