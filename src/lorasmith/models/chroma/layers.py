"""The layers of the Chroma transformer in LoRA files: those of Flux.1's blocks, without their modulation.

The approximator is trained by nobody: one layer of it moves the modulation of every block. Its layers have names all the same, since
files that train all that is linear have them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lorasmith.models.architectures import double_stream_layers
from lorasmith.models.architectures.double_stream_layers import FLUX, block_layers
from lorasmith.models.chroma.names import APPROXIMATOR, LINEAR
from lorasmith.models.lora_naming import LayerNames, Place

_LINEAR_BACK = {original: ours for ours, original in LINEAR.items()}


def to_file(flat: str, shape: Any = None) -> Place:
    """The original's place of a layer of diffusers; a name of the original's stays as it is."""
    if not flat.startswith(APPROXIMATOR):
        return FLUX.to_original(flat)
    return Place(re.sub(r"_norms_\d+$", r"\g<0>_scale", _renamed(flat, LINEAR)))


def to_module(flat: str, shape: Any = None) -> tuple[str, ...]:
    """diffusers' layers of a name of the original's, in row order."""
    if not flat.startswith(APPROXIMATOR):
        return FLUX.to_diffusers(flat)
    return (_renamed(re.sub(r"(_norms_\d+)_scale$", r"\1", flat), _LINEAR_BACK),)


def _renamed(flat: str, names: Mapping[str, str]) -> str:
    found = re.fullmatch(r"(\w+_layers_\d+)_(\w+)", flat)
    return f"{found[1]}_{names.get(found[2], found[2])}" if found else flat


def all_layers(settings: Mapping[str, Any]) -> dict[str, int | None]:
    """The layers of a Chroma transformer of diffusers, by its settings; see `LayerNames.all_layers`."""
    width, hidden = settings["num_attention_heads"] * settings["attention_head_dim"], settings["approximator_hidden_dim"]
    found = block_layers(settings) | {
        "x_embedder": settings["in_channels"],
        "context_embedder": settings["joint_attention_dim"],
        "proj_out": width,
        f"{APPROXIMATOR}.in_proj": settings["approximator_num_channels"],
        f"{APPROXIMATOR}.out_proj": hidden,
    }
    for i in range(settings["approximator_layers"]):
        found |= {f"{APPROXIMATOR}.layers.{i}.{name}": hidden for name in LINEAR} | {f"{APPROXIMATOR}.norms.{i}": None}
    return found


TRANSFORMER_NAMES: LayerNames = replace(
    double_stream_layers.TRANSFORMER_NAMES,
    words=double_stream_layers.TRANSFORMER_NAMES.words | {APPROXIMATOR, "in_proj", "out_proj", "layers", "norms"},
    to_file=to_file, to_module=to_module, all_layers=all_layers,
)  # fmt: skip
