"""Which layers a LoRA trains, and what they are called in the file.

A layer's name is a prefix for its part of the base (`lora_unet`, `lora_te` ...) and the layer's path with underscores for dots, as kohya
writes it. Whose path that is is the family's own: `models.lora_naming.LoraNaming`, in its record. Where a family's files are written in
another style, names become so at the file's door (`key_style`).

A file may keep several layers of the module in one (query, key and value), so that one name covers them: its output rows are theirs, one
below the other.

`place` finds the name of a layer from its path in either style, written with dots or underscores; `layers_of` goes back.
`targets` lists what a preset trains.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from lorasmith.adapters.presets import PRESETS
from lorasmith.errors import AdapterError
from lorasmith.models.families import FAMILIES
from lorasmith.models.lora_naming import NAMES, LayerNames, LoraNaming, PartNaming, Place
from lorasmith.registry import nearest

if TYPE_CHECKING:
    from torch import nn

# ---- what is trained


def targets(family: str, part: str, module: nn.Module, preset: str = "default") -> dict[str, tuple[str, ...]]:
    """Name in the file -> the dotted paths of its layers in `module` (several where the file fuses them, in row order).

    `part` is the part's name in diffusers (the denoiser, "text_encoder", "text_encoder_2"); any size will do.

    Raises:
        AdapterError: an unknown family, part or preset, or a module that is no such part.
    """
    from torch import nn

    if preset not in PRESETS:
        raise AdapterError(f"There is no preset {preset!r} of layers to train; {nearest(preset, PRESETS)}")
    layers = part_naming(family, part).layers
    shape = shape_of(family, part, module)
    slots: dict[str, dict[int, str]] = {}
    counts: dict[str, int] = {}
    for path, layer in module.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv2d) and _category(layers, path) in PRESETS[preset].categories:
            where = place(family, part, path, shape)
            slots.setdefault(where.name, {})[where.slot] = path
            counts[where.name] = len(where.shares)
    if not slots:
        raise AdapterError(
            f"A {type(module).__name__} has no layer that a LoRA trains in the {part} of {family}: it is another kind of model."
        )
    return {name: tuple(paths[slot] for slot in range(counts[name])) for name, paths in slots.items()}


def weight_shapes(family: str, parts: Mapping[str, nn.Module], preset: str = "default") -> dict[str, tuple[int, ...]]:
    """Name in the file -> shape of its weight in the base, over the parts of a base; parts without a name in files are left out."""
    shapes: dict[str, tuple[int, ...]] = {}
    for part, module in parts.items():
        if part in naming_of(family).parts:
            for name, paths in targets(family, part, module, preset).items():
                weights = [tuple(cast("nn.Linear | nn.Conv2d", module.get_submodule(path)).weight.shape) for path in paths]
                shapes[name] = (sum(rows for rows, *_ in weights), *weights[0][1:])
    return shapes


def _category(layers: LayerNames, path: str) -> str | None:
    """What a layer is for, from its path in the module; None for what no LoRA trains."""
    return next((category for pattern, category in layers.categories if re.fullmatch(pattern, path)), None)


# ---- names


def naming_of(family: str) -> LoraNaming:
    """How LoRA files of a family are named.

    Raises:
        AdapterError: no such family.
    """
    if family not in FAMILIES:
        raise AdapterError(f"Names in LoRA files are not known for the family {family!r}; {nearest(family, FAMILIES)}")
    return FAMILIES[family].lora


def part_naming(family: str, part: str) -> PartNaming:
    """How the layers of one part are named.

    Raises:
        AdapterError: no such family, or it has no such part.
    """
    parts = naming_of(family).parts
    if part not in parts:
        raise AdapterError(f"The family {family} has no part {part!r} that a LoRA trains; {nearest(part, parts)}")
    return parts[part]


def shape_of(family: str, part: str, module: nn.Module) -> Any:
    """What names in an opened part depend on besides its family; None where they depend on nothing else."""
    layers = part_naming(family, part).layers
    return layers.shape_of(module) if layers.shape_of else None


def denoiser_shape(family: str, parts: Mapping[str, nn.Module]) -> Any:
    """The shape of the opened denoiser, for `place` and `layers_of`; None for the family's usual one."""
    denoiser = FAMILIES[family].denoiser
    return shape_of(family, denoiser, parts[denoiser]) if denoiser in parts else None


