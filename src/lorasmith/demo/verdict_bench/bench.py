"""How good the verdict is: LoRAs are trained on the demo world, judged as a user's would be, and compared with a truth it never sees.

    bench(Path("bench-verdict"), seed=1)

For each run: train it, prove it, look at the truth. Each of the three is kept, so that a bench that was stopped or killed goes on where it
was. Several processes may work in one folder: each takes the runs that no other is at, and those that finish last wait for the rest.
Thresholds and rules may be set while looking at seeds up to 100; those above are for checking.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from lorasmith.atomic import write_atomically
from lorasmith.demo.verdict_bench.recipes import BenchRun, bench_runs
from lorasmith.demo.verdict_bench.score import JudgedRun, scores
from lorasmith.demo.verdict_bench.training import train_bench_run
from lorasmith.demo.verdict_bench.truth import TruthEffort, TruthOf, truths_of
from lorasmith.demo.weights import BASE
from lorasmith.evaluation.proof.checkpoints import checkpoints_of
from lorasmith.evaluation.proof.plan import WEIGHTS
from lorasmith.evaluation.prove import prove
from lorasmith.evaluation.run_record import read_run
from lorasmith.models.base import Base
from lorasmith.models.device import Device, choose_device
from lorasmith.models.open import open_base
from lorasmith.progress import Cancelled
from lorasmith.training.commands import Commands


@dataclass(frozen=True)
class BenchEffort:
    """How much is looked at: pictures for the verdict (an effort of `prove`), weights that it tries, and pictures for the truth."""

    proof: str = "standard"
    weights: tuple[float, ...] = WEIGHTS
    truth: TruthEffort = field(default_factory=TruthEffort)


QUICK = BenchEffort(truth=TruthEffort(prompts=48, others=24, captions=8))


def bench(
    out: str | Path,
    seed: int = 1,
    *,
    quick: bool = False,
    device: Device = "auto",
    report: Callable[[str], None] = lambda _: None,
    cancelled: Cancelled = lambda: False,
) -> dict[str, Any] | None:
    """Everything that is reported, as plain data; None where it was cancelled. `report` is called with what is being done."""
    folder = Path(out) / f"seed-{seed}"
    judged = judge_runs(list(bench_runs(seed, quick=quick)), folder, QUICK if quick else BenchEffort(), report, cancelled, device)
    if judged is None:
        return None
    found = {"seed": seed, "quick": quick, **scores(judged), "each": [_row(one) for one in judged]}
    write_atomically(folder / f"result{'-quick' if quick else ''}.json", json.dumps(found, indent=1).encode())
    return found


def judge_runs(
    runs: Sequence[BenchRun],
    folder: Path,
    effort: BenchEffort,
    report: Callable[[str], None],
    cancelled: Cancelled,
    device: Device = "auto",
) -> list[JudgedRun] | None:
    """Each run trained, judged and looked at, below `folder`; None where that was cancelled."""
    base = open_base(BASE, torch.float32, choose_device(device))
    folder.mkdir(parents=True, exist_ok=True)
    judged: dict[str, JudgedRun] = {}
    for wait in (False, True):  # first what no other process is at, then what others have left
        for number, run in enumerate(runs, 1):
            if run.name in judged:
                continue
            try:
                with FileLock(folder / f"{run.name}.lock", timeout=-1 if wait else 0):
                    one = _judged(run, folder, base, device, effort, partial(_numbered, report, number, len(runs)), cancelled)
            except Timeout:
                continue
            if one is None:
                return None
            judged[run.name] = one
    return [judged[run.name] for run in runs]


def _numbered(report: Callable[[str], None], number: int, of: int, what: str) -> None:
    report(f"{number} of {of}: {what}")


def _judged(
    run: BenchRun, folder: Path, base: Base, device: Device, effort: BenchEffort, report: Callable[[str], None], cancelled: Cancelled
) -> JudgedRun | None:
    """One run, trained, proven and looked at; None where that was cancelled."""
    report(f"training {run.name}")
    commands = Commands()
    if not train_bench_run(run, folder, device, [_stopping(commands, cancelled)], commands).finished:
        return None
    run_folder = folder / run.name / "run"
    report(f"judging {run.name}")
    proven = prove(run_folder, effort=effort.proof, weights=effort.weights, base=base, cancelled=cancelled)
    if not proven.complete:
        return None
    report(f"looking at the truth about {run.name}")
    look, kept = TruthOf(base, run, effort.truth), folder / run.name / "truth.json"
    files = [checkpoint.path for checkpoint in checkpoints_of(read_run(run_folder))]
    truths = truths_of(look, [(file, 1.0) for file in files], kept, cancelled)
    verdict, of_weights = proven.verdict, dict[float, Any]()
    if verdict.recommended is not None:
        weights = [one.weight for one in verdict.weights]
        found = truths_of(look, [(files[verdict.recommended], weight) for weight in weights], kept, cancelled)
        of_weights = dict(zip(weights, found, strict=False))
    if cancelled():
        return None
    return JudgedRun(run.name, run.kind.kept_apart, tuple(truths), verdict, of_weights)


def _stopping(commands: Commands, cancelled: Cancelled) -> Callable[[object], None]:
    """A listener that stops the training where the bench is cancelled."""

    def listen(event: object) -> None:
        if cancelled():
            commands.stop()

    return listen


def _row(run: JudgedRun) -> dict[str, Any]:
    """One run in the result's table."""
    return {
        "run": run.name, "kept_apart": run.kept_apart, "recommended": run.verdict.recommended, "as_good": list(run.verdict.as_good),
        "weight": run.verdict.weight, "weights": {str(weight): truth.score for weight, truth in run.weight_truths.items()},
        "headlines": [one.headline for one in run.verdict.checkpoints],
        "truth": [{**vars(truth), "labels": truth.labels} for truth in run.truths],
        "measures": [_values(one.measured.measures) for one in run.verdict.checkpoints],
        "labels": [{key: judged.holds for key, judged in one.judged.items()} for one in run.verdict.checkpoints],
        "sentences": list(run.verdict.sentences),
    }  # fmt: skip


def _values(measures: Any) -> dict[str, Sequence[float | None]]:
    return {name: (measure.value, measure.error) for name, measure in measures.items()}
