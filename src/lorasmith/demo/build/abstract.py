"""Abstract pictures for the training of the demo's U-Net: a few shapes in any colours, many of them striped, dotted or checked.

A real base has seen more than it has names for. Trained on the world's flat colours alone, the U-Net takes every stripe for
noise and smooths it away, and no LoRA of moderate size teaches it otherwise. These pictures show it colours and textures,
but nothing of a creature and none of the held-out things; all have the caption `CAPTION`.
"""

from __future__ import annotations

import math
import random

import numpy as np
import torch
from PIL import Image, ImageDraw

from lorasmith.demo.build.vae import abstract_patterns

CAPTION = "abstract"
_FINER = 4  # drawn this many times larger, then reduced: smooth edges


def abstract_picture(seed: int, side: int = 64) -> np.ndarray:
    """uint8 (side, side, 3): one to four shapes over a ground; each flat or with a pattern."""
    rng = random.Random(f"abstract-{seed}")
    shapes = rng.randint(1, 4)
    patterns = abstract_patterns(shapes + 1, side, torch.Generator().manual_seed(seed))
    picture = _fill(patterns[0], rng, side, 0.25)
    for k in range(shapes):
        mask = _shape(rng, side)[..., None]
        picture = picture * (1 - mask) + _fill(patterns[k + 1], rng, side, 0.6) * mask
    return (picture * 255).round().astype(np.uint8)


def _fill(pattern: torch.Tensor, rng: random.Random, side: int, patterned: float) -> np.ndarray:
    """float (side, side, 3), 0-1: the pattern in this share of cases, else one colour."""
    if rng.random() < patterned:
        return (pattern.permute(1, 2, 0).numpy() + 1) / 2
    return np.broadcast_to(np.array([rng.random() for _ in range(3)]), (side, side, 3))


def _shape(rng: random.Random, side: int) -> np.ndarray:
    """float (side, side), 0-1: an ellipse, a box with round corners, or a polygon of three to seven corners."""
    big = side * _FINER
    mask = Image.new("L", (big, big))
    draw = ImageDraw.Draw(mask)
    x, y = rng.uniform(0.2, 0.8) * big, rng.uniform(0.2, 0.8) * big
    w, h = rng.uniform(0.08, 0.4) * big, rng.uniform(0.08, 0.4) * big
    kind = rng.randrange(3)
    if kind == 0:
        draw.ellipse((x - w, y - h, x + w, y + h), fill=255)
    elif kind == 1:
        draw.rounded_rectangle((x - w, y - h, x + w, y + h), min(w, h) * rng.random(), fill=255)
    else:
        turns = sorted(rng.random() * math.tau for _ in range(rng.randint(3, 7)))
        draw.polygon([(x + w * math.cos(t), y + h * math.sin(t)) for t in turns], fill=255)
    return np.asarray(mask.resize((side, side), Image.Resampling.BOX), np.float32) / 255
