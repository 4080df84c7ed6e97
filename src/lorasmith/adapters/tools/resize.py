"""Give a LoRA other ranks: fewer numbers for nearly the same change of the weights.

The change of a layer, delta W = alpha / rank * up @ down, has at most `rank` singular values that are not zero, and the largest of them
make its best approximation (see `low_rank`). A file may keep the same number everywhere ("fixed"), another in some blocks, or in each
layer as many as it needs (see `ranks`). The alpha changes with the rank, so that the strength stays. No weight change is ever built:
`up` and `down` are made orthogonal, and the singular values are those of the small matrix between them, which takes milliseconds where
the product takes seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from lorasmith.adapters.files.bundled import bundled_in
from lorasmith.adapters.files.network import check_new_file, save_made
from lorasmith.adapters.kinds import lora
from lorasmith.adapters.kinds.formulas import lora as lora_formulas
from lorasmith.adapters.kinds.formulas.formulas import Factors
from lorasmith.adapters.layer import Layer
from lorasmith.adapters.tools.low_rank import SMALLEST, layer_from_svd, product_svd
from lorasmith.adapters.tools.opened import open_lora
from lorasmith.adapters.tools.ranks import check_rank, dynamic_rank, ranks_by_pattern
from lorasmith.errors import AdapterError


@dataclass(frozen=True)
class Resized:
    """What became of one layer: ranks before and after, and how much of the change was kept (nan where there was no change)."""

    name: str
    old_rank: int
    rank: int
    sum_retained: float
    """Share of the sum of singular values, 0 to 1."""
    norm_retained: float
    """Share of the Frobenius norm of delta W, 0 to 1."""
    max_ratio: float
    """The largest singular value over the smallest that was kept."""


def resize_layer(layer: Layer, rank: int, method: str | None = None, target: float = 0.0) -> tuple[Layer, Resized]:
    """A LoRA layer in another rank, its tensors in fp32, and what it kept. `rank` is the rank, or with a method the most.

    Raises:
        AdapterError: a layer of another kind or with a magnitude (DoRA), or one with numbers that are not finite.
    """
    check_rank(rank)
    if layer.kind is not lora.KIND or layer.dora_scale is not None:
        raise AdapterError(
            f"The layer {layer.name} is a {layer.described}, which has no ranks to choose from: convert the file to LoRA first.",
            code="resize.not_lora",
            layer=layer.name,
        )
    left, right, kernel = lora_factors(layer)
    old_rank = left.shape[1]
    scale = layer.alpha_value / old_rank
    found = product_svd(left, right)
    full = min(left.shape[0], right.shape[1])
    values = torch.cat([found.s, found.s.new_zeros(max(0, full - len(found.s)))])
    whole = values[0] > SMALLEST
    new_rank = dynamic_rank(values, method, target, rank) if method else min(rank, full) if whole else 1
    kept = values[:new_rank]
    report = Resized(
        layer.name,
        old_rank,
        new_rank,
        float(kept.sum() / values.sum()) if whole else float("nan"),
        float(kept.norm() / values.norm()) if whole else float("nan"),
        float(values[0] / kept[-1]) if whole else float("nan"),
    )
    return replace(layer_from_svd(layer.name, found, new_rank, scale, kernel), bias=layer.bias), report


def lora_factors(layer: Layer) -> Factors:
    """`left` [out, rank] and `right` [rank, in x kernel] of a LoRA layer in fp64, without its scale, and the shape of one row.

    A LoCon in Tucker form (`lora_mid`) is multiplied out on the input's side, which is exact.

    Raises:
        AdapterError: numbers in it are not finite, or shapes do not go together.
    """
    layer.check_finite()
    try:
        return lora_formulas.unscaled_factors(layer.tensors)
    except AdapterError as error:
        raise layer.refusal(str(error)) from None


def resize(
    layers: Mapping[str, Layer],
    rank: int,
    conv_rank: int | None = None,
    method: str | None = None,
    target: float = 0.0,
    of_layers: Mapping[str, int] | None = None,
) -> tuple[dict[str, Layer], list[Resized]]:
    """All layers in other ranks, and what each kept. `conv_rank` is for the convolutions, those of 1x1 too as with kohya's tool, `rank` where it is not given; `of_layers` comes
    before both. Trained normalisations, which have no rank, stay as they are and are not reported.

    Raises:
        AdapterError: see `resize_layer`; or there is no other layer.
    """
    new, reports = {}, []
    for name, layer in layers.items():
        if not layer.kind.changes_weight:
            new[name] = layer
            continue
        convolution = lora.DOWN in layer.tensors and layer.tensors[lora.DOWN].dim() == 4
        usual = conv_rank if convolution and conv_rank else rank
        new[name], report = resize_layer(layer, (of_layers or {}).get(name, usual), method, target)
        reports.append(report)
    if not reports:
        raise AdapterError(
            "The file has no layer with a rank, trained normalisations alone: there is nothing to resize.", code="resize.not_lora"
        )
    return new, reports


def resize_file(
    file: str | Path,
    out: str | Path,
    rank: int,
    conv_rank: int | None = None,
    method: str | None = None,
    target: float = 0.9,
    precision: str | None = None,
    overwrite: bool = False,
    family: str | None = None,
    block_ranks: Mapping[str, int] | None = None,
    allow_pickle: bool = False,
) -> list[Resized]:
    """Write a LoRA in other ranks, keeping as much of what it does as they allow; embeddings that are bundled with it are copied.

    Parameters
    ----------
    file
        A LoRA file of any trainer.
    out
        The new file, a .safetensors.
    rank, conv_rank
        The new rank, and that of convolutions, of 1x1 too; with a `method` the most that a layer may have.
    method, target
        Choose each layer's rank: "sv_ratio" (say 20), "sv_fro" or "sv_cumulative" (a share, say 0.9).
    precision
        fp32, fp16 or bf16. None: that of the file.
    overwrite
        Replace `out` where it exists.
    family
        Such as "sdxl", where the file does not show it.
    block_ranks
        Other ranks for single blocks or layers, by the patterns of `network.layers`: {"IN08": 16, "TE*": 4}. The first that fits decides.
    allow_pickle
        Read .pt, .ckpt and .bin files too, by torch's unpickler for weights alone.

    Returns
    -------
    For each layer its ranks before and after, and how much of the change was kept.

    Raises
    ------
    AdapterError
        The file cannot be read, or has layers that are not LoRAs.
    InputError
        The new file exists already, or is not called .safetensors.

    Examples
    --------
    >>> reports = ls.resize("my-lora.safetensors", "smaller.safetensors", rank=1)
    >>> {(report.old_rank, report.rank) for report in reports}
    {(2, 1)}
    """
    out = Path(out)
    check_new_file(out, overwrite)
    opened = open_lora(file, family, allow_pickle=allow_pickle)
    of_layers = ranks_by_pattern(opened.family, opened.layers, block_ranks or {})
    layers, reports = resize(opened.layers, rank, conv_rank, method, target, of_layers)
    embeddings = bundled_in(opened.file.tensors)
    save_made(out, layers, opened.family, opened.file.metadata, opened.file.dtype(precision), embeddings=embeddings)
    return reports
