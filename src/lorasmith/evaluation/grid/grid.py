"""Pictures that differ in one, two or three things, side by side.

    lorasmith grid runs/zorvex --x checkpoints --y 0.5..1.0:0.1

Bases are opened once, LoRAs are read once and switched; cells that are there already are not generated again, so a grid that was stopped
goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorasmith.evaluation.grid.axes import AxisText
from lorasmith.evaluation.grid.cells import PlannedCell
from lorasmith.evaluation.grid.page import write_grid_page
from lorasmith.evaluation.grid.plan import GridPlan, plan_grid
from lorasmith.evaluation.grid.record import record_of, write_record
from lorasmith.evaluation.grid.sheet import write_sheet
from lorasmith.evaluation.sampling.sample import open_session
from lorasmith.models.device import Device
from lorasmith.models.settings import OpenOptions

Progress = Callable[[int, int], None]
AT_ONCE = 4
"""Cells of one batch: after each, a grid can be stopped."""


@dataclass(frozen=True)
class GridResult:
    """A grid that was generated; without sheet, page and record where it was stopped before the end."""

    plan: GridPlan
    generated: int
    reused: int
    sheet: Path | None = None
    page: Path | None = None
    record: Path | None = None
    """Labels and files of its cells, as `GridRecord`."""
    notes: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether all cells are there."""
        return self.page is not None

    @property
    def as_data(self) -> dict[str, Any]:
        """For `--json`."""
        done = {"generated": self.generated, "reused": self.reused, "finished": self.finished, "notes": list(self.notes)}
        written = {"sheet": self.sheet, "page": self.page, "record": self.record}
        return {**done, **{name: file and str(file) for name, file in written.items()}, **self.plan.as_data}


def generate_grid(
    plan: GridPlan, precision: str | None = None, device: Device = "auto", format: str = "png", progress: Progress = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> GridResult:  # fmt: skip
    """Generate what is missing of a planned grid, then write its sheet, its page and its record."""
    missing = plan.missing
    (plan.folder / "cells").mkdir(parents=True, exist_ok=True)
    done = _generate(plan, missing, precision, device, progress, cancelled)
    reused = len({cell.file for cell in plan.cells.values()}) - len(missing)
    if done < len(missing):
        return GridResult(plan, done, reused)
    sheet, notes = write_sheet(plan, plan.folder / f"{plan.name}.{format}")
    page = write_grid_page(plan, plan.folder / f"{plan.name}.html")
    return GridResult(plan, done, reused, sheet, page, write_record(record_of(plan), plan.folder / f"{plan.name}.json"), notes)


def _generate(
    plan: GridPlan, missing: Sequence[PlannedCell], precision: str | None, device: Device, progress: Progress, cancelled: Callable[[], bool]
) -> int:
    """Generate cells base by base; returns how many were done before the end, or before it was cancelled."""
    done = 0
    progress(done, len(missing))
    for base in dict.fromkeys(cell.base for cell in missing):
        if cancelled():
            return done
        of_base = [cell for cell in missing if cell.base == base]
        options = plan.subject.open_options if base == plan.subject.start.base else {}
        session = open_session(base, plan.subject.lora_folder, precision, device, options)
        for place, made in session.generate([cell.drawing for cell in of_base], AT_ONCE):
            made.save(of_base[place].file)
            done += 1
            progress(done, len(missing))
            if cancelled():
                return done
    return done


def grid(
    target: str | Path | None = None, *, x: AxisText | None = None, y: AxisText | None = None, z: AxisText | None = None,
    base: str | Path | None = None, prompt: str | None = None, lora_folder: str | Path | None = None, strength: float = 1.0,
    out: str | Path | None = None, name: str = "", format: str = "png", precision: str | None = None, device: Device = "auto",
    open_options: OpenOptions | None = None, progress: Progress = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False, **request: Any,
) -> GridResult:  # fmt: skip
    """Generate pictures that differ along one to three axes, as a labelled sheet and a page.

    Parameters
    ----------
    target
        A run's folder, a LoRA file, or None for a base alone.
    x, y, z
        An axis with its values: "checkpoints", "weight=0.5..1.0:0.1", A1111's "Prompt S/R: red, blue", or ("seed", [1, 2]).
        `lorasmith.evaluation.grid.axes.AXES` has all.
    base
        A file, a diffusers folder or a hub id. None: the run's.
    prompt
        With flags and LoRAs as `sample` reads them. None: the first of the run's sample prompts.
    lora_folder
        Where LoRAs that the prompt calls are. None: the run's checkpoints.
    strength
        Of the run's LoRA, or of the file.
    out
        Folder for the sheet, the page and the cells. None: `grids` in the run's folder, else in this one.
    name
        Of the sheet and the page. Empty: after the axes.
    format
        Of the sheet: png or webp.
    precision, device
        As in `sample`.
    open_options
        How `base` is opened, where the run does not say it: options of `open_base`, such as `vae`.
    progress, cancelled
        Called after each picture: `progress(done, total)`; `cancelled()` ends the work, which the next call continues.
    request
        Fields of a picture: seed, width, height, sampler, steps, cfg_scale, guidance, negative_prompt, clip_skip.

    Raises
    ------
    InputError
        An axis or a value is unknown, or a cell cannot be generated.

    Examples
    --------
    >>> result = ls.grid("runs/my-lora", x="checkpoints", y="weight=0, 1", prompt="zorvex", steps=1, out="grids", name="weights")
    >>> print(result.sheet, result.page, len(result.plan.cells))
    grids/weights.png grids/weights.html 2
    """
    plan = plan_grid(
        target, x=x, y=y, z=z, base=base, prompt=prompt, lora_folder=lora_folder, strength=strength, out=out, name=name,
        precision=precision, device=device, open_options=open_options, **request,
    )  # fmt: skip
    return generate_grid(plan, precision, device, format, progress, cancelled)
