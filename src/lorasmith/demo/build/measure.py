"""Measure the demo base and its tagger, and draw the sheets for docs/demo-world.md.

python -m lorasmith.demo.build.measure DOCS --prompts 500
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lorasmith.captions.taggers.tagger import WdTagger
from lorasmith.demo.build.stock import any_scene
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.truth import attribute_accuracy
from lorasmith.demo.weights import BASE, TAGGER, WEIGHTS
from lorasmith.demo.world import (
    CHARACTERS,
    HELD_OUT_CONCEPTS,
    HELD_OUT_STYLES,
    character_scene,
    random_scene,
    sentence_caption,
    tag_caption,
)
from lorasmith.draws import rng_for
from lorasmith.evaluation.grid.contact_sheet import sheet
from lorasmith.models.open import open_base
from lorasmith.models.sampling import sample

FRESH = 60_000_000  # seeds that no training has seen


def measure_tagger(tagger: WdTagger, count: int) -> dict[str, float]:
    """Accuracy on fresh pictures of everything, held-out things included."""
    scenes = [any_scene(FRESH + k) for k in range(count)]
    return attribute_accuracy(tagger.probabilities([draw_scene(s) for s in scenes]), scenes)


def measure_vae(count: int) -> float:
    """Mean PSNR in dB over fresh pictures."""
    base = open_base(BASE, torch.float32)
    found = []
    for first in range(0, count, 32):
        arrays = [np.asarray(draw_scene(random_scene(FRESH + k))) for k in range(first, min(first + 32, count))]
        pixels = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float() / 127.5 - 1
        out = base.decode_latents(base.encode_pixels(pixels))
        found.append(-10 * torch.log10(((out - pixels) / 2).square().mean((1, 2, 3))))
    return float(torch.cat(found).mean())


def measure_base(tagger: WdTagger, prompts: int, steps: int, cfg_scale: float) -> tuple[dict[str, float], list[Image.Image]]:
    """Accuracy per attribute of pictures drawn from random prompts, half tags and half sentences; and the pictures."""
    base = open_base(BASE, torch.float32)
    scenes = [random_scene(FRESH + k) for k in range(prompts)]
    words = [(tag_caption if k % 2 else sentence_caption)(s, rng_for("measure", s.seed)) for k, s in enumerate(scenes)]
    pictures = sample(base, words, range(prompts), steps=steps, cfg_scale=cfg_scale, batch_size=32)
    accuracy = attribute_accuracy(tagger.probabilities(pictures), scenes)
    return {name: share for name, share in accuracy.items() if name not in ("concept", "character")}, pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("docs", type=Path)
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cfg-scale", type=float, default=3.0)
    args = parser.parse_args()
    images = args.docs / "images"
    images.mkdir(parents=True, exist_ok=True)
    tagger = WdTagger(TAGGER)
    held_out = [draw_scene(character_scene(n, s)) for s in (1, 2) for n in CHARACTERS]
    held_out += [draw_scene(random_scene(s, style=style)) for s in (3, 4, 5) for style in HELD_OUT_STYLES]
    held_out += [draw_scene(random_scene(s, concept=concept)) for s in (3, 4, 5) for concept in HELD_OUT_CONCEPTS]
    sheet([draw_scene(random_scene(FRESH + k)) for k in range(48)], 12).save(images / "world.png")
    sheet(held_out, 12).save(images / "held-out.png")
    accuracy, pictures = measure_base(tagger, args.prompts, args.steps, args.cfg_scale)
    sheet(pictures[:48], 12).save(images / "base-samples.png")
    files = [f for f in WEIGHTS.rglob("*") if f.is_file()]
    result = {
        "tagger accuracy, 1000 fresh pictures": measure_tagger(tagger, 1000),
        "vae psnr dB, 256 fresh pictures": measure_vae(256),
        f"base accuracy, {args.prompts} prompts, {args.steps} steps, cfg {args.cfg_scale}": accuracy,
        "weights MB": sum(f.stat().st_size for f in files) / 1e6,
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
