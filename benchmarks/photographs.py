"""What the verdict says of LoRAs of real photographs on the demo's base, which was made for drawings. No truth is known; a person looks.

    python benchmarks/photographs.py [faces] [faces-hot] [cat] [--out FOLDER]

`faces`: 30 faces of scikit-image's `lfw_subset`, 12 more held out. `faces-hot`: the same at four times the rate, without regularisation.
`cat`: six parts of one photograph of a cat, nothing held out. Each is trained in the folder, proven with the effort `standard`, and has its
report there; printed are the verdict's sentences and the measures that decide. Some ten minutes each on one core; what is there is kept.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from PIL import Image

from lorasmith.dataset_folder import HOLDOUT
from lorasmith.demo.datasets import write_dataset
from lorasmith.demo.weights import BASE
from lorasmith.evaluation.prove import Proven, prove
from lorasmith.evaluation.report import write_report
from lorasmith.training.run import resume, train
from lorasmith.training.settings.tree import Settings, settings_from

SIDE = 64
SHOWN = ("subject", "keeps", "moved", "leaks", "near", "replay", "gap_shape")


@dataclass(frozen=True)
class Case:
    """One LoRA of photographs."""

    trigger: str
    caption: str
    pictures: list[Image.Image]
    held_out: list[Image.Image]
    unet_lr: float
    steps: int
    regularisation: bool = True


def faces(unet_lr: float, regularisation: bool) -> Case:
    """People's faces, in grey, 25 pixels wide."""
    rows = (skimage.data.lfw_subset()[:42] * 255).astype(np.uint8)  # the first hundred are faces
    pictures = [Image.fromarray(row).resize((SIDE, SIDE), Image.Resampling.LANCZOS).convert("RGB") for row in rows]
    return Case("zqface", "zqface, face, grey", pictures[:30], pictures[30:], unet_lr, 200, regularisation)


def cat() -> Case:
    """Parts of one photograph, as people crop them out of it."""
    photograph = Image.fromarray(skimage.data.chelsea())
    corners = [(90, 0), (120, 20), (60, 10), (140, 40), (100, 60), (40, 0)]
    pictures = [photograph.crop((x, y, x + 220, y + 220)).resize((2 * SIDE, 2 * SIDE), Image.Resampling.LANCZOS) for x, y in corners]
    return Case("zqcat", "zqcat, cat, close-up", pictures, [], 2e-3, 200)


CASES = {"faces": lambda: faces(2e-3, True), "faces-hot": lambda: faces(8e-3, False), "cat": cat}


def write_set(case: Case, folder: Path) -> Path:
    """The photographs with their captions, and those held out."""
    for below, pictures in ((folder, case.pictures), (folder / HOLDOUT, case.held_out)):
        if pictures:
            below.mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(pictures, 1):
            picture.save(below / f"{number:03d}.png")
            (below / f"{number:03d}.txt").write_text(case.caption + "\n", "utf-8")
    return folder


def settings_of(name: str, case: Case, out: Path) -> Settings:
    """As `lorasmith new` would begin, for the demo's base, with five checkpoints."""
    datasets: list[dict[str, Any]] = [{"path": str(write_set(case, out / name / "pictures")), "repeats": max(1, 320 // len(case.pictures))}]
    if case.regularisation:
        datasets.append({"path": str(write_dataset(out, "regularisation")), "is_reg": True, "caption_dropout_rate": 0.4})
    return settings_from({
        "name": name, "base": {"path": str(BASE)}, "datasets": datasets, "cache": str(out / "cache"),
        "buckets": {"resolution": SIDE, "min_bucket_reso": 32, "max_bucket_reso": 128, "bucket_reso_steps": 16},
        "captions": {"trigger": case.trigger, "shuffle_caption": True, "keep_tokens": 1},
        "network": {"rank": 16, "alpha": 16.0, "train_text_encoder": False},
        "training": {"max_train_steps": case.steps, "batch_size": 8, "balance_reg": False},
        "optimizer": {"unet_lr": case.unet_lr, "args": {"betas": [0.9, 0.99]}},
        "checkpoints": {"save_every_n_epochs": 0, "save_every_n_steps": case.steps // 5},
        "samples": {"prompts": [case.trigger, f"{case.trigger}, beach", "cat, blue body, happy, standing, beach"], "cfg_scale": 3.0},
    })  # fmt: skip


def show(proven: Proven) -> None:
    print(*proven.verdict.sentences, sep="\n")
    for checkpoint in proven.verdict.checkpoints:
        measures = checkpoint.measured.measures
        numbers = "  ".join(f"{name} {measures[name].value:.2f}" for name in SHOWN if name in measures)
        print(f"  {checkpoint.name:10} {checkpoint.headline:12} {numbers}")
    for finding in (*proven.signs, *proven.verdict.advice):
        print(f"  {finding}")


def main(out: Path, names: list[str]) -> None:
    for name in names or CASES:
        run = out / name / "run"
        if (run / "settings.toml").is_file():
            resume(run)
        else:
            train(settings_of(name, CASES[name](), out), run)
        print(f"== {name}")
        show(prove(run, effort="standard", weights=()))
        print(f"  {write_report(run)}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"Of {', '.join(CASES)}; all without one.")
    parser.add_argument("--out", type=Path, default=Path("bench-photographs"), help="Where they are trained.")
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in CASES]:
        parser.error(f"there is no set {unknown[0]}: choose from {', '.join(CASES)}")
    main(given.out, given.names)
