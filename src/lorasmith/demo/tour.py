"""The demo: a dataset of a held-out creature, a LoRA of it, the verdict, the truth that only a made world knows, the report."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from lorasmith.command_line import quoted
from lorasmith.demo.datasets import write_dataset, write_held_out
from lorasmith.demo.proof import Proof, prove, write_proof
from lorasmith.demo.recipes import EPOCHS, recipe
from lorasmith.demo.weights import BASE
from lorasmith.errors import SettingsError
from lorasmith.evaluation.grid.contact_sheet import sheet
from lorasmith.evaluation.prove import prove as judge
from lorasmith.evaluation.report import write_report
from lorasmith.evaluation.verdict.verdict import Verdict
from lorasmith.models.open import open_base
from lorasmith.training.commands import Commands
from lorasmith.training.events import Listener, PhaseStarted
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.run import RunResult, resume, train

CHARACTER = "zorvex"
SAMPLING_STEPS = 15


@dataclass(frozen=True)
class TourResult:
    """Paths of what the demo made, and its proof."""

    file: Path
    report: Path
    proof: Proof
    """What is true: whether the tagger sees what was asked for."""
    verdict: Verdict
    """What Lorasmith says without knowing that."""


def tour(
    out: Path, samples: int, listeners: Iterable[Listener] = (), commands: Commands | None = None, *, force: bool = False
) -> TourResult | None:
    """Train and measure in `out`; None where it was stopped.

    An earlier demo's run is kept: where it is finished it is only measured, otherwise it is continued. With `force` it is removed.

    Raises SettingsError where `out` holds something that no demo made.
    """
    listeners = list(listeners)
    run_folder = out / f"run-{CHARACTER}"
    _refuse_what_no_demo_made(run_folder)
    if force and run_folder.exists():
        shutil.rmtree(run_folder)
    result = _trained(out, run_folder, listeners, commands)
    if result.file is None or not result.finished:
        write_report(run_folder)
        return None
    before_after(run_folder).save(out / "before-after.png")

    def report(sentence: str) -> None:
        for listener in listeners:
            listener(PhaseStarted("proof", sentence))

    base = open_base(BASE, torch.float32)
    report("generating pictures of the likeliest checkpoints, to say which is best")
    proven = judge(run_folder, effort="quick", weights=(), base=base, cancelled=lambda: commands is not None and commands.stopping)
    proof = prove(base, "character", CHARACTER, result.file, samples, SAMPLING_STEPS, report)
    write_proof(run_folder, proof, f"lorasmith demo run --out {quoted(out.resolve().name)} --samples {samples}")
    return TourResult(result.file, write_report(run_folder), proof, proven.verdict)


def before_after(run_folder: Path) -> Image.Image:
    """The first samples of a run above its last."""
    files = sorted((run_folder / "samples").glob("*.png"))
    count = len([f for f in files if f.name.startswith("epoch000000-")])
    return sheet([Image.open(f) for f in (*files[:count], *files[-count:])], count, scale=3)


def _trained(out: Path, run_folder: Path, listeners: Sequence[Listener], commands: Commands | None) -> RunResult:
    """The run that is there, at its end, or a new one."""
    if run_folder.exists() and any(run_folder.iterdir()):
        return resume(run_folder, listeners, commands)
    dataset = write_dataset(out, f"character-{CHARACTER}-large")
    write_held_out(dataset, "character", CHARACTER)
    regularisation = write_dataset(out, "regularisation")
    settings = recipe("character", CHARACTER, dataset, regularisation, out / "cache", EPOCHS["character"])
    return train(settings, run_folder, listeners, commands)


def _refuse_what_no_demo_made(run_folder: Path) -> None:
    """Raises SettingsError where the folder holds something else than a run on the demo's base."""
    if not run_folder.exists() or not any(run_folder.iterdir()):
        return
    folder = RunFolder(run_folder)
    if not folder.settings.is_file() or Path(folder.read_settings().base.path) != BASE:
        raise SettingsError(
            f"The folder {run_folder} holds something that is not a demo run: give another --out.",
            code="demo.not_a_demo_run",
            folder=str(run_folder),
        )
