"""The LoRA files that a proof compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lorasmith.evaluation.measures.measured import Measure
from lorasmith.evaluation.run_record import RunRecord


@dataclass(frozen=True)
class Checkpoint:
    """A LoRA at a weight; `name` is its path in the run's folder or, without a run, the file's name."""

    path: Path
    name: str
    epoch: int = 0
    step: int = 0
    weight: float = 1.0


def checkpoints_of(run: RunRecord) -> list[Checkpoint]:
    """The checkpoints of a run whose files are still there, by rising step; one where two files are of the same step."""
    found = {
        event.step: Checkpoint(run.folder.root / event.path, event.path, event.epoch, event.step)
        for event in run.checkpoints
        if (run.folder.root / event.path).is_file()
    }
    return list(found.values())


def likeliest(checkpoints: Sequence[Checkpoint], losses: Sequence[Mapping[str, Measure]], most: int | None) -> list[Checkpoint]:
    """The checkpoints that are worth drawing, `most` of them, in their order.

    The last one, and those whose loss where noise decides the composition is the lowest, on held-out pictures or, where there are none, on
    training pictures. Of all losses this band picks least badly; it is not trusted with more than this.
    """
    if most is None or len(checkpoints) <= most:
        return list(checkpoints)

    def loss(number: int) -> float:
        known = losses[number]
        return (known.get("held_out_loss_composition") or known["trained_loss_composition"]).value

    last = len(checkpoints) - 1
    chosen = {last, *sorted(range(last), key=loss)[: most - 1]}
    return [checkpoint for number, checkpoint in enumerate(checkpoints) if number in chosen]
