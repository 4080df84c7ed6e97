"""One browser's stream of events: what it watches, what it was sent, and where to go on when its connection breaks.

Every message has a number. The last ones are kept, so that whoever comes back and says which was the last to arrive gets the rest again
and goes on; nothing is lost and nothing comes twice. Whoever comes back too late, or to a studio that was started anew, gets a `reset`
and looks at everything again. Files are read by offset, and only while somebody listens.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lorasmith.errors import InputError
from lorasmith.secrets import without_secrets

Topic = Literal["hello", "reset", "run", "job", "dataset"]

KEPT = 2000
"""Messages that are kept for who comes back."""
KEPT_FOR = 600.0
"""Seconds for which the stream of a browser that is gone is kept."""
MOST_READ = 2**20
"""Bytes of a run's events that go into one message."""
MOST_WATCHED = 100


@dataclass(frozen=True)
class Message:
    """A message of a stream."""

    id: str
    topic: Topic
    data: Mapping[str, Any]

    def encoded(self) -> str:
        """As text/event-stream has it."""
        return f"id: {self.id}\nevent: {self.topic}\ndata: {json.dumps(self.data, ensure_ascii=False)}\n\n"


@dataclass
class Sources:
    """Where a stream has its news from."""

    events_of: Callable[[str], Path]
    """Run -> its events.jsonl. Raises InputError where there is no such run."""
    jobs: Callable[[], Mapping[int, Mapping[str, Any]]]
    """All jobs as they are now, by number."""
    version_of: Callable[[str], str]
    """Project -> the version of its dataset. Raises InputError where there is none."""
    summaries: Callable[[], Mapping[str, Mapping[str, Any]]]
    """Runs that go on, with how far they are."""


@dataclass
class WatchedRun:
    """A run whose events are sent."""

    events: Path
    next: int
    """The byte that comes next."""


@dataclass
class Stream:
    """What one browser listens to."""

    sources: Sources
    id: str = field(default_factory=lambda: secrets.token_hex(6))
    left: float = field(default_factory=time.monotonic)
    """When somebody listened last."""
    _number: int = 0
    _sent: deque[tuple[int, Message]] = field(default_factory=lambda: deque(maxlen=KEPT))
    _runs: dict[str, WatchedRun] = field(default_factory=dict)
    _datasets: dict[str, str] = field(default_factory=dict)
    """Watched project -> the version of its dataset that was told last."""
    _jobs: Mapping[int, Mapping[str, Any]] | None = None
    """The jobs as they were told last."""
    _summaries: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    """Of a browser that came back, the old connection may still be there beside the new one."""

    def watch(self, topics: Iterable[str]) -> None:
        """Listen to these topics alone: `run:zorvex-3@88123` for a run's events from a byte on, `run:zorvex-3` from now,
        `dataset:mimi@VERSION` for changes of pictures since the version that the page shows, `dataset:mimi` from now.

        A run that is watched already goes on where it is, unless it names a byte. Of a dataset a change is told once more rather than never.
        Of a run or project that is not there it is told that it is gone, and the others are watched: a browser has one stream for all its
        tabs, and one of them may show what another has removed.

        Raises:
            InputError: there is no such topic, or there are too many.
        """
        runs: dict[str, WatchedRun] = {}
        datasets: dict[str, str] = {}
        gone: list[tuple[Topic, str]] = []
        for topic in topics:
            kind, _, name = topic.partition(":")
            if kind == "run" and name:
                run, at, byte = name.rpartition("@") if "@" in name else (name, "", "")
                if at and not byte.isdecimal():
                    raise InputError(
                        f"{topic!r} is watched from {byte!r}, which is not a number of bytes.", code="events.topic", topic=topic
                    )
                try:
                    events = self.sources.events_of(run)
                except InputError:
                    gone.append(("run", run))
                    continue
                runs[run] = WatchedRun(events, int(byte)) if at else self._runs.get(run) or WatchedRun(events, _size(events))
            elif kind == "dataset" and name:
                project, _, shown = name.partition("@")
                try:
                    now = self.sources.version_of(project)
                except InputError:
                    gone.append(("dataset", project))
                    continue
                known = (datasets.get(project), self._datasets.get(project), shown)
                datasets[project] = next((version for version in known if version and version != now), now)
            else:
                raise InputError(f"There is no topic {topic!r}. Watch run:ID or dataset:PROJECT.", code="events.topic", topic=topic)
        if len(runs) + len(datasets) > MOST_WATCHED:
            raise InputError(f"More than {MOST_WATCHED} topics cannot be watched at once.", code="events.too_many")
        with self._lock:
            self._runs, self._datasets = runs, datasets
            for what, name in gone:
                self._tell_gone(what, name)

    def knows(self, last: str) -> bool:
        """Whether it can go on after the message with this id."""
        stream, _, number = last.partition(".")
        first = self._sent[0][0] if self._sent else self._number + 1
        return stream == self.id and number.isdecimal() and first - 1 <= int(number) <= self._number

    def after(self, last: str) -> list[Message]:
        """What was sent after the message with this id."""
        number = int(last.partition(".")[2])
        with self._lock:
            return [message for sent, message in self._sent if sent > number]

    def begin(self, topic: Topic) -> str:
        """Put the first message in: the stream's name, by which it is told what to watch. Gives the id before it."""
        self._put(topic, {"stream": self.id})
        return f"{self.id}.0"

    def collect(self) -> None:
        """Put in what has happened since this was last called."""
        with self._lock:
            self.left = time.monotonic()
            self._collect_jobs()
            self._collect_runs()
            self._collect_summaries()
            self._collect_datasets()

    def _collect_jobs(self) -> None:
        now = self.sources.jobs()
        before, self._jobs = self._jobs, now
        if before is None:  # the page asks for the list once it knows that it is listening
            return
        for id, job in now.items():
            if before.get(id) != job:
                self._put("job", job)

    def _collect_runs(self) -> None:
        for run, watched in list(self._runs.items()):
            if not watched.events.parent.is_dir():  # moved or archived meanwhile
                del self._runs[run]
                self._tell_gone("run", run)
                continue
            start = watched.next if watched.next <= _size(watched.events) else 0  # another run under the same name
            events, watched.next = read_records(watched.events, start)
            if watched.next != start:
                self._put("run", {"run": run, "from": start, "to": watched.next, "events": events})

    def _collect_summaries(self) -> None:
        """Of runs that nobody watches, how far they are."""
        now = {run: summary for run, summary in self.sources.summaries().items() if run not in self._runs}
        before, self._summaries = self._summaries, now
        for run in {**before, **now}:
            if before.get(run) != now.get(run) and run not in self._runs:
                self._put("run", {"run": run, "summary": now.get(run)})

    def _collect_datasets(self) -> None:
        for project, version in list(self._datasets.items()):
            try:
                now = self.sources.version_of(project)
            except InputError:
                del self._datasets[project]
                self._tell_gone("dataset", project)
                continue
            if now != version:
                self._datasets[project] = now
                self._put("dataset", {"project": project, "version": now})

    def _tell_gone(self, topic: Topic, name: str) -> None:
        self._put(topic, {"run" if topic == "run" else "project": name, "gone": True})

    def _put(self, topic: Topic, data: Mapping[str, Any]) -> None:
        self._number += 1
        self._sent.append((self._number, Message(f"{self.id}.{self._number}", topic, data)))


