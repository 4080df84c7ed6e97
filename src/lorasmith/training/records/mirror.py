"""A run whose folder is kept in a store as well, so that another machine can continue it: `s3://bucket/runs/anna`.

The run works in a folder of this machine, `runs/anna`, and a thread sends what is new whenever a state, a LoRA or a sample was saved. What a
state stands on goes first (settings, manifest, events, LoRAs, samples), the state after that, and only then an older one is removed. So
what is in the store at any moment is what a kill at some moment would have left here, and `bring_run` continues it in the same bytes.

What cannot be sent is tried again, reported as a warning of the run, and never ends it. A store has no locks: that one machine alone
works on a run is the user's concern.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from lorasmith.atomic import write_atomically
from lorasmith.command_line import quoted
from lorasmith.errors import LorasmithError, SettingsError
from lorasmith.findings import Finding, Fix
from lorasmith.stores import Place, Stored, in_parallel, url_of
from lorasmith.training import events
from lorasmith.training.events import Event
from lorasmith.training.learner.saved_states import newest_step, saved_states, step_of
from lorasmith.training.records.run_folder import RunFolder

NOTE = "mirror.json"
"""In the run's folder: the URL, and what was sent there."""
STAGED = ".mirror"
"""Folder in the run's own for the state that is being sent, which the run may delete meanwhile."""
STATES_KEPT = 2
WORTH_SENDING = (events.StateSaved, events.CheckpointSaved, events.SampleReady, events.ValidationDone)
_OF_A_STEP = re.compile(r"-(step)?\d+(-ema)?\.safetensors$")
_WRITTEN_ONCE = ("checkpoints/", "samples/", "state/", "proof/")
"""What is never added to; the rest is small, and is read at once before it is sent."""


def folder_of(place: str | Path) -> Path:
    """Where a run works on this machine: the folder itself, or runs/NAME of a URL."""
    url = url_of(place)
    return Path(place) if url is None else Path("runs") / PurePosixPath(url).name


def mirror_of(folder: Path) -> str | None:
    """The URL where the run in `folder` is kept as well; None where it is not."""
    return _note(folder).get("url")


def begin_mirror(folder: Path, url: str) -> None:
    """Keep the new run in `folder` in a store as well."""
    _write_note(folder, url, {})


def is_run(place: str | Path) -> bool:
    """Whether there is a run in a folder, at a URL, or in the folder here that is kept there. Raises InputError, RunError: see `stores.Place`."""
    url, folder = url_of(place), folder_of(place)
    if url is None:
        return RunFolder(folder).settings.is_file()
    return mirror_of(folder) == url or Place.at(url).read("settings.toml") is not None


def refuse_taken(url: str) -> None:
    """Raises SettingsError (`run.folder_not_empty`) where the store has something there; InputError, RunError where it cannot be asked."""
    if Place.at(url).entries():
        raise SettingsError(
            f"{url} is not empty. Give another --out, or continue the run in it with: lorasmith resume {quoted(url)}",
            code="run.folder_not_empty", path=url,
        )  # fmt: skip


def bring_run(place: str | Path) -> Path:
    """The folder of a run on this machine; of one in a store it is brought first, unless the one here is as far.

    An older one that is here stays beside it under another name.

    Raises:
        SettingsError: no run is there (`run.no_run_folder`), or runs/NAME is another run (`run.folder_not_empty`).
        InputError, RunError: see `stores.Place`.
    """
    url, folder = url_of(place), folder_of(place)
    if url is None:
        return folder
    source = Place.at(url)
    entries = source.entries()
    if "settings.toml" not in entries:
        if mirror_of(folder) == url:  # killed before there was anything to send
            return folder
        raise SettingsError(
            f"There is no run at {url} (it has no settings.toml). Check the bucket and the path.", code="run.no_run_folder", path=url
        )
    run = RunFolder(folder)
    if folder.exists() and any(folder.iterdir()):
        if mirror_of(folder) != url:
            raise SettingsError(
                f"{folder} is where the run {url} would be continued, and holds something else. Run the command in another folder.",
                code="run.folder_not_empty", path=str(folder),
            )  # fmt: skip
        if newest_step(run.state) >= _newest_step_in(entries):
            return folder
        with run.in_use():
            pass
        folder.rename(_free(folder.with_name(f"{folder.name}-until-step-{newest_step(run.state)}")))
    aside = folder.with_name(f".{folder.name}.part")
    _fetch(source, entries, aside)
    if folder.exists():
        folder.rmdir()
    aside.rename(folder)
    return folder


