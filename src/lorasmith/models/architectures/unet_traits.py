"""How a Stable Diffusion U-Net is built, found in a file's tensors or in a folder's settings: what its family is recognised by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorasmith.errors import BaseModelError
from lorasmith.models.family import DenoiserFile, Sizes

_SPECIAL = {
    9: "an inpainting model (9 input channels)", 8: "an instruct-pix2pix model (8 input channels)", 7: "an upscaler (7 input channels)",
    5: "a depth model (5 input channels)",
}  # fmt: skip
_REFINER = "embedders.0.model."
"""In the prefix of a text encoder that only a refiner has at this place."""


@dataclass(frozen=True)
class UnetTraits:
    """What U-Nets of different families differ in."""

    second_embedding: bool
    """Of sizes and the pooled text, besides the timestep's."""
    four_levels: bool
    linear: bool
    """Linear layers lead into its attentions, not 1x1 convolutions."""
    refiner_text: bool = False
    """The file has the one text encoder of a refiner."""


def traits_in_file(file: DenoiserFile) -> UnetTraits:
    """The traits of a plain U-Net; raises BaseModelError for a piece of one, and for one that takes more than a noisy picture."""
    ldm = file.names == "ldm"
    first, last = ("input_blocks.0.0.weight", "out.2.weight") if ldm else ("conv_in.weight", "conv_out.weight")
    if last not in file.shapes:
        raise BaseModelError(f"{file.source} has half a U-Net (no {file.prefix}{last}), as a ControlNet has; give a base model.")
    _refuse_special(file.source, input_width(file, first))
    leading = next((shape for key, shape in file.shapes.items() if key.endswith("proj_in.weight")), None)
    second = ("label_emb.0.0.weight", "label_emb.weight", "add_embedding.linear_1.weight", "class_embedding.linear_1.weight")
    deepest = "input_blocks.9." if ldm else "down_blocks.3."
    return UnetTraits(
        second_embedding=any(key in file.shapes for key in second),
        four_levels=any(key.startswith(deepest) for key in file.shapes),
        linear=leading is not None and len(leading) == 2,
        refiner_text=any(_REFINER in prefix for prefix in file.beside),
    )


def traits_in_config(folder: Path, settings: Mapping[str, Any]) -> UnetTraits:
    """The traits by the settings of a diffusers folder; raises BaseModelError where it takes more than a noisy picture."""
    _refuse_special(folder, settings.get("in_channels", 4))
    blocks = settings.get("down_block_types", [])
    return UnetTraits(
        second_embedding=bool(settings.get("class_embed_type") or settings.get("addition_embed_type")),
        four_levels=isinstance(blocks, list) and len(blocks) > 3,
        linear=bool(settings.get("use_linear_projection")),
    )


def input_width(file: DenoiserFile, key: str) -> int:
    """How many channels a first layer takes; raises BaseModelError where the layer is missing."""
    shape = file.shapes.get(key, ())
    if len(shape) < 2:
        raise BaseModelError(
            f"{file.source} has no {file.prefix}{key}, so it is only a piece of a model; download it again or give a complete one."
        )
    return shape[1]


def _refuse_special(source: Path, channels: int) -> None:
    if channels != 4:
        what = _SPECIAL.get(channels, f"a model with {channels} input channels")
        raise BaseModelError(
            f"{source} is {what}, which needs more than a noisy picture to train on; give the plain model that it was made from."
        )


def unet_sizes(settings: Mapping[str, Mapping[str, Any]]) -> Sizes:
    """By the U-Net's own size and levels, and those of the autoencoder."""
    unet, vae = settings["unet"], settings["vae"]
    latent_step = 2 ** (len(vae["block_out_channels"]) - 1)
    return Sizes(unet["sample_size"] * latent_step, latent_step * 2 ** (len(unet["block_out_channels"]) - 1))
