"""Try several settings and say which to use: a sweep, whose trials are trainings in the same queue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, model_validator

from lorasmith.errors import about_setting
from lorasmith.jobs.kind import Kind
from lorasmith.jobs.kinds.options import OverRay
from lorasmith.jobs.work import StoppedEarly, Work
from lorasmith.models.files.hub import is_elsewhere

if TYPE_CHECKING:
    from lorasmith.jobs.sweep.sweep_file import Sweep


class SweepArguments(OverRay):
    """What `lorasmith sweep` is given: a sweep's file, what such a file says, the folder of a sweep, or settings for the ladder."""

    reads: ClassVar[tuple[str, ...]] = ("file", "ladder")

    file: Path | None = Field(None, description="File of a sweep (TOML), or the folder of one that is to go on.")
    sweep: dict[str, Any] | None = Field(None, description="What such a file says.")
    ladder: Path | None = Field(None, description="Settings file (TOML): three rates by two ranks, then the winner in full.")
    out: Path | None = Field(None, description="The sweep's folder. Empty: runs/NAME.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(given is not None for given in (self.file, self.sweep, self.ladder)) != 1:
            raise ValueError("one of file, sweep, ladder must be given")
        return self

    def read_sweep(self, workspace: Path = Path()) -> Sweep:
        """The sweep. Raises SettingsError where it cannot be used."""
        from lorasmith.jobs.sweep.ladder import ladder
        from lorasmith.jobs.sweep.sweep_file import load_sweep, sweep_from
        from lorasmith.jobs.sweep.sweep_folder import sweep_in

        if self.file is not None:
            return sweep_in(workspace / self.file) if (workspace / self.file).is_dir() else load_sweep(self.file, workspace)
        return ladder(self.ladder, workspace) if self.ladder is not None else sweep_from(self.sweep or {}, workspace=workspace)

    def check_can_begin(self, workspace: Path) -> None:
        """Whether every trial could begin now. Raises InputError where one could not; it names the trial and the setting."""
        from lorasmith.jobs.sweep.sweep import check_sweep
        from lorasmith.jobs.sweep.sweep_folder import SweepFolder

        super().check_can_begin(workspace)
        wanted = self.read_sweep(workspace)
        if self.file is None or not (workspace / self.file).is_dir():
            with about_setting("out"):
                SweepFolder.of(wanted, workspace / (self.out or Path("runs") / wanted.name))
        if not is_elsewhere(wanted.settings.base.path):  # it would have to be downloaded to be looked at
            check_sweep(wanted, workspace)


def run(arguments: SweepArguments, work: Work) -> dict[str, Any]:
    """Sweep; the outcome names the page, and the recommended run and file."""
    from lorasmith.jobs.sweep.sweep import sweep

    what = arguments.file if arguments.file is not None and arguments.file.is_dir() else arguments.read_sweep()
    swept = sweep(
        what, arguments.out, progress=work.progress("sweeping", "trial"), say=work.say, cancelled=work.cancelled, ray=arguments.ray,
        job=work.job,
    )  # fmt: skip
    if not swept.complete:
        raise StoppedEarly
    best = swept.recommended
    return {
        "sweep": str(swept.folder), "page": str(swept.page), "verdict": list(swept.sentences),
        "run": None if best is None else str(best.folder), "file": None if best is None or best.file is None else str(best.file),
    }  # fmt: skip


KIND = Kind("Try several settings", SweepArguments, run)
