"""The demo: a dataset of a held-out creature, a LoRA of it, the proof, the report."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from lorasmith.demo.datasets import write_dataset
from lorasmith.demo.proof import Proof, prove, write_proof
from lorasmith.demo.recipes import EPOCHS, recipe
from lorasmith.demo.weights import BASE
from lorasmith.errors import SettingsError
from lorasmith.evaluation.grid import sheet
from lorasmith.evaluation.report import write_report
from lorasmith.models.open import open_base
from lorasmith.training.commands import Commands
from lorasmith.training.events import Listener, PhaseStarted
from lorasmith.training.run import train

CHARACTER = "zorvex"
SAMPLING_STEPS = 15


@dataclass(frozen=True)
class TourResult:
    """Paths of what the demo made, and its proof."""

    file: Path
    report: Path
    proof: Proof


def tour(out: Path, samples: int, listeners: Iterable[Listener] = (), commands: Commands | None = None) -> TourResult | None:
    """Make everything again in `out`; None where it was stopped.

    Raises SettingsError where `out` holds something that no demo made.
    """
    listeners = list(listeners)
    run_folder = out / f"run-{CHARACTER}"
    _clear(run_folder)
    dataset = write_dataset(out, f"character-{CHARACTER}-large")
    regularisation = write_dataset(out, "regularisation")
    settings = recipe("character", CHARACTER, dataset, regularisation, out / "cache", EPOCHS["character"])
    result = train(settings, run_folder, listeners, commands)
    if result.file is None or not result.finished:
        write_report(run_folder)
        return None
    before_after(run_folder).save(out / "before-after.png")

    def report(sentence: str) -> None:
        for listener in listeners:
            listener(PhaseStarted("proof", sentence))

    proof = prove(open_base(BASE, torch.float32), "character", CHARACTER, result.file, samples, SAMPLING_STEPS, report)
    write_proof(run_folder, proof, f"lorasmith demo run --samples {samples}")
    return TourResult(result.file, write_report(run_folder), proof)


def before_after(run_folder: Path) -> Image.Image:
    """The first samples of a run above its last."""
    files = sorted((run_folder / "samples").glob("*.png"))
    count = len([f for f in files if f.name.startswith("epoch000000-")])
    return sheet([Image.open(f) for f in (*files[:count], *files[-count:])], count, scale=3)


def _clear(run_folder: Path) -> None:
    """Remove an earlier demo's run, known by its settings."""
    if not run_folder.exists():
        return
    if any(run_folder.iterdir()) and not (run_folder / "settings.toml").is_file():
        raise SettingsError(
            f"The folder {run_folder} holds something that is not a demo run: give another --out.",
            code="demo.not_a_demo_run",
            folder=str(run_folder),
        )
    shutil.rmtree(run_folder)
