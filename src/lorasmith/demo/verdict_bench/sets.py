"""The training images of a bench run, and fresh pictures of the same kind that it never trains on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lorasmith.dataset_folder import HOLDOUT
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.scenes import TRIGGERS, balanced_scenes, fixed_attributes, trained_caption
from lorasmith.demo.verdict_bench.recipes import BenchRun, Words
from lorasmith.demo.world import Scene

HELD_OUT = 12
BENCH_SEEDS = 80_000_000
"""Of scenes that neither base, tagger nor any other dataset has seen; a block of a thousand for each run."""


@dataclass(frozen=True)
class BenchSet:
    """Scenes and what their captions say."""

    trained: list[tuple[Scene, str]]
    held_out: list[tuple[Scene, str]]


def bench_set(run: BenchRun) -> BenchSet:
    """What `run` trains on. Held-out pictures share the set's company: a biased pile gives a biased hold-out."""
    fixed = fixed_attributes(run.subject, run.thing) | run.kind.company
    first = BENCH_SEEDS + 1000 * (100 * run.seed + run.number)
    scenes = balanced_scenes(run.kind.pictures + HELD_OUT, first, **fixed)
    captioned = [(scene, caption(run.subject, scene, run.kind.words)) for scene in scenes]
    return BenchSet(captioned[: run.kind.pictures], captioned[run.kind.pictures :])


def caption(subject: str, scene: Scene, words: Words) -> str:
    """The caption of a training image of `subject`."""
    if words == "trigger alone":
        return TRIGGERS[getattr(scene, subject)]
    full = trained_caption(subject, scene)
    return full if words == "full" else ", ".join(tag for tag in full.split(", ") if tag not in (scene.background, scene.pose))


def write_bench_set(run: BenchRun, folder: Path) -> Path:
    """Write the set as an ordinary folder with a hold-out; what is there already is kept."""
    drawn = bench_set(run)
    for below, pictures in ((folder, drawn.trained), (folder / HOLDOUT, drawn.held_out)):
        below.mkdir(parents=True, exist_ok=True)
        for number, (scene, text) in enumerate(pictures, 1):
            file = below / f"{number:04d}.png"
            if not file.with_suffix(".txt").exists():  # written last
                draw_scene(scene).save(file, "PNG")
                file.with_suffix(".txt").write_text(text + "\n", "utf-8")
    return folder
