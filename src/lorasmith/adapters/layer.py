"""One layer of a network: the form that it has everywhere between a file and a trained module.

    layer = read_layer("lora_unet_mid_block_...", {"lora_down.weight": ..., "lora_up.weight": ..., "alpha": ...})
    layer.kind, layer.rank, layer.alpha
    layer.delta_weight(weight)      # W' - W in fp32
    layer.file_tensors()            # the tensors again, as its kind is written

What a layer is without its numbers is in `outline`. `read_layer` and `Layer.file_tensors` are the one way from a file's tensors to a layer and back; `read_layers` and `file_tensors` do the
same for all layers of a file in kohya's layout. Files in other layouts are read by `files.dialects`, into the same layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import isfinite
from typing import NamedTuple

import torch
from torch import Tensor

from lorasmith.adapters.kinds import ALPHA, DORA_SCALE
from lorasmith.adapters.kinds.formulas import dora as dora_formulas
from lorasmith.adapters.kinds.formulas.formulas import Factors
from lorasmith.adapters.kinds.full import DIFF_B
from lorasmith.adapters.kinds.kind import Kind
from lorasmith.adapters.outline import LayerOutline, outline_of
from lorasmith.errors import AdapterError


@dataclass(frozen=True, eq=False, repr=False)
class Layer(LayerOutline):
    """One layer of a network: its name in kohya's layout, its kind, and its numbers."""

    tensors: Mapping[str, Tensor]
    dora_scale: Tensor | None = None
    bias: Tensor | None = None

    # Computing.

    def delta_weight(self, weight: Tensor) -> Tensor:
        """W' - W in fp32 at strength 1, for the base weight over all its rows."""
        delta = self.kind.formulas.delta_weight(self.tensors, self.alpha_value, weight)
        return delta if self.dora_scale is None else dora_formulas.delta_weight(delta, self.dora_scale, weight)

    def delta_bias(self) -> Tensor | None:
        """b' - b in fp32 at strength 1; None where the bias stays."""
        return self.kind.formulas.delta_bias(self.tensors) if self.bias is None else self.bias.float()

    def norm(self, weight: Tensor) -> Tensor:
        """The Frobenius norm of W' - W, DoRA's magnitude aside; a scalar in fp32."""
        formulas = self.kind.formulas
        if formulas.norm is not None:
            return formulas.norm(self.tensors, self.alpha_value)
        return formulas.delta_weight(self.tensors, self.alpha_value, weight).norm()

    def factors(self, weight: Tensor | None = None) -> Factors | None:
        """Two thin matrices in fp64 whose product is exactly W' - W; None where there are none (DoRA, most kinds).

        Raises:
            AdapterError: numbers in it are not finite, or its shapes do not go together.
        """
        if self.dora_scale is not None:
            return None
        try:
            found = self.kind.formulas.factors(self.tensors, self.alpha_value, weight)
        except AdapterError as error:
            raise self.refusal(str(error)) from None
        if found is not None:
            self.check_finite()
        return found

    # Checking.

    def refusal(self, reason: str, code: str | None = None) -> AdapterError:
        """The error that this layer cannot be used, for a reason given as a sentence."""
        return AdapterError(f"The layer {self.name} cannot be used. {reason}", code=code, layer=self.name)

    def check_finite(self) -> None:
        """Raises AdapterError where numbers in the layer are not finite, its alpha with them where that counts."""
        finite = isfinite(self.alpha_value) or not self.alpha_counts
        if not finite or not all(tensor.isfinite().all() for tensor in self.all_tensors().values() if tensor.is_floating_point()):
            raise AdapterError(
                f"The layer {self.name} has numbers that are not finite: the training went wrong, or the file is damaged.",
                code="adapter.not_finite",
                layer=self.name,
            )

    def check_computable(self) -> None:
        """Raises AdapterError where the layer can be read and kept, but not be attached, added up or converted."""
        if opaque := sorted(self.kind.opaque & self.tensors.keys()):
            raise self.refusal(f"It has a {opaque[0]}, which every program reads differently: train it without.", "adapter.opaque")
        if not self.kind.changes_weight:
            raise self.refusal(f"It is a {self.kind.title}, which does not change a weight matrix.", "adapter.not_a_weight")

    def misfit(self, shape: tuple[int, ...]) -> str | None:
        """Why the layer cannot change a weight of this shape, as a sentence; None where it can.

        The change is computed on the meta device, where only shapes count, so no kind says its shapes twice; once for all layers of the
        same shapes, which a model has by the dozen.
        """
        outlined = tuple((suffix, _outlined(tensor, suffix in self.kind.marks)) for suffix, tensor in self.tensors.items())
        dora_scale = None if self.dora_scale is None else _outlined(self.dora_scale)
        return _misfit(self.kind, outlined, self.alpha, dora_scale, tuple(shape))

    def check_fits(self, shape: tuple[int, ...]) -> None:
        """Raises AdapterError where the layer cannot change a weight of this shape."""
        if reason := self.misfit(shape):
            raise AdapterError(
                f"The layer {self.name} of the LoRA file does not fit the base's weight of shape {list(shape)}: it was made for another "
                f"base model. {reason}",
                code="adapter.misfit",
                layer=self.name,
            )

    # Changing its form.

    def all_tensors(self) -> dict[str, Tensor]:
        """The tensors by suffix, DoRA's magnitude and the change of the bias with them; not copied."""
        beside = {DORA_SCALE: self.dora_scale, DIFF_B: self.bias}
        return {**self.tensors, **{suffix: tensor for suffix, tensor in beside.items() if tensor is not None}}

    def mapped(self, function: Callable[[Tensor], Tensor]) -> Layer:
        """The same layer with `function` applied to each of its tensors."""
        tensors = {suffix: function(tensor) for suffix, tensor in self.tensors.items()}
        dora_scale, bias = (None if beside is None else function(beside) for beside in (self.dora_scale, self.bias))
        return replace(self, tensors=tensors, dora_scale=dora_scale, bias=bias)

    def placed(self, device: torch.device, dtype: torch.dtype) -> Layer:
        """A copy on a device in a dtype; marks stay whole numbers on the CPU."""
        return self.mapped(lambda tensor: tensor.to(device, dtype, copy=True) if tensor.is_floating_point() else tensor.clone())

    def file_tensors(self) -> dict[str, Tensor]:
        """The layer's tensors by suffix as its kind is written, alpha and magnitude with them; weights are not copied.

        A missing alpha is written out as the rank, as all programs take it; one that nothing depends on, and that is infinite, as 1. A
        magnitude in one row is written along the axis that it belongs to.
        """
        found, alpha = self.kind.formulas.to_file({suffix: value.detach() for suffix, value in self.tensors.items()}, self.alpha_value)
        if self.kind.has_alpha and (self.alpha is not None or self.rank is not None):
            found[ALPHA] = torch.tensor(float(alpha) if self.alpha_counts or isfinite(alpha) else 1.0)
        if self.dora_scale is not None:
            scale = self.dora_scale.detach()
            found[DORA_SCALE] = scale if self.shape is None else dora_formulas.in_its_place(scale, self.shape)
        if self.bias is not None:
            found[DIFF_B] = self.bias.detach()
        return found


