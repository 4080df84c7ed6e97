"""Several networks as one: the changes of their weights, each times its ratio, added.

The sum of low-rank changes is a low-rank change: with the factors side by side,

    r1 * up1 @ down1 + r2 * up2 @ down2  =  [r1 * up1, r2 * up2] @ [down1; down2]

exactly, at the sum of the ranks. With a rank given, the best approximation of that rank is taken instead (see `resize`), by a
singular value decomposition that never builds the product. Kinds that are not of low rank are added as whole matrices: they
are approximated where a rank is given, and else written as `diff`, which is exact and as large as the layers. So are sparse methods
(`ties`, `dare`), which add only a part of each change's numbers.

The ratio is on the change and on nothing else. (Tools that scale both factors get its square, and cross terms.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from lorasmith.adapters.base_weights import BaseWeights, opened_base
from lorasmith.adapters.delta import delta
from lorasmith.adapters.files import bundled
from lorasmith.adapters.files.network import check_new_file, check_writable, save_made
from lorasmith.adapters.kinds import full, norm
from lorasmith.adapters.kinds.formulas.formulas import Factors
from lorasmith.adapters.kinds.kind import Kind
from lorasmith.adapters.layer import Layer
from lorasmith.adapters.tools.dare import dare
from lorasmith.adapters.tools.low_rank import Decomposition, best_layer, lora_layer, matrix_svd, product_svd
from lorasmith.adapters.tools.opened import open_lora
from lorasmith.adapters.tools.ranks import check_rank
from lorasmith.adapters.tools.ties import ties
from lorasmith.draws import generator_for
from lorasmith.errors import AdapterError, SettingsError
from lorasmith.registry import nearest

Weighted = tuple[Layer, float]
"""A layer and its ratio."""

METHODS: dict[str, Callable[[Sequence[Tensor], float, Sequence[torch.Generator]], Tensor]] = {
    "ties": lambda changes, density, generators: ties(changes, density),
    "dare": dare,
}
"""Sparse methods: (changes with their ratios, density, a generator for each) -> the merged change."""


@dataclass(frozen=True)
class Sparse:
    """A way to merge that uses only a share of each change's numbers."""

    method: str
    density: float = 0.5
    seed: int = 0

    def check(self) -> None:
        """Whether there is such a method.

        Raises:
            SettingsError: there is none, or the density is no share.
        """
        if self.method not in METHODS:
            raise SettingsError(f"There is no way to merge called '{self.method}'; {nearest(self.method, METHODS)}", code="merge.method")
        if not 0 < self.density <= 1:
            raise SettingsError(
                f"The density {self.density:g} is out of range: it is a share, more than 0 and at most 1.", code="merge.density"
            )

    def merged(self, changes: Sequence[Tensor], of: str) -> Tensor:
        """Changes of one tensor, which is called `of`, as one."""
        generators = [generator_for("merge", self.seed, of, network) for network in range(len(changes))]
        return METHODS[self.method](changes, self.density, generators)


@dataclass(frozen=True)
class Ranks:
    """What to approximate by: the rank, and that of kernels wider than 1x1. None: not at all."""

    rank: int | None = None
    conv_rank: int | None = None

    def of(self, row: tuple[int, ...]) -> int | None:
        """The rank of a layer with rows of this shape ([in] or [in, height, width])."""
        return self.conv_rank or self.rank if row[1:] not in ((), (1, 1)) else self.rank


@dataclass(frozen=True)
class MergedLayer:
    """A layer of the new network."""

    name: str
    kind: Kind
    rank: int | None
    """None for a difference or a normalisation."""
    error: float
    """||lost|| / ||change||, 0 to 1: what the rank left out; 0 where none was given."""


