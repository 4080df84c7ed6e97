"""Checkpoints that no proof can judge: one number that is not finite makes every picture black."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lorasmith.adapters.files.lora_file import load_tensors
from lorasmith.errors import InputError
from lorasmith.evaluation.proof.checkpoints import Checkpoint
from lorasmith.findings import Finding, Fix


def without_damaged(checkpoints: Sequence[Checkpoint]) -> tuple[list[Checkpoint], dict[str, str]]:
    """Those that can be drawn with; and of the others, by name, the first tensor with a number that is not finite.

    Raises InputError where none can.
    """
    damage = {checkpoint: found for checkpoint in checkpoints if (found := _not_finite_in(checkpoint.path)) is not None}
    sound = [checkpoint for checkpoint in checkpoints if checkpoint not in damage]
    if not sound:
        first, *others = damage
        more = f" So have the other {len(others)}." if others else ""
        raise InputError(
            f"{first.path} has numbers that are not finite ({damage[first]}), so it can draw nothing.{more} Train it again at a lower "
            "learning rate, or prove another file.",
            code="proof.not_finite", path=str(first.path),
        )  # fmt: skip
    return sound, {checkpoint.name: tensor for checkpoint, tensor in damage.items()}


def left_out_findings(left_out: Mapping[str, str]) -> tuple[Finding, ...]:
    """What is said of each checkpoint that was left out, by its name and its first tensor with a number that is not finite."""
    return tuple(
        Finding(
            "proof.not_finite", "warning", about="file", subjects=(name,),
            message=f"{name} has numbers that are not finite ({tensor}), so it is not judged.",
            why="The training went wrong, or the file is damaged.", fix=Fix("Use another checkpoint, and lower the learning rate."),
        )
        for name, tensor in left_out.items()
    )  # fmt: skip


def _not_finite_in(file: Path) -> str | None:
    """The first tensor of a LoRA file with a number that is not finite; None where all are."""
    tensors = load_tensors(file).tensors.items()
    return next((name for name, tensor in tensors if tensor.is_floating_point() and not tensor.float().isfinite().all()), None)
