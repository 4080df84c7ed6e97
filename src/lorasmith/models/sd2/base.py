"""Stable Diffusion 2.x: as 1.x, with the OpenCLIP ViT-H text encoder.

Its file has 23 layers, since the last one of the original is never read: clip skip 1 is the original's penultimate state.
"""

from __future__ import annotations

from lorasmith.models.architectures.unet_base import UnetBase
from lorasmith.models.sd2.family import SD2


class StableDiffusion2(UnetBase):
    """An opened base of this family; see `models.base.Base`."""

    record = SD2
