"""A part of a base model as a module: built empty, then filled tensor by tensor from the mapped file.

The module is made without weights (its parameters are on the meta device). Each tensor of its state is then copied out of the
mapped file (`PartReader`) straight into the dtype and onto the device asked for, renamed on the way where the file has other names
(`models.parts.Architecture.tables`), and the mapped pages are released. So the most memory that opening takes is what is kept, plus one tensor.
What is to be quantised (models/quantize) is quantised on the way, one tensor after the other.
Weights in eight bits are multiplied by the factors beside them (`eight_bits`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.errors import BaseModelError
from lorasmith.imports import without_collection
from lorasmith.models.description import Description, PartPlace
from lorasmith.models.files.eight_bits import SCALES, is_eight_bit
from lorasmith.models.files.part_files import files_of_a_base
from lorasmith.models.files.tensor_file import TensorFile, open_tensors
from lorasmith.models.parts import Part, build, class_of
from lorasmith.models.take import Shapes, Take
from lorasmith.safetensors_header import TYPES, Entry

if TYPE_CHECKING:
    import torch
    from torch import nn

    from lorasmith.models.quantize import PackingName
    from lorasmith.models.settings import Quantize

# What may be beside a part's weights without being one of them: buffers, the other half of CLIP or T5, marks, losses.
_BESIDE = re.compile(
    r"(.*\.)?(position_ids|logit_scale|attn_mask|scale_weight|scale_input|weight_scale|input_scale|comfy_quant|scaled_fp8|spiece_model|num_batches_tracked)"
    r"|v_pred|ztsnr|(vision_model|visual|visual_projection|decoder\.block|decoder\.final_layer_norm|lm_head|loss|model_ema|denoiser)(\..*)?"
)
_COUNTER = "num_batches_tracked"
"""How often a batch norm was trained: nothing is computed from it, and files may leave it out."""
_TEXT_BESIDE = re.compile(r"(text_model\.)?text_projection(\.weight|\.bias)?|transformer\.resblocks\.(\d+)\..*|decoder\..*")


def load_parts(
    description: Description,
    parts: Iterable[str],
    dtype: torch.dtype,
    device: torch.device | str = "cpu",
    quantize: Quantize = "none",
    blocks_to_swap: int = 0,
) -> dict[str, Any]:
    """Several parts by their names; the autoencoder always in float32. `blocks_to_swap` are the denoiser's."""
    import torch

    return {
        name: load_part(
            description, name, torch.float32 if name == "vae" else dtype, device, quantize,
            blocks_to_swap if name == description.denoiser else 0,
        )
        for name in parts
    }  # fmt: skip


def load_part(
    description: Description,
    part: str,
    dtype: torch.dtype,
    device: torch.device | str = "cpu",
    quantize: Quantize = "none",
    blocks_to_swap: int = 0,
) -> nn.Module:
    """One part of a base, with its weights in `dtype` on `device`, frozen and in eval mode.

    `quantize` packs most of a denoiser and T5. The weights of `blocks_to_swap` blocks are kept in the host's memory (`models.block_swap`).

    Raises BaseModelError where the base has no such part, or a tensor of it is missing, unknown, of another shape or unreadable.
    """
    import torch

    from lorasmith.models.block_swap import swap_blocks, swapped_weights
    from lorasmith.models.quantize import packings_of

    reader = PartReader(description, part)
    module, quantizable = reader.module, description.parts[part].config.architecture.quantizable
    packings = packings_of(module, quantize) if quantize != "none" and quantizable else {}
    blocks = swapped_weights(module, blocks_to_swap) if blocks_to_swap else {}
    swapped = {name for names in blocks.values() for name in names}
    exact = kept_in_float32(module)
    state = {}
    with reader.opened():
        for name in reader.shapes:
            read = reader.read(name, torch.float32 if name in exact else dtype, device, packings.get(name))
            state[name] = read.to("cpu") if name in swapped else read
    counters = {name: tensor for name, tensor in module.state_dict().items() if name.endswith(_COUNTER)}
    module.load_state_dict(state | counters, assign=True)
    del state
    if blocks:
        swap_blocks(module, blocks, device)
    module.to(device)  # the buffers that a fresh module has beside its weights
    lost = [name for name, tensor in (*module.named_parameters(), *module.named_buffers()) if tensor.is_meta]
    assert not lost, lost
    return module.requires_grad_(False).eval()


