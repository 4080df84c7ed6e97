"""Give a LoRA other ranks: fewer numbers for nearly the same change of the weights.

The change of a layer, delta W = alpha / rank * up @ down, has at most `rank` singular values that are not zero. The best
approximation of a lower rank, in the sum of squares, keeps the largest of them (Eckart and Young 1936). A file may keep the
same number everywhere ("fixed") or in each layer as many as it needs:

    sv_ratio        those larger than the largest divided by this number
    sv_fro          enough for this share of the norm of delta W (0.9: of its Frobenius norm)
    sv_cumulative   enough for this share of the sum of the singular values

each and one more, and never more than the rank that was given: kohya's rule, so that files come out as users know them. The
alpha changes with the rank, so that the strength stays. No weight change is ever built: `up` and `down` are made orthogonal,
and the singular values are those of the small matrix between them, which takes milliseconds where the product takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from lorasmith.adapters.files.network import check_new_file, save_made
from lorasmith.adapters.kinds import lora
from lorasmith.adapters.kinds.formulas import lora as lora_formulas
from lorasmith.adapters.kinds.formulas.formulas import Factors
from lorasmith.adapters.layer import Layer
from lorasmith.adapters.tools.opened import open_lora
from lorasmith.errors import AdapterError
from lorasmith.registry import nearest

SMALLEST = 1e-6
"""A largest singular value of no more than this is negligible: the layer gets rank 1."""


def by_ratio(values: Tensor, ratio: float) -> int:
    """How many of the falling singular values are larger than the largest over `ratio`."""
    return int((values > values[0] / ratio).sum())


def by_norm(values: Tensor, share: float) -> int:
    """How many of the falling singular values make up this share of the norm, less one that is always kept."""
    energy = values.square().cumsum(0)
    return int(torch.searchsorted(energy / energy[-1], share**2)) + 1


def by_sum(values: Tensor, share: float) -> int:
    """How many of the falling singular values make up this share of their sum, less one that is always kept."""
    total = values.cumsum(0)
    return int(torch.searchsorted(total / total[-1], share)) + 1


METHODS: dict[str, Callable[[Tensor, float], int]] = {"sv_ratio": by_ratio, "sv_fro": by_norm, "sv_cumulative": by_sum}


def dynamic_index(values: Tensor, method: str, target: float) -> int:
    """The last singular value kept, counted from 0, within 1 and the last but one (0 where there is one only)."""
    return max(min(METHODS[method](values, target), len(values) - 1), min(1, len(values) - 1))


def dynamic_rank(values: Tensor, method: str, target: float, most: int) -> int:
    """The rank that falling singular values need, at most `most`; 1 where they are all negligible.

    Raises:
        AdapterError: an unknown method, or a target out of its range.
    """
    if method not in METHODS:
        raise AdapterError(f"There is no way to choose ranks called '{method}'; {nearest(method, METHODS)}", code="resize.method")
    if method == "sv_ratio" and not target >= 1:
        raise AdapterError(f"sv_ratio {target:g} is out of range: the largest singular value over the smallest kept is 1 or more.")
    if method != "sv_ratio" and not 0 < target <= 1:
        raise AdapterError(f"{method} {target:g} is out of range: it is a share, more than 0 and at most 1.")
    if values[0] <= SMALLEST:
        return 1
    return min(dynamic_index(values, method, target) + 1, most)


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


def product_svd(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The singular value decomposition (U, S, Vh) of `left @ right` without building it: U [m, r], S [r] falling, Vh [r, n]."""
    q_left, r_left = torch.linalg.qr(left)
    q_right, r_right = torch.linalg.qr(right.T)
    u, s, vh = torch.linalg.svd(r_left @ r_right.T, full_matrices=False)
    return q_left @ u, s, vh @ q_right.T


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
    u, s, vh = product_svd(left, right)
    full = min(left.shape[0], right.shape[1])
    values = torch.cat([s, s.new_zeros(max(0, full - len(s)))])
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
    return replace(layer_from_svd(layer.name, u, s, vh, new_rank, scale, kernel), bias=layer.bias), report


def check_rank(rank: int) -> None:
    """Raises AdapterError for a rank that no LoRA can have."""
    if rank < 1:
        raise AdapterError(f"The rank {rank} is out of range: it must be 1 or more.", code="lora.rank", rank=rank)


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


def layer_from_svd(name: str, u: Tensor, s: Tensor, vh: Tensor, rank: int, scale: float, kernel: tuple[int, ...]) -> Layer:
    """A LoRA layer of this rank from a decomposition of its unscaled product; both factors carry the root of S."""
    missing = max(0, rank - len(s))
    root = s[:rank].sqrt()
    up = torch.cat([u[:, :rank] * root, u.new_zeros(u.shape[0], missing)], dim=1)
    down = torch.cat([root[:, None] * vh[:rank], vh.new_zeros(missing, vh.shape[1])])
    return lora_layer(name, up, down, scale * rank, kernel)


def lora_layer(name: str, left: Tensor, right: Tensor, alpha: float, kernel: tuple[int, ...]) -> Layer:
    """A LoRA layer in fp32 from its factors [out, rank] and [rank, in x kernel]; `kernel` is [in] or [in, height, width]."""
    up = left.float().reshape(*left.shape, *(1 for _ in kernel[1:]))
    down = right.float().reshape(right.shape[0], *kernel)
    return Layer(name, lora.KIND, {lora.DOWN: down.contiguous(), lora.UP: up.contiguous()}, alpha)


def resize(
    layers: Mapping[str, Layer], rank: int, conv_rank: int | None = None, method: str | None = None, target: float = 0.0
) -> tuple[dict[str, Layer], list[Resized]]:
    """All layers in other ranks, and what each kept. `conv_rank` is for the convolutions, `rank` where it is not given.

    Raises:
        AdapterError: see `resize_layer`.
    """
    new, reports = {}, []
    for name, layer in layers.items():
        convolution = lora.DOWN in layer.tensors and layer.tensors[lora.DOWN].dim() == 4
        new[name], report = resize_layer(layer, conv_rank if convolution and conv_rank else rank, method, target)
        reports.append(report)
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
) -> list[Resized]:
    """Write a LoRA in other ranks, keeping as much of what it does as they allow.

    Parameters
    ----------
    file
        A LoRA file of any trainer.
    out
        The new file, a .safetensors.
    rank, conv_rank
        The new rank, and that of convolutions; with a `method` the most that a layer may have.
    method, target
        Choose each layer's rank: "sv_ratio" (say 20), "sv_fro" or "sv_cumulative" (a share, say 0.9).
    precision
        fp32, fp16 or bf16. None: that of the file.
    overwrite
        Replace `out` where it exists.
    family
        Such as "sdxl", where the file does not show it.

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
    opened = open_lora(file, family)
    layers, reports = resize(opened.layers, rank, conv_rank, method, target)
    save_made(out, layers, opened.family, opened.file.metadata, opened.file.dtype(precision))
    return reports
