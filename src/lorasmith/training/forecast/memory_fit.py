"""`training.memory`: the settings with which a run fits the memory that there is, chosen before it starts.

    checked = fit_to_memory(check(settings))

Each choice is tried on the rehearsal of the run (`estimate`), so that nothing is looked up for cards or bases; `memory_means` has the
choices. What is left over for what the rehearsal does not see is a fifth of the activations.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from typing import Any

from lorasmith.findings import Evidence, Finding
from lorasmith.models.device import DEVICES, choose_device
from lorasmith.models.open import missing_parts
from lorasmith.training.forecast.forecast import Memory
from lorasmith.training.forecast.kept_rehearsals import rehearsal_of
from lorasmith.training.forecast.memory import memory_of
from lorasmith.training.forecast.memory_means import Changes, Means, choose, means_of
from lorasmith.training.forecast.rehearsed import Rehearsal
from lorasmith.training.planning.check import CheckedRun
from lorasmith.training.settings.changes import with_changes
from lorasmith.training.settings.checks import check_together
from lorasmith.training.settings.tree import Settings

UNSEEN = 1.2
"""Activations measured over those of the rehearsal, at the most that was seen (docs/guide/performance.md)."""


def fit_to_memory(checked: CheckedRun) -> CheckedRun:
    """The run with what it takes to fit its device, where `training.memory` asks for that; the finding about it says what was chosen and why.

    A base that lacks parts is left as it is.
    """
    wanted = checked.settings.training.memory
    if wanted == "off" or missing_parts(checked.description):
        return checked
    device = choose_device(checked.settings.training.device)
    free = DEVICES[device].free_bytes() if wanted == "auto" else int(float(wanted) * 1e9)
    return fit_to(checked, device, free)


def fit_to(checked: CheckedRun, device: str, free: int) -> CheckedRun:
    """The run with what it takes to fit `free` bytes of a device."""
    rehearsals = _Rehearsals(checked)
    before = rehearsals.memory({}, device)
    means = _means(checked, rehearsals, device)
    chosen = choose(lambda changes: room_for(rehearsals.memory(changes, device)), means, free)
    after = rehearsals.memory(chosen, device)
    settings = with_changes(checked.settings, chosen)
    finding = _finding(means, chosen, (before, after), free)
    return replace(checked, settings=settings, of_settings=(*_others(checked, settings), finding))


def room_for(memory: Memory) -> int:
    """Bytes that a run with this forecast should find."""
    return max(int(sum(shares.values()) + (UNSEEN - 1) * shares.get("activations", 0)) for shares in memory.phases.values())


class _Rehearsals:
    """The memory of a run with some changes; one rehearsal serves all changes that do not alter what is computed."""

    def __init__(self, checked: CheckedRun):
        self._checked = checked
        self._rehearsed = cache(self._rehearse)

    def memory(self, changes: Changes, device: str) -> Memory:
        settings = with_changes(self._checked.settings, changes)
        return memory_of(replace(self._checked, settings=settings), self.of(settings), device)

    def of(self, settings: Settings) -> Rehearsal:
        return self._rehearsed(settings.training.mixed_precision, settings.training.gradient_checkpointing)

    def _rehearse(self, mixed_precision: str, gradient_checkpointing: bool) -> Rehearsal:
        changes = {"training.mixed_precision": mixed_precision, "training.gradient_checkpointing": gradient_checkpointing}
        return rehearsal_of(with_changes(self._checked.settings, changes), self._checked.description, self._checked.training_set)


def _means(checked: CheckedRun, rehearsals: _Rehearsals, device: str) -> list[Means]:
    rehearsal = rehearsals.of(checked.settings)
    denoiser, kind = checked.description.denoiser, DEVICES[device]
    return means_of(
        checked.settings,
        trains_texts=rehearsal.carriers != (denoiser,),
        bf16=kind.has_bf16(),
        eight_bit=device == "cuda" and find_spec("bitsandbytes") is not None,
        fp8_file=checked.description.parts[denoiser].dtype in ("fp8", "scaled fp8"),
        graphs=kind.graphs,
        blocks=len(rehearsal.parts[denoiser].blocks) if kind.own_memory else 0,
    )


def _others(checked: CheckedRun, settings: Settings) -> list[Finding]:
    """The findings about settings, those of the changed ones in the place of those before."""
    before = check_together(checked.settings)
    return [*check_together(settings), *(finding for finding in checked.of_settings if finding not in before)]


def _finding(means: list[Means], chosen: dict[str, Any], memory: tuple[Memory, Memory], free: int) -> Finding:
    before, after = (room_for(each) for each in memory)
    start = f"training.memory has {_gb(free)}, and the run would take {_gb(before)} with room to spare"
    does = {one.setting: one.does for one in means}
    why = "; ".join(f"{name} = {_toml(value)} ({does[name]})" for name, value in chosen.items())
    if not chosen and before <= free:
        message = f"{start}: nothing is needed to save memory."
    elif after <= free:
        message = f"{start}. So it has {_gb(after)} at most, while {memory[1].peak_phase}, with {why}."
    else:
        message = f"{start}; it still takes {_gb(after)}, while {memory[1].peak_phase}{f', with {why}' if why else ''}."
        message += " Lower buckets.resolution or training.batch_size, sample smaller pictures, or take out settings that save less than they could."
    return Finding(
        code="plan.memory", severity="note" if after <= free else "warning", about="setting", subjects=("training.memory", *chosen),
        message=message, evidence=Evidence(after / 1e9, "GB"),
    )  # fmt: skip


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