def kept_in_float32(module: nn.Module) -> frozenset[str]:
    """The tensors of a module of diffusers that its class keeps in float32, whatever the others are computed in."""
    kept = getattr(module, "_keep_in_fp32_modules", None) or () if hasattr(module, "from_config") else ()
    return frozenset(name for name in module.state_dict() if not {*name.split(".")[:-1]}.isdisjoint(kept))


class PartReader:
    """One part of a base whose tensors are read when they are asked for, one at a time, under the names that its module has for them.

    Raises BaseModelError where the base has no such part, or a tensor of it is missing, unknown, of another shape or unreadable.
    """

    def __init__(self, description: Description, part: str):
        if part not in description.parts:
            raise BaseModelError(
                f"The base {description.source} has no {part}; give a complete model, or the file of that part as base.{part}."
            )
        place = description.parts[part]
        self.module = empty_module(place.config)
        """Without weights: its parameters are on the meta device."""
        state = self.module.state_dict()
        self.shapes: Shapes = {name: tuple(tensor.shape) for name, tensor in state.items() if not name.endswith(_COUNTER)}
        self._prefix = place.prefix
        self._changes = description.changes.of(part) if description.changes else {}
        self._files: dict[str, TensorFile] = {}  # key without the part's prefix -> the file that has it
        for path in place.files:
            with files_of_a_base():
                file = open_tensors(path, allow_pickle=True)  # one that is not allowed was refused when the base was described
            self._files |= {key.removeprefix(place.prefix): file for key in file.entries if key.startswith(place.prefix)}
        entries = {key: file.entries[place.prefix + key] for key, file in self._files.items()}
        self.takes = takes_for(place, self.shapes, entries)
        """Where each tensor of the module is in the files."""
        _check(description, part, self.takes, self.shapes, entries)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """The files stay open within the block: mapping one again for each tensor takes longer than reading the tensor."""
        with files_of_a_base(), ExitStack() as stack:
            for file in set(self._files.values()):
                stack.enter_context(file)
            yield

    def file_of(self, name: str) -> tuple[Path, str]:
        """The file that has a tensor of the module, and its key there."""
        key = self.takes[name].key
        return self._files[key].path, self._prefix + key

    def stored_as(self, name: str) -> str:
        """safetensors' name of the dtype that a tensor of the module has in its file."""
        return self._entry(name).dtype

    def scale_of(self, name: str) -> torch.Tensor | None:
        """What the numbers of an eight-bit weight are multiplied by, in a shape that multiplies its rows; None where they are the weight."""
        factor = self.factor_of(name)
        return None if factor is None else self._scale(name, factor.float())

    def factor_of(self, name: str) -> torch.Tensor | None:
        """The factor beside an eight-bit weight of a file, all of it and as it is stored; None where the numbers are the weight."""
        beside = self._factor_key(name)
        return None if beside is None else self._read(beside, slice(None), lambda found: found.clone())

    def factor_file_of(self, name: str) -> tuple[Path, str] | None:
        """The file that has the factor beside an eight-bit weight, and its key there; None where the numbers are the weight."""
        beside = self._factor_key(name)
        return None if beside is None else (self._files[beside].path, self._prefix + beside)

    def _factor_key(self, name: str) -> str | None:
        module, _, kind = self.takes[name].key.rpartition(".")
        beside = next((key for each in SCALES if (key := f"{module}.{each}") in self._files), None)
        return beside if kind == "weight" and is_eight_bit(self._entry(name)) else None

    def _scale(self, name: str, factor: torch.Tensor) -> torch.Tensor:
        """A factor of a file's whole tensor in a shape that multiplies the rows of a tensor of the module."""
        if factor.numel() == 1:
            return factor.reshape(())
        return factor[rows_of(self.takes[name])].reshape(-1, *[1] * (len(self.shapes[name]) - 1))

    def read(self, name: str, dtype: torch.dtype, device: torch.device | str = "cpu", packing: PackingName | None = None) -> torch.Tensor:
        """One tensor of the module, copied out of its file; whole numbers keep their dtype, and fp8 numbers that are to be fp8 their bits."""
        import torch

        from lorasmith.models.quantize import FP8, quantize_weight, scaled_fp8_weight

        take, shape, scale, change = self.takes[name], self.shapes[name], self.scale_of(name), self._changes.get(name)

        def copy(found: torch.Tensor) -> torch.Tensor:
            if packing == "fp8" and found.dtype == FP8 and change is None and (scale is None or scale.dim() == 0):
                codes = _as_module(take, shape, None, found).to(device, copy=True)
                return scaled_fp8_weight(codes, torch.ones(()) if scale is None else scale, dtype).to(device)
            found = _as_module(take, shape, scale, found)
            if change is not None:
                found = (found.double() + change()).float()
            if packing is not None:
                return quantize_weight(found.to(device), packing, dtype)
            made = torch.empty(shape, dtype=dtype if found.is_floating_point() else found.dtype, device=device)
            return made.copy_(found)

        return self._read(take.key, rows_of(take), copy)

    def as_module(self, name: str, found: torch.Tensor, factor: torch.Tensor | None = None) -> torch.Tensor:
        """The rows of a file that a tensor of the module is, as the module has it; not copied where they are the same.

        `factor` is the one of the file's whole tensor that its numbers are multiplied by, where it is eight-bit and scaled.
        """
        return _as_module(self.takes[name], self.shapes[name], None if factor is None else self._scale(name, factor.float()), found)

    def in_files_shape(self, name: str, value: torch.Tensor) -> torch.Tensor:
        """A tensor of the module in the shape and the order that its rows have in the file, before any factor."""
        import torch

        take, entry = self.takes[name], self._entry(name)
        if take.halves_swapped:
            value = torch.cat(value.chunk(2)[::-1])
        if take.transposed:
            value = value.T
        return value.reshape(entry.shape if take.rows is None else (take.rows[1] - take.rows[0], *entry.shape[1:]))

    def as_stored(self, name: str, value: torch.Tensor, factor: torch.Tensor | None = None) -> torch.Tensor:
        """A tensor of the module as its file has it, in the file's shape and dtype: the way back of `as_module`."""
        import torch

        value = self.in_files_shape(name, value)
        if factor is not None:
            value = value / self._scale(name, factor.to(value.dtype)).reshape(-1, *[1] * (value.dim() - 1))
        return value.to(getattr(torch, TYPES[self._entry(name).dtype][0]))

    def _entry(self, name: str) -> Entry:
        key = self.takes[name].key
        return self._files[key].entries[self._prefix + key]

    def _read(self, key: str, rows: slice, make: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        with files_of_a_base(), self._files[key] as file:
            return file.into(self._prefix + key, rows, make)


def _as_module(take: Take, shape: tuple[int, ...], scale: torch.Tensor | None, found: torch.Tensor) -> torch.Tensor:
    import torch

    if scale is not None:
        found = found.to(torch.float32) * scale
    if take.transposed:
        found = found.T
    if take.halves_swapped:
        found = torch.cat(found.chunk(2)[::-1])
    return found.reshape(shape)


def rows_of(take: Take) -> slice:
    """The rows of a tensor of a file that one of a module is."""
    return slice(*take.rows) if take.rows else slice(None)


def empty_module(part: Part) -> nn.Module:
    """A part without weights: its parameters are on the meta device, its buffers real but for those that its files have."""
    with without_collection():
        from accelerate import init_empty_weights

    name = part.class_name
    with init_empty_weights(include_buffers=part.architecture.buffers_in_files):
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
        if take.any_shape and prod(found) == prod(shape):
            continue
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
        if key not in taken
        and not description.parts[part].config.leaves_out(key)
        and not _is_beside(key, part, description.parts[part].config.architecture.unused)
        and not any((prefix + key).startswith(o) for o in others if len(o) > len(prefix))
    ]
    if unknown:
        raise BaseModelError(
            f"The base {source} has weights that no {part} of {description.family} has ({_one_of(unknown)}); it is another kind of model, or "
            "its settings are: give a diffusers folder of that model as base.config."
        )


def _is_beside(key: str, part: str, unused: str | None) -> bool:
    patterns = (_BESIDE, *([_TEXT_BESIDE] if part.startswith("text_encoder") else []), *([re.compile(unused)] if unused else []))
    return any(pattern.fullmatch(key) for pattern in patterns)


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
