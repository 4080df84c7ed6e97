"""A network written another way: as a LoRA, as its plain difference, in the names that all programs read, in kohya's or in those of diffusers.

What is exact stays exact: names, LoRAs in Tucker form multiplied out, GLoRA on linear layers as a LoRA of twice the rank, anything
as `diff`. What is not a LoRA - LoHa, LoKr, rotations, magnitudes (DoRA), differences - is approximated by the largest
singular values of its change, and the error is reported: ||lost|| / ||change||, 0 for nothing lost, 1 for all of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lorasmith.adapters.base_weights import BaseWeights, opened_base
from lorasmith.adapters.delta import delta
from lorasmith.adapters.files import bundled
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.lora_file import save_lora
from lorasmith.adapters.files.network import check_new_file, check_writable, file_metadata, save_made
from lorasmith.adapters.kinds import full, lora, norm, stack
from lorasmith.adapters.kinds.formulas.formulas import Factors
from lorasmith.adapters.kinds.kind import Kind
from lorasmith.adapters.layer import Layer
from lorasmith.adapters.tools.low_rank import layer_from_svd, lora_layer, matrix_svd
from lorasmith.adapters.tools.opened import open_lora
from lorasmith.adapters.tools.peft_folder import save_peft
from lorasmith.adapters.tools.ranks import check_rank
from lorasmith.errors import AdapterError, InputError, SettingsError
from lorasmith.pages.numbers import count

FORMS = ("everywhere", "kohya", "lora", "diff", "diffusers", "peft")
"""What a file can be converted to: the names that all programs read or those of kohya's trainers alone, plain LoRA, differences, a plain LoRA
in diffusers' names, or peft's folder of one."""
NAMES_ALONE = ("everywhere", "kohya")


@dataclass(frozen=True)
class Converted:
    """What became of one layer."""

    name: str
    kind: Kind
    """What it was."""
    rank: int | None
    """What it has now; None for a difference."""
    error: float
    """||lost|| / ||change||, 0 to 1; what rounding loses is not counted."""
    rounding: float | None = None
    """||rounded - change|| / ||change||, measured on the file that was written; None where it was not measured."""


def as_lora(layer: Layer, rank: int | None = None, weight: Tensor | None = None) -> tuple[Layer, Converted]:
    """The layer as a plain LoRA: exactly where it is one, else of this rank.

    Raises:
        AdapterError: it is not one and no rank is given, it needs the base's weight, or it changes a bias or a normalisation.
    """
    if layer.kind is norm.KIND or layer.delta_bias() is not None:
        what = "a normalisation layer" if layer.kind is norm.KIND else "a bias"
        raise AdapterError(
            f"The layer {layer.name} changes {what}, which a LoRA cannot hold: convert to diff, or leave the file as it is.",
            code="convert.not_lora",
            layer=layer.name,
        )
    if _is_plain_lora(layer):
        return layer, Converted(layer.name, layer.kind, layer.rank, 0.0)
    product = layer.factors(weight)
    if product is not None:
        left, right, row = product
        return lora_layer(layer.name, left, right, float(left.shape[1]), row), Converted(layer.name, layer.kind, left.shape[1], 0.0)
    if rank is None:
        raise AdapterError(
            f"The layer {layer.name} is a {layer.described} and not a LoRA: give the rank of the LoRA to replace it.",
            code="convert.needs_rank",
            layer=layer.name,
        )
    check_rank(rank)
    whole = delta(layer, weight).double()
    if weight is None and whole.dim() == 2 and layer.kind is not full.KIND:
        _check_not_a_wide_kernel(layer)
    found = matrix_svd(whole.flatten(1), rank)
    rank = min(rank, len(found.s))
    made = layer_from_svd(layer.name, found, rank, 1.0, tuple(whole.shape[1:]))
    return made, Converted(layer.name, layer.kind, rank, found.error(rank))


def _is_plain_lora(layer: Layer) -> bool:
    return layer.kind is lora.KIND and layer.dora_scale is None and layer.bias is None and lora.MID not in layer.tensors


def _check_not_a_wide_kernel(layer: Layer) -> None:
    """Without the base, a convolution's flattened kernel cannot be distinguished from a linear layer's inputs: only by its name."""
    if "_resnets_" in layer.name or layer.name.endswith(("_conv", "_op", "_in_layers_2", "_out_layers_3", "_conv_in", "_conv_out")):
        raise AdapterError(
            f"The layer {layer.name} is a convolution whose kernel the file does not show: give the base too.",
            code="adapter.needs_base",
            layer=layer.name,
        )


def as_difference(layer: Layer, weight: Tensor | None = None) -> tuple[Layer, Converted]:
    """The layer as `diff`, W' - W number for number; normalisations stay as they are.

    Raises:
        AdapterError: it needs the base's weight.
    """
    if layer.kind in (norm.KIND, full.KIND):
        return layer, Converted(layer.name, layer.kind, None, 0.0)
    tensors, bias = {full.DIFF: delta(layer, weight).float().contiguous()}, layer.delta_bias()
    whole = Layer(layer.name, full.KIND, tensors if bias is None else {**tensors, full.DIFF_B: bias})
    return whole, Converted(layer.name, layer.kind, None, 0.0)


def convert(
    layers: Mapping[str, Layer], to: str, rank: int | None = None, base: BaseWeights | None = None
) -> tuple[dict[str, Layer], list[Converted]]:
    """All layers as "lora" or "diff", and what became of each; see `as_lora` and `as_difference`."""
    new, reports = {}, []
    for name, layer in layers.items():
        weight = base.weight(name) if base else None
        new[name], report = as_lora(layer, rank, weight) if to == "lora" else as_difference(layer, weight)
        reports.append(report)
    return new, reports


def diffusers_tensors(family: str, layers: Mapping[str, Layer], shape: Any = None) -> dict[str, Tensor]:
    """The tensors of a file as diffusers' `save_lora_weights` writes it, of LoRA layers in kohya's names.

    The alpha is worked into the weights. Where the name stands for several layers (Flux), each gets its rows of `up` and
    shares `down`.

    Raises:
        AdapterError: a layer is not a plain LoRA.
    """
    tensors: dict[str, Tensor] = {}
    for name, layer in layers.items():
        if not _is_plain_lora(layer):
            raise AdapterError(
                f"The layer {name} is not a plain LoRA, which is all that diffusers reads: convert the file to LoRA first.",
                code="convert.not_lora",
                layer=name,
            )
        part, paths = keys.layers_of(family, name, shape)
        down, up = layer.tensors[lora.DOWN], layer.tensors[lora.UP]
        scale = layer.alpha_value / down.shape[0]
        up = up if scale == 1 else up.float() * scale  # rounded once, to the precision of the new file
        place = keys.place(family, part, paths[0], shape)
        if place.halves_swapped:
            up = torch.cat(up.chunk(2)[::-1])
        shares = place.shares if len(place.shares) == len(paths) else (1,) * len(paths)  # query, key and value in one, in another's file
        if up.shape[0] % sum(shares):
            raise layer.refusal(
                f"It has {up.shape[0]} rows, which are not those of the {count(len(paths), 'layer')} that diffusers has for it.",
                "adapter.misfit",
            )
        unit = up.shape[0] // sum(shares)
        for path, own in zip(paths, up.split([share * unit for share in shares]), strict=True):
            if f"{part}.{path}.lora_A.weight" in tensors:
                raise layer.refusal(
                    f"Another layer of the file is for {path}, too, of which diffusers reads one alone.", "convert.not_lora"
                )
            tensors[f"{part}.{path}.lora_A.weight"] = down
            tensors[f"{part}.{path}.lora_B.weight"] = own.contiguous()
    return tensors


def rounding(before: Layer, after: Layer) -> float | None:
    """||after - before|| / ||before|| of a layer's change; None for kinds of which that is not known without the base."""
    same_numbers = before.kind is after.kind and before.all_tensors().keys() == after.all_tensors().keys()
    pairs = [(tensor, after.all_tensors()[suffix]) for suffix, tensor in before.all_tensors().items()] if same_numbers else []
    if pairs and before.alpha_value == after.alpha_value and all(torch.equal(a, b.to(a.dtype)) for a, b in pairs):
        return 0.0
    was, now = _factors(before), _factors(after)
    if was is None or now is None or was[0].shape != now[0].shape:
        return None
    (left, right, _), (new_left, new_right, _) = was, now
    # a b - a' b' = (a - a') b + a' (b - b'), of which no term is much larger than the sum: so fp32 does for what follows.
    less_left, less_right = (left - new_left).float(), (right - new_right).float()
    left, right, new_left = left.float(), right.float(), new_left.float()
    of_right = right @ right.T
    whole = (left.T @ left) * of_right
    lost = (less_left.T @ less_left) * of_right + (new_left.T @ new_left) * (less_right @ less_right.T)
    lost += 2 * (less_left.T @ new_left) * (right @ less_right.T)
    norm, error = float(whole.sum().clamp_min(0).sqrt()), float(lost.sum().clamp_min(0).sqrt())
    return error / norm if norm > 0 else error


