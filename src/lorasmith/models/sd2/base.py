"""Stable Diffusion 2.x: as 1.x, with the OpenCLIP ViT-H text encoder.

Its file has 23 layers, since the last one of the original is never read: clip skip 1 is the original's penultimate state.
"""

from __future__ import annotations

from lorasmith.models.sd1.base import StableDiffusion1
from lorasmith.models.sd2 import config


class StableDiffusion2(StableDiffusion1):
    """An opened base of this family; see `models.family.Base`."""

    family = "sd2"
    defaults = config.DEFAULTS
    part_kinds = config.PARTS
    tokenizers = config.TOKENIZERS
