"""A part of a base model as a module: built empty, then filled tensor by tensor from the mapped file.

The module is made without weights (its parameters are on the meta device). Each tensor of its state is then copied out of the
mapped file straight into the dtype and onto the device asked for, renamed on the way where the file has other names
(`models.parts.Architecture.tables`), and the mapped pages are released. So the most memory that opening takes is what is kept, plus one tensor.
What is to be quantised (models/quantize) is quantised on the way, one tensor after the other.

Eight-bit files come in two kinds: plain ones, whose numbers are the weights, and scaled ones, where each weight has a factor beside
it (`scale_weight` or `weight_scale`) that it is multiplied by.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Literal

from lorasmith.errors import BaseModelError
from lorasmith.imports import without_collection
from lorasmith.models.description import Description, PartPlace
from lorasmith.models.files.tensor_file import PICKLES, Entry, TensorFile, open_tensors
from lorasmith.models.parts import Part, build, class_of
from lorasmith.models.take import Shapes, Take

if TYPE_CHECKING:
    import torch
    from torch import nn

    from lorasmith.models.settings import Quantize

SCALES = ("scale_weight", "weight_scale")  # what the factor of an eight-bit weight is called, in place of "weight"
# What may be beside a part's weights without being one of them: buffers, the other half of CLIP or T5, marks, losses.
_BESIDE = re.compile(
    r"(.*\.)?(position_ids|logit_scale|attn_mask|scale_weight|scale_input|weight_scale|input_scale|comfy_quant|scaled_fp8|spiece_model)"
    r"|v_pred|ztsnr|(vision_model|visual|visual_projection|decoder\.block|decoder\.final_layer_norm|lm_head|loss|model_ema|denoiser)(\..*)?"
)
_TEXT_BESIDE = re.compile(r"(text_model\.)?text_projection(\.weight|\.bias)?|transformer\.resblocks\.(\d+)\..*|decoder\..*")


def load_parts(
    description: Description, parts: Iterable[str], dtype: torch.dtype, device: torch.device | str = "cpu", quantize: Quantize = "none"
) -> dict[str, Any]:
    """Several parts by their names; the autoencoder always in float32."""
    import torch

    return {name: load_part(description, name, torch.float32 if name == "vae" else dtype, device, quantize) for name in parts}


def load_part(
    description: Description, part: str, dtype: torch.dtype, device: torch.device | str = "cpu", quantize: Quantize = "none"
) -> nn.Module:
    """One part of a base, with its weights in `dtype` on `device`, frozen and in eval mode; `quantize` packs most of a denoiser and T5.

    Raises BaseModelError where the base has no such part, or a tensor of it is missing, unknown, of another shape or unreadable.
    """
    if part not in description.parts:
        raise BaseModelError(
            f"The base {description.source} has no {part}; give a complete model, or the file of that part as base.{part}."
        )
    from lorasmith.models.quantize import packings_of

    place = description.parts[part]
    module = empty_module(place.config)
    shapes = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    packings = packings_of(module, quantize) if quantize != "none" and place.config.architecture.quantizable else {}
    with ExitStack() as stack:
        files: dict[str, TensorFile] = {}  # key without the part's prefix -> the file that has it
        for path in place.files:
            file = open_tensors(path, allow_pickle=path.suffix.lower() in PICKLES)
            stack.enter_context(file)
            files |= {key.removeprefix(place.prefix): file for key in file.entries if key.startswith(place.prefix)}
        entries = {key: file.entries[place.prefix + key] for key, file in files.items()}
        takes = takes_for(place, shapes, entries)
        _check(description, part, takes, shapes, entries)
        state = {
            name: _fill(takes[name], shape, files[takes[name].key], place.prefix, files, dtype, device, packings.get(name))
            for name, shape in shapes.items()
        }
    module.load_state_dict(state, assign=True)
    module.to(device)  # the buffers that a fresh module has beside its weights
    lost = [name for name, tensor in (*module.named_parameters(), *module.named_buffers()) if tensor.is_meta]
    assert not lost, lost
    return module.requires_grad_(False).eval()


def empty_module(part: Part) -> nn.Module:
    """A part without weights: its parameters are on the meta device, its buffers real."""
    with without_collection():
        from accelerate import init_empty_weights

    name = part.class_name
    with init_empty_weights(include_buffers=False):
        try:
            if part.architecture.config_class:
                return build(part)
            # A folder's config has marks of diffusers beside the settings; its classes know the settings that earlier versions wrote.
            settings = {key: value for key, value in part.settings.items() if not key.startswith("_")}
            return class_of(part.architecture.library, name).from_config(settings)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise BaseModelError(
                f"The settings of the {name} make no model ({_first_line(error)}): download the base again.", code="base.damaged", part=name
            ) from error


def takes_for(place: PartPlace, shapes: Shapes, keys: Collection[str]) -> dict[str, Take]:
    """Where each tensor of a part is in its files, by whose names they have."""
    table = place.config.architecture.tables.get(place.names)
    return table(shapes, keys) if table else {name: Take(name) for name in shapes}


def _check(description: Description, part: str, takes: Mapping[str, Take], shapes: Shapes, entries: Mapping[str, Entry]) -> None:
    """Every tensor of the part has its place in the file, in its shape, and nothing of it is left over."""
    source = description.source
    missing = [take.key for name in shapes if (take := takes[name]).key not in entries]
    if missing:
        raise BaseModelError(
            f"The base {source} lacks weights of its {part} that {description.parts[part].config_from} ask for ({_one_of(missing)}); download it "
            "again, or give a diffusers folder of that model as base.config."
        )
    ends: dict[str, int] = {}
    for take in takes.values():
        ends[take.key] = max(ends.get(take.key, 0), take.rows[1] if take.rows else 0)
    for name, shape in shapes.items():
        take = takes[name]
        entry = entries[take.key]
        found = entry.shape
        if take.rows and found and ends[take.key] == found[0]:
            found = (take.rows[1] - take.rows[0], *found[1:])
        if take.transposed:
            found = found[::-1]
        if _trimmed(found) != _trimmed(shape):
            raise BaseModelError(
                f"The base {source} does not fit {description.parts[part].config_from}: {take.key} of its {part} is {_size(entry.shape)} in "
                f"the file, and {name} {_size(shape)} in the model; give a diffusers folder of that model as base.config."
            )
    others = [
        p.prefix for n, p in description.parts.items() if n != part and p.prefix and set(p.files) & set(description.parts[part].files)
    ]
    taken = {take.key for take in takes.values()}
    prefix = description.parts[part].prefix
    unknown = [
        key
        for key in entries
        if key not in taken and not _is_beside(key, part) and not any((prefix + key).startswith(o) for o in others if len(o) > len(prefix))
    ]
    if unknown:
        raise BaseModelError(
            f"The base {source} has weights that no {part} of {description.family} has ({_one_of(unknown)}); it is another kind of model, or "
            "its settings are: give a diffusers folder of that model as base.config."
        )


def _is_beside(key: str, part: str) -> bool:
    return bool(_BESIDE.fullmatch(key) or (part.startswith("text_encoder") and _TEXT_BESIDE.fullmatch(key)))


def _fill(
    take: Take, shape: tuple[int, ...], file: TensorFile, prefix: str, files: Mapping[str, TensorFile], dtype: torch.dtype,
    device: torch.device | str, packing: Literal["int8", "nf4"] | None,
) -> torch.Tensor:  # fmt: skip
    """One tensor of the module, copied out of the file."""
    import torch

    from lorasmith.models.quantize import quantize_weight

    rows = slice(*take.rows) if take.rows else slice(None)
    scale: torch.Tensor | None = None
    module, _, kind = take.key.rpartition(".")
    if kind == "weight" and file.entries[prefix + take.key].dtype.startswith("F8"):
        beside = next((key for name in SCALES if (key := f"{module}.{name}") in files), None)
        if beside:
            scale = files[beside].into(prefix + beside, slice(None), lambda t: t.to(torch.float32, copy=True))
            scale = scale[rows].reshape(-1, *[1] * (len(shape) - 1)) if scale.numel() > 1 else scale.reshape(())

    def copy(found: torch.Tensor) -> torch.Tensor:
        if scale is not None:
            found = found.to(torch.float32) * scale
        if take.transposed:
            found = found.T
        if take.halves_swapped:
            found = torch.cat(found.chunk(2)[::-1])
        if packing is not None:
            return quantize_weight(found.reshape(shape).to(device), packing, dtype)
        made = torch.empty(shape, dtype=dtype if found.is_floating_point() else found.dtype, device=device)
        return made.copy_(found.reshape(shape))

    return file.into(prefix + take.key, rows, copy)


def _trimmed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without the ones at its end: a 1x1 convolution has the numbers of a linear layer."""
    end = len(shape)
    while end > 1 and shape[end - 1] == 1:
        end -= 1
    return tuple(shape[:end])


def _one_of(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} more"


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single number"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:150]
