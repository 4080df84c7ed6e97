"""Generate pictures side by side, as a labelled sheet and a page. Cells that are there are kept, so it goes on where it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from lorasmith.jobs.kind import Arguments, Kind
from lorasmith.jobs.kinds.options import DEVICE, PRECISION, BaseFiles, BaseSource, Precision
from lorasmith.jobs.work import StoppedEarly, Work
from lorasmith.models.device import Device
from lorasmith.models.samplers import SamplerName

_AXIS = "An axis with its values: checkpoints, 0.5..1.0:0.1, seed=1..4, 'sr: red, blue'."


class GridArguments(Arguments):
    """What `lorasmith grid` is given."""

    reads: ClassVar[tuple[str, ...]] = ("target", "base", "lora_folder", "base_files")

    target: Path | None = Field(None, description="Folder of a run, or a LoRA file. Empty: the base alone.")
    x: str | None = Field(None, description=_AXIS)
    y: str | None = Field(None, description="The same, downwards.")
    z: str | None = Field(None, description="The same, one block below the other.")
    base: BaseSource | None = Field(None, description="Base model: a file, a diffusers folder, or a hub id. Empty: the run's.")
    prompt: str | None = Field(None, description="Empty: the first of the run's sample prompts.")
    negative_prompt: str | None = Field(None, description="What should not be in the pictures.")
    lora_folder: Path | None = Field(None, description="Folder of the LoRAs that the prompt calls. Empty: the run's checkpoints.")
    strength: float = Field(1.0, description="Of the run's LoRA, or of the file; 1 as trained.")
    seed: int | None = Field(None, ge=0, description="Empty: that of the run's samples.")
    sampler: SamplerName | None = Field(None, description="Empty: as in the run, or as usual for the base.")
    steps: int | None = Field(None, ge=1, description="Denoising steps. Empty: as in the run, or as usual for the base.")
    cfg_scale: float | None = Field(None, ge=1, description="Guidance. Empty: as in the run, or as usual for the base.")
    width: int | None = Field(None, ge=1, description="In pixels. Empty: as in the run, or the base's native size.")
    height: int | None = Field(None, ge=1, description="In pixels. Empty: as in the run, or the base's native size.")
    clip_skip: int | None = Field(None, ge=1, description="Empty: as in the run, or 1.")
    out: Path | None = Field(None, description="Folder for sheet, page and cells. Empty: grids in the run's folder, or in the workspace.")
    name: str = Field("", description="Of the sheet and the page. Empty: after the axes.")
    format: Literal["png", "webp"] = Field("png", description="Of the sheet.")
    base_files: BaseFiles = Field(BaseFiles(), description="Other files that the base needs.")
    precision: Precision | None = PRECISION
    device: Device = DEVICE


def run(arguments: GridArguments, work: Work) -> dict[str, Any]:
    """Plan the grid, generate what is missing, write sheet, page and record."""
    from lorasmith.evaluation.grid.grid import generate_grid
    from lorasmith.evaluation.grid.plan import plan_grid

    options = arguments.base_files.model_dump(exclude={"allow_pickle"})
    given = arguments.model_dump(exclude={"format", "base_files"})
    plan = plan_grid(**given, open_options=options)  # type: ignore[arg-type]
    for finding in plan.findings:
        work.say(str(finding))
    made = generate_grid(
        plan, arguments.precision, arguments.device, arguments.format, work.progress("generating", "picture"), work.cancelled
    )
    if made.sheet is None:
        raise StoppedEarly
    for note in made.notes:
        work.say(note)
    return {"sheet": str(made.sheet), "page": str(made.page), "record": str(made.record)}


KIND = Kind("Generate a grid", GridArguments, run, needs="accelerator")
