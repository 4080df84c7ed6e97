"""Several networks as one: the changes of their weights, each times its ratio, added.

The sum of low-rank changes is a low-rank change: with the factors side by side,

    r1 * up1 @ down1 + r2 * up2 @ down2  =  [r1 * up1, r2 * up2] @ [down1; down2]

exactly, at the sum of the ranks. With a rank given, the best approximation of that rank is taken instead (see `resize`), by a
singular value decomposition that never builds the product. Kinds that are not of low rank are added as whole matrices: they
are approximated where a rank is given, and else written as `diff`, which is exact and as large as the layers.

The ratio is on the change and on nothing else. (Tools that scale both factors get its square, and cross terms.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from lorasmith.adapters.base_weights import BaseWeights, opened_base
from lorasmith.adapters.delta import delta
from lorasmith.adapters.files.network import check_new_file, save_made
from lorasmith.adapters.kinds import full, norm
from lorasmith.adapters.kinds.formulas.formulas import Factors
from lorasmith.adapters.layer import Layer
from lorasmith.adapters.tools.low_rank import best_layer, lora_layer, matrix_svd, product_svd
from lorasmith.adapters.tools.opened import open_lora
from lorasmith.adapters.tools.ranks import check_rank
from lorasmith.errors import AdapterError

Weighted = tuple[Layer, float]
"""A layer and its ratio."""


@dataclass(frozen=True)
class Ranks:
    """What to approximate by: the rank, and that of kernels wider than 1x1. None: not at all."""

    rank: int | None = None
    conv_rank: int | None = None

    def of(self, row: tuple[int, ...]) -> int | None:
        """The rank of a layer with rows of this shape ([in] or [in, height, width])."""
        return self.conv_rank or self.rank if row[1:] not in ((), (1, 1)) else self.rank


def merge(
    networks: Sequence[tuple[Mapping[str, Layer], float]],
    rank: int | None = None,
    conv_rank: int | None = None,
    base: BaseWeights | None = None,
) -> dict[str, Layer]:
    """One network that does what these do together, each at its ratio. Layers that only some of them have are kept.

    `rank` approximates; `conv_rank` is for kernels wider than 1x1, `rank` where it is not given.

    Raises:
        AdapterError: layers that do not fit each other, or that need the base where it is not given; a rank under 1.
    """
    if not networks:
        raise AdapterError("No LoRA to merge was given: give two or more files.", code="merge.nothing")
    for each in (rank, conv_rank):
        check_rank(1 if each is None else each)
    names = dict.fromkeys(name for layers, _ in networks for name in layers)
    ranks = Ranks(rank, conv_rank)
    return {name: _merge_layer([(layers[name], ratio) for layers, ratio in networks if name in layers], ranks, base) for name in names}


def _merge_layer(layers: list[Weighted], ranks: Ranks, base: BaseWeights | None) -> Layer:
    name = layers[0][0].name
    if all(layer.kind is norm.KIND for layer, _ in layers):
        return Layer(
            name,
            norm.KIND,
            {suffix: _sum([ratio * layer.tensors[suffix].float() for layer, ratio in layers]) for suffix in (norm.W, norm.B)},
        )
    weight = base.weight(name) if base else None
    products = [(product, ratio) for layer, ratio in layers if (product := layer.factors(weight)) is not None]
    if len(products) == len(layers):
        biases = [ratio * bias for layer, ratio in layers if (bias := layer.delta_bias()) is not None]
        return replace(_merge_products(name, products, ranks), bias=_sum(biases) if biases else None)
    return _merge_deltas(name, layers, weight, ranks)


def _merge_products(name: str, products: list[tuple[Factors, float]], ranks: Ranks) -> Layer:
    """Low-rank changes: their factors side by side, and approximated where a rank is given."""
    shapes = {(left.shape[0], *row) for (left, _, row), _ in products}
    if len(shapes) > 1:
        raise AdapterError(
            f"The files' layers {name} are for weights of different shapes, {sorted(shapes)}: they are for different bases.",
            code="merge.misfit",
        )
    left = torch.cat([ratio * left for (left, _, _), ratio in products], dim=1)
    right = torch.cat([right for (_, right, _), _ in products])
    row = products[0][0][2]
    rank = ranks.of(row)
    if rank is None:
        return lora_layer(name, left, right, float(left.shape[1]), row)
    return best_layer(name, product_svd(left, right), rank, row)


def _merge_deltas(name: str, layers: list[Weighted], weight: torch.Tensor | None, ranks: Ranks) -> Layer:
    """Changes as whole matrices: their sum, and approximated where a rank is given."""
    deltas = [ratio * delta(layer, weight).double() for layer, ratio in layers]
    if len({tuple(each.shape) for each in deltas}) > 1:
        raise AdapterError(
            f"The files' layers {name} are for weights of different shapes: they are for different bases, or a base must be given.",
            code="merge.misfit",
        )
    total = _sum(deltas)
    biases = [ratio * bias for layer, ratio in layers if (bias := layer.delta_bias()) is not None]
    rank = ranks.of(tuple(total.shape[1:]))
    if rank is None:
        return Layer(name, full.KIND, {full.DIFF: total.float()} | ({full.DIFF_B: _sum(biases)} if biases else {}))
    if biases:
        raise AdapterError(f"The layer {name} has a change of its bias, which a LoRA cannot hold: merge without a rank.", code="merge.bias")
    return best_layer(name, matrix_svd(total.flatten(1), rank), rank, tuple(total.shape[1:]))


def _sum(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(tensors)).sum(0)


def merge_files(
    files: Sequence[tuple[str | Path, float]],
    out: str | Path,
    rank: int | None = None,
    conv_rank: int | None = None,
    base: BaseWeights | str | Path | None = None,
    family: str | None = None,
    precision: str | None = None,
    overwrite: bool = False,
) -> dict[str, Layer]:
    """Write one LoRA file that does what several do together, each at its ratio.

    Parameters
    ----------
    files
        LoRA files of any trainer and kind, each with its ratio.
    out
        The new file, a .safetensors.
    rank, conv_rank
        Approximate the sum by this rank; `conv_rank` is for kernels wider than 1x1. None: exact, the ranks add up.
    base
        The base (a file, a folder, a hub id), for kinds whose change depends on it: DoRA, GLoRA, (IA)^3, OFT, BOFT.
    family
        Such as "sdxl", where the files do not show it.
    precision
        fp32, fp16 or bf16. None: that of the first file.
    overwrite
        Replace `out` where it exists.

    Returns
    -------
    The layers of the new file, by name.

    Raises
    ------
    AdapterError
        The files are for different families or bases, cannot be read, or need the base.
    InputError
        The new file exists already, or is not called .safetensors.

    Examples
    --------
    >>> layers = ls.merge([("my-lora.safetensors", 0.8), ("my-lora.safetensors", 0.2)], "both.safetensors")
    >>> {layer.rank for layer in layers.values()}
    {4}
    """
    out = Path(out)
    check_new_file(out, overwrite)
    base = opened_base(base, with_weights=True)
    opened = [(open_lora(path, family, base), ratio) for path, ratio in files]
    families = {lora.family for lora, _ in opened}
    if len(families) > 1:
        raise AdapterError(
            f"The files are for different families ({', '.join(sorted(families))}): only LoRAs of one family can be merged.",
            code="merge.families",
        )
    layers = merge([(lora.layers, ratio) for lora, ratio in opened], rank, conv_rank, base)
    first = opened[0][0].file
    metadata = {key: value for key, value in first.metadata.items() if key in ("ss_base_model_version", "ss_v2", "modelspec.architecture")}
    metadata |= {
        "modelspec.merged_from": ", ".join(f"{lora.path.name}:{ratio:g}" for lora, ratio in opened),
        "modelspec.title": out.stem,
        "ss_output_name": out.stem,
    }
    save_made(out, layers, opened[0][0].family, metadata, first.dtype(precision))
    return layers
