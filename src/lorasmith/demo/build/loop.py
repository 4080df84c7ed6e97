"""The loop under each of the demo's trainings: it can be killed and run again, and prints its losses.

Every draw depends on the step's number alone, so a resumed training goes on as if it had not stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch


def cosine_with_warmup(step: int, total: int, warmup: int, floor: float = 0.02) -> float:
    """Factor on the learning rate, 0-1, for the step with this number (from 0)."""
    if step < warmup:
        return (step + 1) / warmup
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))


def run(
    state_file: Path,
    parts: Mapping[str, Any],
    optimizer: torch.optim.Optimizer,
    total: int,
    step: Callable[[int, torch.Generator], dict[str, float]],
    *,
    lr: float,
    warmup: int = 100,
    log_every: int = 50,
    save_every: int = 200,
    leader: bool = True,
    on_save: Callable[[int], None] | None = None,
) -> None:
    """Run `step(number, generator)` from where `state_file` was saved to `total`; it must call `optimizer.step()` itself.

    `parts` are the things with `state_dict` that continue; only a `leader` writes and prints.
    """
    first = 0
    if state_file.exists():
        saved = torch.load(state_file, map_location="cpu", weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        optimizer.load_state_dict(saved["optimizer"])
        first = saved["step"]
    sums: dict[str, float] = {}
    started = time.monotonic()
    for number in range(first, total):
        for group in optimizer.param_groups:
            group["lr"] = lr * cosine_with_warmup(number, total, warmup)
        losses = step(number, torch.Generator().manual_seed(7_000_003 + number))
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + value
        done = number + 1
        if leader and done % log_every == 0:
            words = "  ".join(f"{name} {total_ / log_every:.5f}" for name, total_ in sums.items())
            pace = (time.monotonic() - started) / (done - first)
            print(f"step {done}/{total}  {words}  {pace:.3f} s/step", flush=True)
        if done % log_every == 0:
            sums = {}
        if leader and (done % save_every == 0 or done == total):
            part_file = state_file.with_suffix(".part")
            states = {name: part.state_dict() for name, part in parts.items()}
            torch.save({**states, "optimizer": optimizer.state_dict(), "step": done}, part_file)
            part_file.replace(state_file)
            if on_save is not None:
                on_save(done)
