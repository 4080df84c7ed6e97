"""What to do when a run is out of memory: the next means that it has left, in one sentence."""

from __future__ import annotations

from pathlib import Path

from lorasmith.command_line import quoted
from lorasmith.errors import RunError
from lorasmith.models.device import DEVICES
from lorasmith.training.forecast.memory_means import means_of
from lorasmith.training.settings.changes import Change
from lorasmith.training.settings.tree import Settings

BLOCKS = 10
"""Blocks to begin swapping with."""


def out_of_memory(settings: Settings, device: str, step: int, run: Path) -> RunError:
    """The error of a run that got no more memory after `step` steps."""
    kind = DEVICES[device]
    left = means_of(
        settings, trains_texts=settings.lr_of("text_encoder") > 0, bf16=kind.has_bf16(), eight_bit=False, fp8_file=False,
        graphs=False, blocks=BLOCKS if kind.own_memory else 0,
    )  # fmt: skip
    if step:  # caching is over
        left = [means for means in left if means.setting != "training.offload_while_caching"]
    when = f"after step {step}. What was saved before is whole" if step else "before the first step"
    where = "The GPU" if kind.own_memory else "The computer"
    possible = [means for means in left if Change(means.setting, None, means.values[0]).is_possible] if step else []
    if not left:
        advice = "Lower training.batch_size or buckets.resolution, and start a new run."
    else:
        means = (possible or left)[0]
        value = means.values[-1] if means.setting == "training.blocks_to_swap" else means.values[0]
        shown = str(value).lower() if isinstance(value, bool) else value
        advice = f"Set {means.setting} to {shown} ({means.does}), or in a new run training.memory to auto, and "
        advice += f"continue with: lorasmith resume {quoted(run)} --set {means.setting}={shown}" if possible else "start a new run."
    return RunError(f"{where} ran out of memory {when}. {advice}", code="run.out_of_memory", path=str(run), step=step)