def place(family: str, part: str, path: str, shape: Any = None) -> Place:
    """Where the layer at `path` is in a file of `family`; the path may be diffusers' or the original model's, with dots or underscores.

    `shape` is needed for parts that are not of the usual shape of their family; see `denoiser_shape`.

    Raises:
        AdapterError: the family has no layer of that name.
    """
    return _place(part_naming(family, part), path, shape)


@lru_cache(NAMES)
def _place(naming: PartNaming, path: str, shape: Any) -> Place:
    where = naming.layers.to_file(path.replace(".", "_"), shape or naming.layers.usual_shape)
    naming.layers.dotted(where.name)  # raises where a word in it is in no layer
    return replace(where, name=f"{naming.prefix}_{where.name}")


def layers_of(family: str, name: str, shape: Any = None) -> tuple[str, tuple[str, ...]]:
    """The part, and the dotted paths in the module of the layers that a name in kohya's style covers, in row order.

    CLIP paths come with `text_model`, as transformers named them up to version 5.5.

    Raises:
        AdapterError: the family has no layer of that name.
    """
    part, path = part_of(family, name)
    return part, _paths(part_naming(family, part).layers, path, shape)


@lru_cache(NAMES)
def _paths(layers: LayerNames, path: str, shape: Any) -> tuple[str, ...]:
    return tuple(layers.dotted(flat) for flat in layers.to_module(path, shape or layers.usual_shape))


def part_of(family: str, name: str) -> tuple[str, str]:
    """The part of the base that a name in a file is for, and the rest of the name.

    Raises:
        AdapterError: the name begins with no prefix of this family.
    """
    prefixes = {f"{own.prefix}_": part for part, own in naming_of(family).parts.items()}
    prefix = max((prefix for prefix in prefixes if name.startswith(prefix)), key=len, default=None)
    if prefix is None:
        raise AdapterError(f"The name {name} begins like no part of {family}: the LoRA was made for another family.")
    return prefixes[prefix], name.removeprefix(prefix)


def same_names(family: str, other: str) -> bool:
    """Whether the layers of two families have the same names, so that a file may not show which of them it is for."""
    names = [{part: (naming.prefix, naming.layers) for part, naming in naming_of(name).parts.items()} for name in (family, other)]
    return names[0] == names[1]


def file_name(family: str, name: str) -> str:
    """What a layer is called in files of its family: its name in kohya's style, or the same with dots."""
    if naming_of(family).style == "kohya":
        return name
    part, path = part_of(family, name)
    naming = part_naming(family, part)
    return f"{naming.prefix}.{naming.layers.dotted(path)}"


def kohya_name(family: str, name: str) -> str:
    """What kohya's trainers call a layer: `lora_unet` before the denoiser's, whatever the files of its family begin with.

    Raises:
        AdapterError: they have several layers of this family's in one.
    """
    part, path = part_of(family, name)
    naming = part_naming(family, part)
    if naming.prefix.startswith("lora_"):
        return name
    if naming.kohya_prefix is None:
        raise AdapterError(
            f"Kohya's trainers have query, key and value of {FAMILIES[family].title} in one layer, and a LoRA on each is not written as theirs: "
            "convert to everywhere, whose names load in more programs.",
            code="convert.form",
        )
    return f"{naming.kohya_prefix}_{path}"


def block_of(family: str, part: str, path: str, shape: Any = None) -> str:
    """The block of a layer, by its path in the module, in the count of LoRA block weights: "IN04", "TE1_07"; BASE outside all blocks."""
    naming = part_naming(family, part)
    block = naming.layers.block(path.replace(".", "_"), shape or naming.layers.usual_shape)
    return "BASE" if block is None else naming.block_prefix + block
