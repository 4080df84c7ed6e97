"""What is said of checkpoints that no proof can judge: one number that is not finite makes every picture black."""

from __future__ import annotations

from collections.abc import Mapping

from lorasmith.findings import Finding, Fix


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