def send_rest(folder: Path) -> None:
    """Send what is new in the folder of a run that is kept in a store, such as its report; nothing where it is not kept in one.

    Raises InputError, RunError: see `stores.Place`.
    """
    if (url := mirror_of(folder)) is not None:
        _Sender(folder, url).send_all()


class Mirror:
    """The listener that keeps a run in a store as well, until `close`; `warn` is told what cannot be sent, in the thread of the run."""

    def __init__(self, folder: Path, url: str, warn: Callable[[Finding], None]):
        self.url = url
        self._warn = warn
        self._sender = _Sender(folder, url)
        self._wake, self._closing = threading.Event(), threading.Event()
        self._warnings: list[Finding] = []
        self._failing = False
        self._sender.stage()
        self._thread = threading.Thread(target=self._work, name=f"mirror of {folder.name}", daemon=True)
        self._thread.start()

    def __call__(self, event: Event) -> None:
        if isinstance(event, events.StateSaved):
            self._sender.stage()
        if isinstance(event, WORTH_SENDING):
            self._wake.set()
        self._report()

    def close(self) -> None:
        """Send what is left, and end."""
        self._closing.set()
        self._wake.set()
        self._thread.join()
        self._sender.unstage()
        self._report()

    def _report(self) -> None:
        while self._warnings:
            self._warn(self._warnings.pop(0))

    def _work(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()  # before it looks: what comes from here on wakes it again, closing above all
            last = self._closing.is_set()
            try:
                with self._sender.busy:
                    self._sender.send_all()
            except Exception as error:  # whatever it is, the run goes on
                if not self._failing or last:
                    self._warnings.append(_not_sent(self.url, error, self._sender.folder, last))
                self._failing = True
            else:
                if self._failing:
                    self._warnings.append(
                        Finding("run.mirrored_again", "note", f"All that the run has saved is in {self.url} again.", "run")
                    )
                self._failing = False
            if last:
                return


def _not_sent(url: str, error: Exception, folder: Path, last: bool) -> Finding:
    reason = str(error) if isinstance(error, LorasmithError) else f"{url} could not be written ({error or type(error).__name__})."
    then = f"Send the rest with: lorasmith resume {quoted(folder)}" if last else "It is tried again after the next save."
    return Finding(
        "run.not_mirrored", "warning", f"Not everything of the run is in {url}: {reason}", "run", fix=Fix(then),
        why="Another machine could only continue from what is there.",
    )  # fmt: skip


class _Sender:
    """Sends what is new in a run's folder. One thread at a time; `stage` may be called by another."""

    def __init__(self, folder: Path, url: str):
        self.folder = folder
        self._place = Place.at(url)
        self._sent: dict[str, list[int]] = {name: list(state) for name, state in _note(folder).get("sent", {}).items()}
        """Name -> size and time of change here."""
        self._there: set[str] | None = None
        self.busy = threading.Lock()
        """Held while something is sent."""

    def stage(self) -> None:
        """Keep the newest state aside until it is sent: the run deletes old ones."""
        step = newest_step(self.folder / "state")
        state = self.folder / "state" / f"step-{step:08d}.pt"
        if not step or self._is_sent(f"state/{state.name}", state):
            return
        staged = self.folder / STAGED / state.name
        staged.parent.mkdir(exist_ok=True)
        staged.unlink(missing_ok=True)
        try:
            os.link(state, staged)
        except OSError:  # a file system without hard links
            shutil.copy2(state, staged)

    def unstage(self) -> None:
        shutil.rmtree(self.folder / STAGED, ignore_errors=True)

    def send_all(self) -> None:
        """Send everything that is new; the state last. Of a run that has saved nothing yet, which may still be refused, nothing."""
        if not saved_states(self.folder / "state") and not any((self.folder / "checkpoints").glob("*.safetensors")):
            return
        self._compare()
        states = [*saved_states(self.folder / "state"), *saved_states(self.folder / STAGED)]
        newest = sorted(states, key=step_of)[-1:]  # of two of one step the one that is kept aside, which stays
        for _ in in_parallel(self._send, self._new_files()):
            pass
        for state in newest:
            name = f"state/{state.name}"
            if not self._is_sent(name, state):
                self._send(name, state)
            self._remove_old_states(state.name)
            for path in saved_states(self.folder / STAGED):
                if path.name <= state.name:
                    path.unlink(missing_ok=True)
        self._remove_renamed()
        _write_note(self.folder, self._place.url, self._sent)

    def _new_files(self) -> list[tuple[str, Path]]:
        found = []
        for name, path in _files(self.folder):
            if not name.startswith("state/") and not self._is_sent(name, path):
                found.append((name, path))
        return found

    def _is_sent(self, name: str, path: Path) -> bool:
        try:
            return self._sent.get(name) == _state_of(path)
        except FileNotFoundError:
            return True

    def _send(self, name: str, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):  # replaced by a later one meanwhile
            state = _state_of(path)
            self._place.send(name, path if name.startswith(_WRITTEN_ONCE) else path.read_bytes())
            self._sent[name] = state

    def _compare(self) -> None:
        """Once: what the store does not have as it was sent is sent again."""
        if self._there is None:
            entries = self._place.entries()
            self._sent = {name: state for name, state in self._sent.items() if name in entries and entries[name].size == state[0]}
            self._there = set(entries)

    def _remove_old_states(self, newest: str) -> None:
        states = sorted(name for name in self._known() if name.startswith("state/step-"))
        up_to = [name for name in states if name <= f"state/{newest}"]
        for name in {*states} - {*up_to[-STATES_KEPT:]}:
            self._remove(name)

    def _remove_renamed(self) -> None:
        """The last LoRA of a finished run that goes on: here it is called after its step by now."""
        for name in sorted(self._known()):
            if name.startswith("checkpoints/") and not _OF_A_STEP.search(name) and not (self.folder / name).exists():
                self._remove(name)

    def _known(self) -> set[str]:
        return {*(self._there or ()), *self._sent}

    def _remove(self, name: str) -> None:
        self._place.remove(name)
        self._sent.pop(name, None)
        if self._there is not None:
            self._there.discard(name)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """What of a run's folder is kept in a store: its files by their names, without locks, requests and what is being written."""
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in sorted(folders) if not name.startswith(".") and name != "commands"]
        for name in sorted(names):
            path = Path(root, name)
            if not name.startswith(".") and path != folder / NOTE:
                yield path.relative_to(folder).as_posix(), path


def _state_of(path: Path) -> list[int]:
    state = path.stat()
    return [state.st_size, state.st_mtime_ns]


def _fetch(source: Place, entries: dict[str, Stored], folder: Path) -> None:
    """Bring every file into a folder where a killed process may have begun that."""
    for kind in ("checkpoints", "state", "samples"):
        (folder / kind).mkdir(parents=True, exist_ok=True)

    def fetch(name: str, stored: Stored) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        source.fetch(name, stored, path)

    for _ in in_parallel(fetch, entries.items()):
        pass
    for name, path in list(_files(folder)):
        if name not in entries:
            path.unlink()
    _write_note(folder, source.url, {name: _state_of(folder / name) for name in entries})


def _newest_step_in(entries: dict[str, Stored]) -> int:
    return max((step_of(Path(name)) for name in entries if name.startswith("state/step-")), default=0)


def _free(path: Path) -> Path:
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free


def _note(folder: Path) -> dict[str, Any]:
    try:
        note: dict[str, Any] = json.loads((folder / NOTE).read_bytes())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return note


def _write_note(folder: Path, url: str, sent: dict[str, list[int]]) -> None:
    write_atomically(folder / NOTE, json.dumps({"url": url, "sent": sent}, indent=1).encode())