def _factors(layer: Layer) -> Factors | None:
    """The two thin matrices of a change that needs no base; that all numbers are finite was seen when it was written."""
    return None if layer.dora_scale is not None else layer.kind.formulas.factors(layer.tensors, layer.alpha_value, None)


def _measured(out: Path, reports: list[Converted], layers: Mapping[str, Layer], family: str, base: BaseWeights | None) -> list[Converted]:
    """The reports with what rounding lost in the file that was written; of approximated layers nothing is measured."""
    written = open_lora(out, family, base).layers
    return [
        replace(report, rounding=rounding(layers[report.name], written[report.name]))
        if report.error == 0 and report.name in written
        else report
        for report in reports
    ]


def _check_folder(out: Path, overwrite: bool) -> None:
    """Raises InputError where peft's folder may not be written."""
    if out.suffix == ".safetensors" or out.is_file():
        raise InputError(f"{out} is a file, and a LoRA of peft a folder: give the name of a folder.", code="lora.folder", path=str(out))
    if out.exists() and not overwrite:
        raise InputError(f"{out} exists already: give another name, or --overwrite.", code="lora.exists", path=str(out))


LARGE = 2_000_000_000
"""Bytes of differences that nobody expects of a conversion of names."""


def _check_size(layers: Mapping[str, Layer], dtype: torch.dtype) -> None:
    """Raises AdapterError where layers that were trained apart would make a huge file of differences."""
    apart = [layer for layer in layers.values() if layer.kind is stack.KIND]
    shapes = [layer.shape for layer in apart if layer.shape is not None]
    size = sum(math.prod(shape) for shape in shapes) * dtype.itemsize
    if size > LARGE:
        raise AdapterError(
            f"In {count(len(apart), 'layer')} query, key and value were trained apart, as something else than LoRA. In kohya's names they are one "
            f"layer, of which only the difference can be written: {size / 1e9:.0f} GB. Convert to lora with a rank (--to lora --rank 16), or to "
            "diff if that is what you want.",
            code="convert.too_large",
        )


