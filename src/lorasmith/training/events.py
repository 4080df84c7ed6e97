"""What a run tells, and what one may tell it.

A run emits typed events; the terminal, the log file and the studio are listeners. `events.jsonl` in the run folder
holds every event, one JSON object a line: `{"event": "StepDone", "time": <Unix seconds>, ...fields}`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """Base of all events."""


@dataclass(frozen=True)
class PhaseStarted(Event):
    """A named phase of the run begins: check, data, model, cache, train, finish."""

    phase: str
    detail: str = ""


@dataclass(frozen=True)
class CacheProgress(Event):
    """`done` of `total` pictures have their latents, or captions their states: `what` says which."""

    done: int
    total: int
    what: Literal["latents", "captions"] = "latents"


@dataclass(frozen=True)
class Planned(Event):
    """What will be done, known before the first step."""

    steps: int
    epochs: int
    pictures: int
    batches_per_epoch: int
    trained_parameters: int


@dataclass(frozen=True)
class StepDone(Event):
    """One optimizer step. `loss` is the mean over its samples; `lr` per parameter group by name.

    What follows `seconds` is what `metrics` says, None or empty where nobody measured. `bands` are recent losses by the timesteps of
    their samples, `d` what Prodigy and its kin multiply the rate by, per group, `largest_layers` the layers with the longest weights.
    """

    step: int
    epoch: int
    loss: float
    lr: dict[str, float]
    seconds: float
    loss_smoothed: float | None = None
    bands: dict[str, float] = field(default_factory=dict)
    d: dict[str, float] = field(default_factory=dict)
    grad_norm: float | None = None  # before it is clipped
    weight_norm: float | None = None
    largest_layers: dict[str, float] = field(default_factory=dict)
    images_per_second: float | None = None
    eta: float | None = None  # seconds until the last step
    memory_bytes: int | None = None  # of this process
    gpu_memory_bytes: int | None = None  # the most that tensors took since the start; None without a GPU


@dataclass(frozen=True)
class StepSkipped(Event):
    """A step whose loss or gradient was no finite number: no weight was changed. `pictures` and `timesteps` are the samples to look at.

    There are none, and `in_a_row` is 0, where a gradient overflowed float16: the loss is scaled less from there on.
    """

    step: int
    pictures: list[str]
    timesteps: list[float]
    in_a_row: int


@dataclass(frozen=True)
class EpochDone(Event):
    epoch: int
    step: int
    mean_loss: float


@dataclass(frozen=True)
class CheckpointSaved(Event):
    """A LoRA file; `path` is relative to the run folder."""

    path: str
    epoch: int
    step: int
    final: bool = False


@dataclass(frozen=True)
class SampleReady(Event):
    """A picture; `path` is relative to the run folder. `epoch` 0 is the untouched base."""

    path: str
    prompt: str
    seed: int
    epoch: int
    step: int


@dataclass(frozen=True)
class ValidationDone(Event):
    """How wrong the model is on pictures that it never trains on, beside as many that it does; see `validation`. Epoch 0 is the base.

    Changes are against the base, negative where the LoRA does better; each margin is half of its 95 % interval, None where one picture
    alone cannot tell. `gap` is how much more the trained pictures gained than the held-out ones: 0 for what is learnt, above it for
    what is memorised. `held_out` and `trained` are the losses of single pictures.
    """

    epoch: int
    step: int
    held_out_mean: float
    trained_mean: float
    held_out_change: float
    held_out_change_margin: float | None
    trained_change: float
    trained_change_margin: float | None
    gap: float
    gap_margin: float | None
    held_out: dict[str, float]
    trained: dict[str, float]
    best_epoch: int | None = None  # where the held-out loss was lowest before this
    since_best: float | None = None
    since_best_margin: float | None = None


@dataclass(frozen=True)
class StateSaved(Event):
    """The run can go on from this step after a kill."""

    step: int


@dataclass(frozen=True)
class Resumed(Event):
    """The run went on from a saved state; events after `step` in the file belong to an earlier try."""

    step: int


@dataclass(frozen=True)
class Warned(Event):
    """Something the user should know; the run goes on."""

    message: str


@dataclass(frozen=True)
class Stopped(Event):
    """The run ended before its last step. `reason` is a sentence; `lorasmith resume` goes on."""

    step: int
    reason: str


@dataclass(frozen=True)
class Finished(Event):
    step: int
    seconds: float
    file: str


Listener = Callable[[Event], None]
EVENT_TYPES: dict[str, type[Event]] = {cls.__name__: cls for cls in Event.__subclasses__()}


class Emitter:
    """Hands each event to every listener; one that fails is reported once and left out from then on."""

    def __init__(self, listeners: Iterable[Listener] = ()):
        self.listeners = list(listeners)

    def __call__(self, *told: Event) -> None:
        for event in told:
            for listener in list(self.listeners):
                try:
                    listener(event)
                except Exception:  # a broken display must not take the training with it
                    self.listeners.remove(listener)
                    log.exception("the listener %r failed at %s and gets no more events", listener, type(event).__name__)

    def warn(self, *messages: str) -> None:
        """Tell sentences that the user should know."""
        self(*(Warned(message) for message in messages))


class EventLog:
    """The listener that appends to `events.jsonl`."""

    def __init__(self, path: Path):
        torn = path.exists() and path.read_bytes()[-1:] not in (b"", b"\n")
        self._file = path.open("a", encoding="utf-8")
        if torn:  # a kill cut the last line short; the next event must not be glued to it
            self._file.write("\n")

    def __call__(self, event: Event) -> None:
        record = {"event": type(event).__name__, "time": round(time.time(), 3), **dataclasses.asdict(event)}
        self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Let go of the file; what a full disk kept out of it was reported when it happened."""
        with contextlib.suppress(OSError):
            self._file.close()


def read_events(path: Path) -> Iterator[tuple[float, Event]]:
    """(time, event) pairs of an `events.jsonl`, without what a later resume took back.

    A line cut off by a kill is passed over; so are events of kinds that this version does not know.
    """
    kept: list[tuple[float, Event]] = []
    for line in path.read_bytes().decode("utf-8", errors="replace").split("\n"):
        try:
            record: dict[str, Any] = json.loads(line)
        except json.JSONDecodeError:
            continue
        kind = EVENT_TYPES.get(record.pop("event", ""))
        when = record.pop("time", 0.0)
        if kind is None:
            continue
        names = {f.name for f in dataclasses.fields(kind)}
        event = kind(**{k: v for k, v in record.items() if k in names})
        if isinstance(event, Resumed):
            back = event.step
            kept = [(t, e) for t, e in kept if getattr(e, "step", -1) <= back or isinstance(e, Planned)]
        kept.append((when, event))
    return iter(kept)
