"""The parts of a base model as empty modules: what class they are, with which settings, made on any device.

A part is written as data, ("UNet2DConditionModel", {...}); the classes are those of diffusers and transformers.
`with torch.device("meta"):` around `build` makes a full-size part in no memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

Part = tuple[str, Mapping[str, Any]]  # class name, its settings
DIFFUSERS = ("UNet2DConditionModel", "FluxTransformer2DModel", "AutoencoderKL")


def build(part: Part) -> nn.Module:
    """One part with the weights of a fresh start, frozen and in eval mode."""
    import diffusers
    import transformers

    name, settings = part
    match name:
        case _ if name in DIFFUSERS:
            module = getattr(diffusers, name)(**settings)
        case "CLIPTextModel" | "CLIPTextModelWithProjection":
            module = getattr(transformers, name)(transformers.CLIPTextConfig(**settings))
        case "T5EncoderModel":
            module = transformers.T5EncoderModel(transformers.T5Config(**settings))
        case _:
            raise ValueError(f"no part of a base model is a {name}")
    return module.requires_grad_(False).eval()


def build_all(parts: Mapping[str, Part]) -> dict[str, nn.Module]:
    """Every part by its name."""
    return {name: build(part) for name, part in parts.items()}