def convert_file(
    file: str | Path,
    out: str | Path,
    to: str = "everywhere",
    rank: int | None = None,
    base: BaseWeights | str | Path | None = None,
    family: str | None = None,
    precision: str | None = None,
    overwrite: bool = False,
    allow_pickle: bool = False,
) -> tuple[list[Converted], tuple[str, ...]]:
    """Write a network another way: in the names that all programs read, as a plain LoRA, or as differences.

    Parameters
    ----------
    file
        A LoRA file of any trainer and kind.
    out
        The new file, a .safetensors; for "peft" the new folder.
    to
        "everywhere" (names that all programs read), "kohya" (those of kohya's trainers, with alphas), "lora", "diff", "diffusers" (a LoRA
        in diffusers' names), or "peft" (its folder: weights and settings).
    rank
        The rank of the LoRA that replaces layers of other kinds.
    base
        The base (a file, a folder, a hub id), for kinds whose change depends on it: DoRA, GLoRA, (IA)^3, OFT, BOFT.
    family
        Such as "sdxl", where the file does not show it.
    precision
        fp32, fp16 or bf16. None: that of the file.
    overwrite
        Replace `out` where it exists.
    allow_pickle
        Read .pt, .ckpt and .bin files too, by torch's unpickler for weights alone.

    Returns
    -------
    What became of each layer, and notes on how the file was read and what became of embeddings that are bundled in it.

    Raises
    ------
    SettingsError
        There is no such form.
    AdapterError
        The file cannot be read, or a layer cannot be written so.
    InputError
        The new file exists already, or is not called .safetensors.

    Examples
    --------
    >>> reports, notes = ls.convert("my-lora.safetensors", "for-diffusers.safetensors", "diffusers")
    >>> max(report.error for report in reports)
    0.0
    """
    if to not in FORMS:
        raise SettingsError(f"A LoRA cannot be written as '{to}': choose {', '.join(FORMS)}.", code="convert.form")
    out = Path(out)
    if to == "peft":
        _check_folder(out, overwrite)
    else:
        check_new_file(out, overwrite)
    base = opened_base(base, with_weights=True)
    opened = open_lora(file, family, base, allow_pickle)
    layers, reports = opened.layers, [Converted(name, layer.kind, layer.rank, 0.0) for name, layer in opened.layers.items()]
    if to not in NAMES_ALONE:
        layers, reports = convert(layers, "diff" if to == "diff" else "lora", rank, base)
    dtype, notes, embeddings = opened.file.dtype(precision), opened.notes, bundled.bundled_in(opened.file.tensors)
    if to in NAMES_ALONE:
        _check_size(layers, dtype)
    if to in ("diffusers", "peft"):
        tensors = diffusers_tensors(opened.family, layers, base.shape if base else None)
        check_writable(tensors, dtype)
    if to == "peft":
        save_peft(out, opened.family, tensors, dtype)
    elif to == "diffusers":
        save_lora(out, tensors, {"format": "pt"} | file_metadata(layers, opened.family, opened.file.metadata), dtype)
    else:
        save_made(out, layers, opened.family, opened.file.metadata, dtype, to == "kohya", embeddings)
    if names := bundled.names_of(embeddings):
        gone = f"{'peft' if to == 'peft' else 'diffusers'} reads no file with embeddings in it; keep {Path(file).name} for them"
        notes = (*notes, bundled.left_out(names, gone) if to in ("diffusers", "peft") else bundled.copied(names))
    return _measured(out, reports, opened.layers, opened.family, base), notes
