"""What a run reports while it works: typed events, handed to listeners.

The terminal, the log file, TensorBoard and the studio are listeners. `records.event_log` writes every event to `events.jsonl` in the
run's folder and reads it back; what the fields are called there is what they are called here.

Losses are means over pictures, steps count from 1 where they are done (0 is the untouched base), epochs from 1, paths are relative to
the run's folder.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from lorasmith.findings import Finding

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """Base of all events."""


@dataclass(frozen=True)
class PhaseStarted(Event):
    """A named phase of the run begins: workers (over Ray alone), model, cache, train or finish; `detail` says on what."""

    phase: str
    detail: str = ""


@dataclass(frozen=True)
class CacheProgress(Event):
    """`done` of `total` are encoded: latents of the training images or of those for validation, or captions."""

    done: int
    total: int
    what: Literal["latents", "captions", "validation latents"] = "latents"


@dataclass(frozen=True)
class Planned(Event):
    """The size of the run, known before its first step."""

    steps: int
    epochs: int
    images: int
    batches_per_epoch: int
    trainable_parameters: int


@dataclass(frozen=True)
class StepDone(Event):
    """One optimizer step. Everything after `seconds` is None or empty where it was not measured."""

    step: int
    epoch: int
    loss: float
    """The mean over the step's samples, weighted as it was trained on."""
    lr: dict[str, float]
    """The learning rate of each parameter group, by its name."""
    seconds: float
    """How long the step took, without what is saved or sampled after it."""
    loss_smoothed: float | None = None
    """A mean over about the last 50 steps; see `records.metrics`."""
    loss_by_timestep: dict[str, float] = field(default_factory=dict)
    """The smoothed loss of each fifth of the timesteps, such as `0-199`."""
    d: dict[str, float] = field(default_factory=dict)
    """The factor on the learning rate that Prodigy, D-Adaptation and their kin found, by parameter group; d is its name in the papers."""
    grad_norm: float | None = None
    """The norm (L2) of the gradient before it is clipped."""
    weight_norm: float | None = None
    """The norm of all trained weights, measured every tenth step."""
    largest_layers: dict[str, float] = field(default_factory=dict)
    """The three layers with the largest weight norms, every tenth step."""
    images_per_second: float | None = None
    eta: float | None = None
    """Seconds until the last step is done."""
    memory_bytes: int | None = None
    """Resident memory of this process."""
    gpu_memory_bytes: int | None = None
    """The most that tensors took on the GPU since the start; None without a GPU."""
    images: int | None = None
    """How many samples went into it: fewer than the settings ask for where a bucket's last batch is short."""


@dataclass(frozen=True)
class StepSkipped(Event):
    """A step whose loss or gradient was not finite: no weight was changed.

    Where a gradient overflowed float16, `images` is empty and `consecutive` 0: the loss is scaled down from here on.
    """

    step: int
    images: list[str]
    """The files to look at, with the timestep of each in `timesteps`."""
    timesteps: list[float]
    consecutive: int
    """How many steps in a row were skipped, this one included."""


@dataclass(frozen=True)
class EpochDone(Event):
    """The end of an epoch; `mean_loss` is the mean over its steps."""

    epoch: int
    step: int
    mean_loss: float


@dataclass(frozen=True)
class CheckpointSaved(Event):
    """A LoRA file was written; `final` is the one at the end of the run."""

    path: str
    epoch: int
    step: int
    final: bool = False


@dataclass(frozen=True)
class SampleReady(Event):
    """A sample was generated; `epoch` 0 is the untouched base."""

    path: str
    prompt: str
    seed: int
    epoch: int
    step: int


class BandValidation(TypedDict):
    """Validation in one band of noise. Changes are mean log ratios (nats): -0.1 is a loss that is 10 % lower."""

    val_losses: dict[str, float]
    train_losses: dict[str, float]
    val_change: float
    """Of held-out pictures, against the base."""
    val_change_margin: float | None
    gap: float
    """How much more training images gained; 0.5 is a loss of 60 % of what it would be if they had not been trained on."""
    gap_margin: float | None
    best_epoch: int | None
    """Where the loss on held-out pictures was lowest before this."""
    above_best: float | None
    """How far it has risen since, in nats."""
    above_best_margin: float | None


@dataclass(frozen=True)
class ValidationDone(Event):
    """The loss on pictures that are never trained on, and on as many that are; see `validation`. Epoch 0 is the base.

    Deltas are against the base, negative where the LoRA does better. Each margin is half of a 95 % interval, None where a single picture
    cannot tell. `gap` is how much more the training images gained than the held-out ones: above 0 is memorised.
    """

    epoch: int
    step: int
    val_loss: float
    train_loss: float
    val_loss_delta: float
    val_loss_delta_margin: float | None
    train_loss_delta: float
    train_loss_delta_margin: float | None
    gap: float
    gap_margin: float | None
    val_losses: dict[str, float]
    """The loss of each held-out picture."""
    train_losses: dict[str, float]
    """The loss of each training image that is measured beside them."""
    best_epoch: int | None = None
    """Where `val_loss` was lowest before this."""
    above_best: float | None = None
    """How far `val_loss` has risen since."""
    above_best_margin: float | None = None
    bands: dict[str, BandValidation] = field(default_factory=dict)
    """The same told apart by how much noise there is, from little to much (texture, detail, shape, composition). Empty in old runs."""


@dataclass(frozen=True)
class StateSaved(Event):
    """The run can continue from this step after a kill."""

    step: int


@dataclass(frozen=True)
class Resumed(Event):
    """The run continues from a saved state; events of later steps that stand before this one belong to an earlier attempt."""

    step: int


@dataclass(frozen=True)
class Warned(Event):
    """Something the user should know; the run goes on."""

    message: str
    finding: dict[str, Any] | None = None
    """`Finding.as_data`, with its code, evidence and fix, where there is one."""

    @classmethod
    def of(cls, warning: str | Finding) -> Warned:
        """The event for a sentence, or for a finding with what to do about it."""
        if isinstance(warning, str):
            return cls(warning)
        return cls(str(warning), warning.as_data)


@dataclass(frozen=True)
class Stopped(Event):
    """The run ended before its last step, and `lorasmith resume` continues it."""

    step: int
    reason: str
    """A sentence."""
    code: str = "stopped"
    """`stopped` where somebody asked for it, else the error's code, such as `run.disk_full`."""


@dataclass(frozen=True)
class Finished(Event):
    """The run is complete; `file` is its LoRA, `seconds` the time it trained in all."""

    step: int
    seconds: float
    file: str
    early: str = ""
    """Why it ended before its last step (see `validation.stop_when_over`), in sentences; "" where it did not."""


Listener = Callable[[Event], None]


class Emitter:
    """Hands each event to every listener; one that fails is reported once and gets no more events."""

    def __init__(self, listeners: Iterable[Listener] = ()):
        self.listeners = list(listeners)

    def __call__(self, *events: Event) -> None:
        for event in events:
            for listener in list(self.listeners):
                try:
                    listener(event)
                except Exception:  # a broken display must not take the training with it
                    self.listeners.remove(listener)
                    log.exception("the listener %r failed at %s and gets no more events", listener, type(event).__name__)

    def warn(self, *warnings: str | Finding) -> None:
        """Emit sentences or findings that the user should know."""
        self(*(Warned.of(warning) for warning in warnings))
