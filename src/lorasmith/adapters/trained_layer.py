"""A layer of a network as a module: its tensors as parameters, under their names in the file, and its forward pass in training."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from lorasmith.adapters.kinds import DORA_SCALE
from lorasmith.adapters.kinds.formulas import dora
from lorasmith.adapters.kinds.formulas.dropouts import Draws
from lorasmith.adapters.kinds.formulas.target_layer import Call, RankMask, TargetLayer
from lorasmith.adapters.kinds.layer_settings import LayerSettings
from lorasmith.adapters.layer import Layer


class Factor(nn.Module):
    """One of a layer's tensors whose name in the file ends in `.weight`; a module only for that name's sake."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)


class TrainedLayer(nn.Module):
    """A `Layer` whose tensors are trained; what they mean is the kind's business."""

    def __init__(self, layer: Layer, settings: LayerSettings) -> None:
        super().__init__()
        self.name, self.kind, self.alpha, self.settings = layer.name, layer.kind, layer.alpha_value, settings
        self.suffixes, self.has_dora = tuple(layer.tensors), layer.dora_scale is not None
        named = dict(layer.tensors) if layer.dora_scale is None else {**layer.tensors, DORA_SCALE: layer.dora_scale}
        for suffix, tensor in named.items():
            if suffix in layer.kind.marks:
                self.register_buffer(suffix, tensor)
            elif "." in suffix:
                self.add_module(suffix.partition(".")[0], Factor(tensor))
            else:
                self.register_parameter(suffix, nn.Parameter(tensor))

    def extra_repr(self) -> str:
        return repr(self.layer)

    def tensors(self) -> dict[str, Tensor]:
        """The layer's tensors by suffix, DoRA's magnitude aside; not copied."""
        found = {}
        for suffix in self.suffixes:
            owner, dot, _ = suffix.partition(".")
            found[suffix] = cast(Tensor, self._modules[owner].weight if dot else getattr(self, suffix))  # type: ignore[union-attr]
        return found

    def trained_tensors(self) -> dict[str, nn.Parameter]:
        """What an optimizer moves, by suffix: all but marks, DoRA's magnitude with it."""
        found = self.tensors() if self.magnitude is None else {**self.tensors(), DORA_SCALE: self.magnitude}
        return {suffix: tensor for suffix, tensor in found.items() if isinstance(tensor, nn.Parameter)}

    @property
    def magnitude(self) -> Tensor | None:
        """DoRA's magnitude, where it goes around this layer."""
        return cast(Tensor, self.dora_scale) if self.has_dora else None

    @property
    def layer(self) -> Layer:
        """The layer as a value; its tensors are these, not copies."""
        return Layer(self.name, self.kind, self.tensors(), self.alpha, self.magnitude)

    @property
    def rank(self) -> int | None:
        return self.kind.rank(self.tensors())

    @property
    def random(self) -> bool:
        """Whether training this layer needs random draws."""
        s = self.settings
        return self.kind.formulas.in_step is not None or s.dropout > 0 or s.rank_dropout > 0 or s.module_dropout > 0

    def output(self, x: Tensor, target: TargetLayer, strength: float, draws: Draws | None) -> Tensor:
        """What the base's layer gives for x with this one attached; `draws` in a training step, where there are some."""
        if strength == 0 or (draws is not None and draws.left_out):
            return target.base(x)
        formulas, tensors, alpha = self.kind.formulas, self.tensors(), self.alpha
        mask: RankMask | None = None
        if draws is not None:
            if formulas.in_step is not None:
                tensors, alpha = formulas.in_step(tensors, alpha, self.settings, draws)
            mask = self._drop_ranks(tensors, draws, x.device)
        call = Call(x, target, strength, mask)
        if self.magnitude is None:
            return formulas.forward(tensors, alpha, call)
        return dora.forward(formulas, tensors, self.magnitude, alpha, call)

    def _drop_ranks(self, tensors: dict[str, Tensor], draws: Draws, device: torch.device) -> RankMask | None:
        """Thin out the ranks in `tensors` where the forward pass takes no mask; the mask where it takes one."""
        settings = self.settings
        if settings.rank_dropout and self.kind.rank_first:
            suffix = next(suffix for suffix in self.kind.rank_first if suffix in tensors)
            tensors[suffix] = tensors[suffix] * draws.rank_mask(settings, tensors[suffix]).to(tensors[suffix].dtype)
            return None
        if settings.dropout or settings.rank_dropout:
            return lambda shape, axis: draws.mask(settings, shape, axis, device)
        return None