class _Outlined(NamedTuple):
    """A tensor of which the shape and the dtype count, and of a mark the values."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    values: tuple[int, ...] | None

    def blank(self) -> Tensor:
        if self.values is not None:
            return torch.tensor(self.values, dtype=self.dtype).reshape(self.shape)
        return torch.empty(self.shape, dtype=self.dtype, device="meta")


def _outlined(tensor: Tensor, is_mark: bool = False) -> _Outlined:
    return _Outlined(tuple(tensor.shape), tensor.dtype, tuple(tensor.flatten().tolist()) if is_mark else None)


@lru_cache(maxsize=4096)
def _misfit(
    kind: Kind, tensors: tuple[tuple[str, _Outlined], ...], alpha: float | None, dora_scale: _Outlined | None, shape: tuple[int, ...]
) -> str | None:
    """`Layer.misfit` for every layer with tensors of these shapes."""
    own = {suffix: outlined.blank() for suffix, outlined in tensors}
    layer = Layer("", kind, own, alpha, None if dora_scale is None else dora_scale.blank())
    try:
        found = tuple(layer.delta_weight(torch.empty(shape, device="meta")).shape)
    except AdapterError as error:
        return str(error)
    except (RuntimeError, ValueError, IndexError):
        found = None
    return None if found == shape else f"It is not made for a weight of shape {list(shape)}."


# ---- from files and to files


def read_layer(name: str, tensors: Mapping[str, Tensor], written_as: tuple[str, ...] = ()) -> Layer:
    """What a layer of a file is, from its tensors by suffix.

    Raises:
        AdapterError: no kind has such tensors, they do not go together, or the alpha is not a single number.
    """
    found, alpha = outline_of(name, tensors, written_as=written_as), tensors.get(ALPHA)
    own = {suffix: value.long().cpu() if suffix in found.kind.marks else value for suffix, value in found.tensors.items()}
    return Layer(name, found.kind, own, None if alpha is None else float(alpha), found.dora_scale, written_as, found.bias)


def read_layers(tensors: Mapping[str, Tensor]) -> dict[str, Layer]:
    """The layers of a file in kohya's layout, by the names that they have in it, whatever model they are for.

    Raises:
        AdapterError: a key is not in kohya's layout, or a layer is of no known kind.
    """
    of_layers: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        name, _, suffix = key.partition(".")
        of_layers.setdefault(name, {})[suffix] = tensor
    layers = {}
    for name, own in of_layers.items():
        try:
            layers[name] = read_layer(name, own, (name,))
        except AdapterError as error:
            raise AdapterError(f"The layer {name} of the file cannot be read. {error}", code=error.code, layer=name) from None
    return layers


def file_tensors(layers: Iterable[Layer]) -> dict[str, Tensor]:
    """The tensors of a file in kohya's layout with these layers; weights are not copied."""
    return {f"{layer.name}.{suffix}": tensor for layer in layers for suffix, tensor in layer.file_tensors().items()}
