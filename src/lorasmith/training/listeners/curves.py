"""The numbers of a run as named curves, for programs that plot them: TensorBoard, Weights & Biases.

Names are `group/curve`, since both programs group by what comes before the slash.
"""

from __future__ import annotations

from lorasmith.training.events import EpochDone, Event, Listener, StepDone, ValidationDone


def numbers_of(event: Event) -> dict[str, float]:
    """What an event adds to the curves at its step; nothing for events without numbers."""
    match event:
        case StepDone():
            return {name: float(number) for name, number in _of_step(event).items() if number is not None}
        case EpochDone():
            return {"loss/epoch": event.mean_loss}
        case ValidationDone():
            return {name: number for name, number in _of_validation(event).items() if number is not None}
        case _:
            return {}


def _of_step(event: StepDone) -> dict[str, float | None]:
    return {
        "loss/step": event.loss,
        "loss/smoothed": event.loss_smoothed,
        **{f"timesteps/{band}": loss for band, loss in event.loss_by_timestep.items()},
        **{f"lr/{group}": rate * event.d.get(group, 1.0) for group, rate in event.lr.items()},
        **{f"d/{group}": d for group, d in event.d.items()},
        "norm/gradient": event.grad_norm,
        "norm/weights": event.weight_norm,
        "norm/largest_layer": max(event.largest_layers.values(), default=None),
        "speed/images_per_second": event.images_per_second,
        "speed/step_seconds": event.seconds,
        "memory/process_mb": None if event.memory_bytes is None else event.memory_bytes / 1e6,
        "memory/gpu_mb": None if event.gpu_memory_bytes is None else event.gpu_memory_bytes / 1e6,
    }


def _of_validation(event: ValidationDone) -> dict[str, float | None]:
    found: dict[str, float | None] = {"validation/val_loss": event.val_loss, "validation/train_loss": event.train_loss}
    estimates = {
        "val_loss_delta": (event.val_loss_delta, event.val_loss_delta_margin),
        "train_loss_delta": (event.train_loss_delta, event.train_loss_delta_margin),
        "gap": (event.gap, event.gap_margin),
        **{f"{band}_val_change": (of["val_change"], of["val_change_margin"]) for band, of in event.bands.items()},
        **{f"{band}_gap": (of["gap"], of["gap_margin"]) for band, of in event.bands.items()},
    }
    for name, (number, margin) in estimates.items():
        found[f"validation/{name}"] = number
        if margin is not None:
            found |= {f"validation/{name}_low": number - margin, f"validation/{name}_high": number + margin}
    return found


class EveryNth:
    """Passes the first and every `n`-th step on to a listener, and every other event."""

    def __init__(self, listener: Listener, n: int):
        self._listener, self._n = listener, n
        self._first = True

    def __call__(self, event: Event) -> None:
        if isinstance(event, StepDone):
            if event.step % self._n and not self._first:
                return
            self._first = False
        self._listener(event)
