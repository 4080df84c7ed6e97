"""`training.memory`: the settings with which a run fits the memory that there is, chosen before it starts.

    checked = fit_to_memory(check(settings))

Each choice is tried on the rehearsal of the run (`estimate`), so that nothing is looked up for cards or bases; `memory_means` has the
choices. What is left over for what the rehearsal does not see is a fifth of the activations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from typing import Any

from lorasmith.findings import Evidence, Finding
from lorasmith.models.description import Description
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
CARDS = (4, 6, 8, 10, 11, 12, 16, 20, 24, 32, 40, 48, 80, 96, 141)
"""Gigabytes of the cards that people have."""


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
    fit = _fit(checked, device, free)
    settings = with_changes(checked.settings, fit.chosen)
    title = checked.description.record.title
    instead = [] if fit.fits else [f"{title} {variant}" for variant in _variants_that_fit(checked, device, free)]
    return replace(checked, settings=settings, of_settings=(*_others(checked, settings), _finding(fit, instead)))


@dataclass(frozen=True)
class _Fit:
    """What was chosen for some bytes of a device."""

    free: int
    means: list[Means]
    chosen: dict[str, Any]
    before: Memory
    after: Memory

    @property
    def fits(self) -> bool:
        return room_for(self.after) <= self.free


def _fit(checked: CheckedRun, device: str, free: int) -> _Fit:
    rehearsals = _Rehearsals(checked)
    means = _means(checked, rehearsals, device)
    chosen = choose(lambda changes: room_for(rehearsals.memory(changes, device)), means, free)
    return _Fit(free, means, chosen, rehearsals.memory({}, device), rehearsals.memory(chosen, device))


def _variants_that_fit(checked: CheckedRun, device: str, free: int) -> Iterator[str]:
    """The variants of the base's family, of other sizes than the base, with which the same run fits."""
    for variant in _other_sizes(checked.description):
        if _fit(replace(checked, description=_as_variant(checked.description, variant)), device, free).fits:
            yield variant


def _other_sizes(description: Description) -> list[str]:
    """A variant of each other size that the base's family is published in; none where the base has a size that nobody published."""
    own, published = description.parts[description.denoiser].config.settings, dict[str, Mapping[str, Any]]()
    for variant, form in description.record.variants.items():
        settings = form.parts[description.denoiser].settings
        if settings not in published.values():
            published[variant] = settings
    others = [variant for variant, settings in published.items() if any(own.get(name, value) != value for name, value in settings.items())]
    return others if len(others) < len(published) else []


def _as_variant(description: Description, variant: str) -> Description:
    """The description with the sizes of another variant of its family."""
    sizes = description.record.variants[variant].parts
    return replace(
        description, variant=variant, parts={name: replace(place, config=sizes[name]) for name, place in description.parts.items()}
    )


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


def _finding(fit: _Fit, instead: Sequence[str]) -> Finding:
    before, after = room_for(fit.before), room_for(fit.after)
    start = f"training.memory has {_gb(fit.free)}, and the run would take {_gb(before)} with room to spare"
    does = {one.setting: one.does for one in fit.means}
    why = "; ".join(f"{name} = {_toml(value)} ({does[name]})" for name, value in fit.chosen.items())
    if not fit.chosen and fit.fits:
        message = f"{start}: nothing is needed to save memory."
    elif fit.fits:
        message = f"{start}. So it has {_gb(after)} at most, while {fit.after.peak_phase}, with {why}."
    else:
        message = f"{start}; it still takes {_gb(after)}, while {fit.after.peak_phase}{f', with {why}' if why else ''}. {_what_fits(after, instead)}"
        message += " Lower buckets.resolution or training.batch_size, sample smaller pictures, or take out settings that save less than they could."
    return Finding(
        code="plan.memory", severity="note" if fit.fits else "warning", about="setting", subjects=("training.memory", *fit.chosen),
        message=message, evidence=Evidence(after / 1e9, "GB"),
    )  # fmt: skip


def _what_fits(need: int, instead: Sequence[str]) -> str:
    """The smallest card that has room for `need` bytes, and the bases that fit the card that there is."""
    card = next((size for size in CARDS if need <= size * 1e9), None)
    enough = f"A card of {card} GB is the smallest that has room for it." if card else "No card has room for it."
    return f"{enough} {' or '.join(instead)} fits this one." if instead else enough


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
