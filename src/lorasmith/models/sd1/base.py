"""Stable Diffusion 1.x: one CLIP text encoder, a U-Net over VAE latents, epsilon or v-prediction."""

from __future__ import annotations

from lorasmith.models.architectures.unet_base import UnetBase
from lorasmith.models.sd1.family import SD1


class StableDiffusion1(UnetBase):
    """An opened base of this family; see `models.base.Base`."""

    record = SD1
