"""A stock of drawn pictures, so that a training need not draw each picture again.

    python -m lorasmith.demo.build.stock WORK --count 48000

writes `WORK/base.npy`, uint8 (count, 64, 64, 3); picture i is `draw_scene(random_scene(i))`. `WORK/all.npy` holds
pictures with the held-out things too, for the tagger; its picture i is `draw_scene(any_scene(i))`. `WORK/abstract.npy` has
an eighth as many abstract pictures.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lorasmith.demo.build.abstract import abstract_picture
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import (
    CHARACTERS,
    HELD_OUT_CONCEPTS,
    HELD_OUT_STYLES,
    Scene,
    character_scene,
    random_scene,
)

SIDE = 64
TAGGER_SEEDS = 10_000_000  # the tagger's pictures start here, so that they are never the base's


def any_scene(index: int) -> Scene:
    """A scene with a held-out character (25 %), style (30 %) or concept (30 %) in it, in any mixture."""
    seed = TAGGER_SEEDS + index
    rng = random.Random(f"any-{seed}")
    fixed: dict[str, str | None] = {}
    if rng.random() < 0.30:
        fixed["style"] = rng.choice(HELD_OUT_STYLES)
    if rng.random() < 0.30:
        fixed["concept"] = rng.choice(HELD_OUT_CONCEPTS)
    if rng.random() < 0.25:
        name = rng.choice(tuple(CHARACTERS))
        return character_scene(name, seed, **fixed)
    return random_scene(seed, **fixed)


def _base_picture(i: int) -> np.ndarray:
    return np.asarray(draw_scene(random_scene(i), SIDE))


def _any_picture(i: int) -> np.ndarray:
    return np.asarray(draw_scene(any_scene(i), SIDE))


def draw_stock(path: Path, count: int, draw: Callable[[int], np.ndarray], processes: int) -> None:
    """Draw `count` pictures into the array file `path`; a file that is there already is kept."""
    if path.exists():
        return
    stock = np.empty((count, SIDE, SIDE, 3), np.uint8)
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for i, picture in enumerate(pool.imap(draw, range(count), chunksize=256)):
            stock[i] = picture
    part = path.with_suffix(".part.npy")
    np.save(part, stock)
    part.rename(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--count", type=int, default=48_000)
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    draw_stock(args.work / "base.npy", args.count, _base_picture, args.processes)
    draw_stock(args.work / "all.npy", args.count, _any_picture, args.processes)
    draw_stock(args.work / "abstract.npy", args.count // 8, abstract_picture, args.processes)


if __name__ == "__main__":
    main()