def merge(
    networks: Sequence[tuple[Mapping[str, Layer], float]],
    rank: int | None = None,
    conv_rank: int | None = None,
    base: BaseWeights | None = None,
    sparse: Sparse | None = None,
) -> dict[str, Layer]:
    """One network that does what these do together, each at its ratio. Layers that only some of them have are kept.

    `rank` approximates; `conv_rank` is for kernels wider than 1x1, `rank` where it is not given. `sparse` adds only a share of the
    numbers.

    Raises:
        AdapterError: layers that do not fit each other, or that need the base where it is not given; a rank under 1.
        SettingsError: the sparse method is unknown.
    """
    return {layer.name: layer for layer, _ in merged_layers(networks, Ranks(rank, conv_rank), base, sparse)}


def merged_layers(
    networks: Sequence[tuple[Mapping[str, Layer], float]], ranks: Ranks, base: BaseWeights | None, sparse: Sparse | None
) -> Iterator[tuple[Layer, float]]:
    """The layers of the merged network one after the other, each with the error that its rank makes; see `merge`."""
    if not networks:
        raise AdapterError("No LoRA to merge was given: give two or more files.", code="merge.nothing")
    for rank in (ranks.rank, ranks.conv_rank):
        check_rank(1 if rank is None else rank)
    if sparse is not None:
        sparse.check()
    for name in dict.fromkeys(name for layers, _ in networks for name in layers):
        weight = base.weight(name) if base else None
        yield _merge_layer([(layers[name], ratio) for layers, ratio in networks if name in layers], ranks, weight, sparse)


def _merge_layer(layers: list[Weighted], ranks: Ranks, weight: Tensor | None, sparse: Sparse | None) -> tuple[Layer, float]:
    name = layers[0][0].name
    if all(layer.kind is norm.KIND for layer, _ in layers):
        changes = {end: [ratio * layer.tensors[end].float() for layer, ratio in layers] for end in (norm.W, norm.B)}
        return Layer(name, norm.KIND, {end: _added(of_end, sparse, f"{name}.{end}") for end, of_end in changes.items()}), 0.0
    biases = [ratio * bias for layer, ratio in layers if (bias := layer.delta_bias()) is not None]
    bias = _added(biases, sparse, f"{name}.bias") if biases else None
    products = [(product, ratio) for layer, ratio in layers if sparse is None and (product := layer.factors(weight)) is not None]
    if len(products) == len(layers):
        merged, error = _merge_products(name, products, ranks)
        return replace(merged, bias=bias), error
    return _merge_deltas(name, layers, weight, bias, ranks, sparse)


def _merge_products(name: str, products: list[tuple[Factors, float]], ranks: Ranks) -> tuple[Layer, float]:
    """Low-rank changes: their factors side by side, and approximated where a rank is given."""
    _, *row = _common_shape(name, [(left.shape[0], *row) for (left, _, row), _ in products])
    left = torch.cat([ratio * left for (left, _, _), ratio in products], dim=1)
    right = torch.cat([right for (_, right, _), _ in products])
    rank = ranks.of(tuple(row))
    if rank is None:
        return lora_layer(name, left, right, float(left.shape[1]), tuple(row)), 0.0
    return _approximated(name, product_svd(left, right), rank, tuple(row))