class Streams:
    """The streams of all browsers."""

    def __init__(self, sources: Sources):
        self.sources = sources
        self._streams: dict[str, Stream] = {}

    def __getitem__(self, id: str) -> Stream:
        """The stream of this name; raises InputError where there is none (`events.not_found`)."""
        if id not in self._streams:
            raise InputError("There is no such stream of events. Open one.", code="events.not_found", stream=id)
        return self._streams[id]

    def open(self, last: str | None, watch: Iterable[str] = ()) -> tuple[Stream, str]:
        """A stream, and the id of the message after which to go on: of one that broke off after `last`, or of a new one.

        Raises InputError where what is to be watched is no topic.
        """
        self._forget_those_who_left()
        before = self._streams.get(last.partition(".")[0]) if last else None
        if last and before is not None and before.knows(last):
            return before, last
        stream = Stream(self.sources)
        begun = stream.begin("reset" if last else "hello")
        stream.watch(watch)
        self._streams[stream.id] = stream
        stream.collect()  # before it is told that it listens, so that whatever changes after that is told
        return stream, begun

    def _forget_those_who_left(self) -> None:
        now = time.monotonic()
        for id in [id for id, stream in self._streams.items() if now - stream.left > KEPT_FOR]:
            del self._streams[id]


def read_records(path: Path, start: int) -> tuple[list[dict[str, Any]], int]:
    """The whole lines of a run's events from a byte on, without secrets, and the byte after them. What is no JSON is left out."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            piece = file.read(MOST_READ)
            if b"\n" not in piece:
                piece += file.readline()  # of a line longer than that
    except FileNotFoundError:  # the run has not begun
        return [], start
    whole, newline, _ = piece.rpartition(b"\n")
    return [record for line in whole.split(b"\n") if (record := _record(line)) is not None], start + len(whole) + len(newline)


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line.decode("utf-8", "replace"), parse_constant=lambda name: None)  # browsers know no NaN
    except ValueError:
        return None
    cleaned: dict[str, Any] | None = without_secrets(found) if isinstance(found, dict) else None
    return cleaned


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
