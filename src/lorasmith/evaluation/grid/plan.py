"""A grid before it is generated: its sides, its cells, and which of them are missing."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lorasmith.errors import SettingsError
from lorasmith.evaluation.grid.axes import Along, AxisText, Value, cell_of, read_axis
from lorasmith.evaluation.grid.cells import CellPlanner, PlannedCell
from lorasmith.evaluation.grid.subject import Cell, Subject, subject_of
from lorasmith.findings import Finding
from lorasmith.models.device import Device, choose_device
from lorasmith.models.prompts.lines import read_line
from lorasmith.models.prompts.syntax import prompt_findings
from lorasmith.models.samplers import sampler_key
from lorasmith.models.settings import OpenOptions

Place = tuple[int, int, int]
"""Where a cell is along x, y and z."""
MOST_CELLS = 10_000
"""Of one grid; more is a slip of the pen."""
ONE = Value(None, "")
"""The only value along a side without an axis."""


@dataclass(frozen=True)
class GridPlan:
    """A grid before it is generated: its sides and its cells."""

    subject: Subject
    sides: tuple[Along | None, Along | None, Along | None]
    """Along x, y and z."""
    cells: dict[Place, PlannedCell]
    folder: Path
    name: str
    """Of the sheet and the page in `folder`."""
    findings: tuple[Finding, ...] = ()

    def labels(self, side: int) -> list[str]:
        """What is said along a side; one empty label where there is no axis."""
        along = self.sides[side]
        return [value.label for value in along.values] if along else [""]

    @property
    def missing(self) -> list[PlannedCell]:
        """The cells to generate, each once."""
        return list({cell.file: cell for cell in self.cells.values() if not cell.is_there}.values())

    @property
    def as_data(self) -> dict[str, Any]:
        """For `--json`."""
        labels = [self.labels(side) for side in range(3)]
        return {
            "axes": {name: along and along.key for name, along in zip("xyz", self.sides, strict=True)},
            "cells": [
                {
                    **{name: labels[side][place[side]] for side, name in enumerate("xyz")}, "file": str(cell.file), "there": cell.is_there,
                    "prompt": cell.drawing.written, "seed": cell.drawing.request.seed,
                }
                for place, cell in self.cells.items()
            ],
            "findings": [finding.as_data for finding in self.findings],
        }  # fmt: skip


def plan_grid(
    target: str | Path | None = None, *, x: AxisText | None = None, y: AxisText | None = None, z: AxisText | None = None,
    base: str | Path | None = None, prompt: str | None = None, lora_folder: str | Path | None = None, strength: float = 1.0,
    out: str | Path | None = None, name: str = "", precision: str | None = None, device: Device = "auto",
    open_options: OpenOptions | None = None, **request: Any,
) -> GridPlan:  # fmt: skip
    """What `grid` would generate; weights are not read.

    Raises InputError where it cannot be generated.
    """
    subject = _with_request(subject_of(target, base, lora_folder, open_options), prompt, strength, request)
    sides = tuple(None if said is None else read_axis(said, subject) for said in (x, y, z))
    if not any(sides):
        raise SettingsError("A grid varies something. Give --x, such as checkpoints or seed=1..4.", code="grid.no_axis")
    if (many := math.prod(len(along.values) for along in sides if along)) > MOST_CELLS:
        raise SettingsError(
            f"The grid has {many:,} cells, and {MOST_CELLS:,} are the most for one sheet. Vary less.",
            code="grid.too_many_cells",
            cells=many,
        )
    folder = subject.home if out is None else Path(out)
    planner = CellPlanner(subject, folder / "cells", precision or ("fp32" if choose_device(device) == "cpu" else "bf16"))
    every = [along.values if along else (ONE,) for along in sides]
    cells = {
        (i, j, k): planner.plan(_cell(subject, sides, (one, two, three)))
        for k, three in enumerate(every[2])
        for j, two in enumerate(every[1])
        for i, one in enumerate(every[0])
    }
    _refuse_without_effect(sides, cells)
    name = name or _name_of(sides, cells)
    findings = [
        finding
        for source in dict.fromkeys(cell.base for cell in cells.values())
        for finding in prompt_findings(
            [cell.drawing.request.prompt for cell in cells.values() if cell.base == source], planner.base(source).description.family
        )
    ]
    return GridPlan(subject, (sides[0], sides[1], sides[2]), cells, folder, name, tuple(findings))


def _name_of(sides: Sequence[Along | None], cells: Mapping[Place, PlannedCell]) -> str:
    """After the axes and what is in the cells, so that another grid with the same axes does not replace this one's sheet."""
    axes = "-".join(along.key.replace("_", "-") for along in sides if along)
    content = hashlib.sha256(" ".join(cell.file.name for cell in cells.values()).encode()).hexdigest()
    return f"{axes}-{content[:6]}"


def _refuse_without_effect(sides: Sequence[Along | None], cells: Mapping[Place, PlannedCell]) -> None:
    """Raises SettingsError where an axis changes no cell."""
    for side, along in enumerate(sides):
        if along is None or len(along.values) == 1:
            continue
        first = {place: cells[(*place[:side], 0, *place[side + 1 :])].file for place in cells}  # type: ignore[index]
        if all(cell.file == first[place] for place, cell in cells.items()):
            why = "No LoRA is given or called." if along.key == "weight" else "The pictures would all be the same."
            raise SettingsError(f"The axis {along.key} changes nothing here. {why}", code="grid.axis_without_effect", axis=along.key)


def _cell(subject: Subject, sides: Sequence[Along | None], values: Sequence[Value]) -> Cell:
    return cell_of(subject.start, [(along.key, value) for along, value in zip(sides, values, strict=True) if along])


def _with_request(subject: Subject, prompt: str | None, strength: float, given: dict[str, Any]) -> Subject:
    """The subject whose cells begin with what was given."""
    settings = {name: value for name, value in given.items() if value is not None}
    if "sampler" in settings:
        settings["sampler"] = sampler_key(settings["sampler"])
    request = subject.start.request if prompt is None else read_line(prompt).request(replace(subject.start.request, negative_prompt=""))
    start = replace(
        subject.start, request=replace(request, **settings), loras=tuple(replace(use, text_encoder=strength, denoiser=strength) for use in subject.start.loras)
    )  # fmt: skip
    return replace(subject, start=start, prompts=tuple(replace(one, **settings) for one in subject.prompts))