def _common_shape(name: str, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The shape of the weight that changes of these shapes are for: in some files a kernel is flattened into the input, or left out.

    Raises:
        AdapterError: they are for weights of different sizes.
    """
    if len({(shape[0], math.prod(shape[1:])) for shape in shapes}) > 1:
        raise AdapterError(
            f"The files' layers {name} are for weights of different shapes, {sorted(set(shapes))}: they are for different bases.",
            code="merge.misfit",
        )
    return max(shapes, key=len)


def _merge_deltas(
    name: str, layers: list[Weighted], weight: Tensor | None, bias: Tensor | None, ranks: Ranks, sparse: Sparse | None
) -> tuple[Layer, float]:
    """Changes as whole matrices, added up, and approximated where a rank is given."""
    deltas = [ratio * delta(layer, weight).double() for layer, ratio in layers]
    shape = _common_shape(name, [tuple(each.shape) for each in deltas])
    total = _added([each.reshape(shape) for each in deltas], sparse, f"{name}.weight")
    rank = ranks.of(tuple(total.shape[1:]))
    if rank is None:
        return Layer(name, full.KIND, {full.DIFF: total.float()} | ({} if bias is None else {full.DIFF_B: bias})), 0.0
    merged, error = _approximated(name, matrix_svd(total.flatten(1), rank), rank, tuple(total.shape[1:]))
    return replace(merged, bias=bias), error


def _added(changes: Sequence[Tensor], sparse: Sparse | None, of: str) -> Tensor:
    return torch.stack(list(changes)).sum(0) if sparse is None else sparse.merged(changes, of)


def _approximated(name: str, found: Decomposition, rank: int, row: tuple[int, ...]) -> tuple[Layer, float]:
    layer = best_layer(name, found, rank, row)
    return layer, found.error(layer.rank or 0)


def merge_files(
    files: Sequence[tuple[str | Path, float]],
    out: str | Path,
    rank: int | None = None,
    conv_rank: int | None = None,
    base: BaseWeights | str | Path | None = None,
    family: str | None = None,
    precision: str | None = None,
    overwrite: bool = False,
    sparse: Sparse | None = None,
    allow_pickle: bool = False,
) -> list[MergedLayer]:
    """Write one LoRA file that does what several do together, each at its ratio.

    Embeddings that are bundled with them are copied; of those with one name that of the first file.

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
    sparse
        Merge by TIES or DARE, say `Sparse("ties", density=0.5)`. None: the plain sum.
    allow_pickle
        Read .pt, .ckpt and .bin files too, by torch's unpickler for weights alone.

    Returns
    -------
    The layers of the new file, each with the error that its rank makes.

    Raises
    ------
    AdapterError
        The files are for different families or bases, cannot be read, or need the base.
    InputError
        The new file exists already, or is not called .safetensors.

    Examples
    --------
    >>> layers = ls.merge([("my-lora.safetensors", 0.8), ("my-lora.safetensors", 0.2)], "both.safetensors")
    >>> {layer.rank for layer in layers}
    {4}
    """
    out = Path(out)
    check_new_file(out, overwrite)
    base = opened_base(base, with_weights=True)
    opened = [(open_lora(path, family, base, allow_pickle), ratio) for path, ratio in files]
    families = {lora.family for lora, _ in opened}
    if len(families) > 1:
        raise AdapterError(
            f"The files are for different families ({', '.join(sorted(families))}): only LoRAs of one family can be merged.",
            code="merge.families",
        )
    first = opened[0][0].file
    dtype = first.dtype(precision)
    layers, reports = {}, []
    for layer, error in merged_layers([(lora.layers, ratio) for lora, ratio in opened], Ranks(rank, conv_rank), base, sparse):
        reports.append(MergedLayer(layer.name, layer.kind, layer.rank, error))
        check_writable({f"{layer.name}.{end}": tensor for end, tensor in layer.all_tensors().items()}, dtype)
        # Differences in fp32 would be twice as large in memory as in the file.
        layers[layer.name] = layer.mapped(lambda tensor: tensor.to(dtype)) if layer.kind is full.KIND else layer
    metadata = {key: value for key, value in first.metadata.items() if key in ("ss_base_model_version", "ss_v2", "modelspec.architecture")}
    metadata |= {
        "modelspec.merged_from": ", ".join(f"{lora.path.name}:{ratio:g}" for lora, ratio in opened),
        "modelspec.title": out.stem,
        "ss_output_name": out.stem,
    }
    if sparse is not None:
        metadata["modelspec.description"] = f"Merged by {sparse.method} at the density {sparse.density:g}."
    save_made(out, layers, opened[0][0].family, metadata, dtype, embeddings=bundled.together([lora.file.tensors for lora, _ in opened]))
    return reports
