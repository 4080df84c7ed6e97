"""Train the LoRA of a bench run, by the same door as every other run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from lorasmith.demo.datasets import write_dataset
from lorasmith.demo.scenes import TRIGGERS
from lorasmith.demo.verdict_bench.recipes import BenchRun
from lorasmith.demo.verdict_bench.sets import write_bench_set
from lorasmith.demo.weights import BASE
from lorasmith.models.device import Device
from lorasmith.training.commands import Commands
from lorasmith.training.events import Listener
from lorasmith.training.run import RunResult, resume, train
from lorasmith.training.settings.tree import Settings, settings_from


def train_bench_run(
    run: BenchRun, out: Path, device: Device = "auto", listeners: Sequence[Listener] = (), commands: Commands | None = None
) -> RunResult:
    """Train `run` below `out`, or continue it; a finished one is left as it is."""
    folder = out / run.name
    dataset = write_bench_set(run, folder / "pictures")
    with FileLock(out / "regularisation.lock"):  # shared by the runs, and perhaps by processes
        regularisation = write_dataset(out, "regularisation") if run.kind.regularisation else None
    if (folder / "run").exists() and any((folder / "run").iterdir()):
        return resume(folder / "run", listeners, commands)
    return train(bench_settings(run, dataset, regularisation, out / "cache", device), folder / "run", listeners, commands)


def bench_settings(run: BenchRun, dataset: Path, regularisation: Path | None, cache: Path, device: Device = "auto") -> Settings:
    """The settings of `run`. Samples, validation and plots would cost time and are not looked at."""
    kind = run.kind
    datasets: list[dict[str, Any]] = [{"path": str(dataset), "repeats": max(1, round(320 / kind.pictures))}]
    if regularisation is not None:
        datasets.append({"path": str(regularisation), "is_reg": True, "caption_dropout_rate": 0.4})
    tree: dict[str, Any] = {
        "name": run.name,
        "base": {"path": str(BASE)},
        "datasets": datasets,
        "buckets": {"resolution": 64, "min_bucket_reso": 32, "max_bucket_reso": 128, "bucket_reso_steps": 16},
        "captions": {"trigger": TRIGGERS[run.thing], "shuffle_caption": True, "keep_tokens": 1},
        "network": {"rank": 16, "alpha": 16.0, "train_text_encoder": False},
        "training": {
            "max_train_steps": kind.steps, "batch_size": kind.batch_size, "balance_reg": False, "seed": 100 * run.seed + run.number,
            "device": device,
        },
        "optimizer": {"unet_lr": kind.unet_lr, "args": {"betas": [0.9, 0.99]}},
        "schedule": {"lr_scheduler": kind.schedule},
        "loss": {"min_snr_gamma": 5.0 if run.subject == "style" else 3.0},
        "checkpoints": {"save_every_n_epochs": 0, "save_every_n_steps": kind.steps // kind.checkpoints},
        "validation": {"every_n_epochs": 0},
        "logging": {"tensorboard": False},
        "cache": str(cache),
    }  # fmt: skip
    for section, settings in kind.more.items():
        tree[section] = tree[section] | settings
    return settings_from(tree)
