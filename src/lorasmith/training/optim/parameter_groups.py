"""Which trained tensors learn at which rate.

Each part of the base has a rate of its own. Within a part two things divide it further:

    rules with `lr` in network.layers     the layers that a pattern names learn at a multiple of it: block learning rates
    LoRA+ (Hayou et al. 2024,             B, the matrix on the output side that starts at zero, learns several times as fast as A;
    https://arxiv.org/abs/2402.12354)     with equal rates B is the one that holds a wide layer back. Each kind of network says
                                          which of its tensors that is (`Kind.loraplus`)

A group is named by what is in it, "unet", "unet up", "unet IN04", "unet IN04 up", and so are the rates in the events. The schedule
moves all groups by the same factor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from lorasmith.adapters.attach import AttachedAdapter


@dataclass(frozen=True)
class PartRates:
    """How fast one part of the base learns."""

    adapter: AttachedAdapter
    lr: float
    loraplus_ratio: float = 1.0
    """How many times as fast B learns; 1 without LoRA+."""
    layers: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    """Layer -> (pattern, factor) of the rule that gives it a rate of its own."""


@dataclass(frozen=True)
class ParameterGroup:
    """Tensors that learn at one rate, by their names in the file; `lr` is the rate before the schedule."""

    name: str
    lr: float
    parameters: dict[str, torch.nn.Parameter] = field(default_factory=dict)

    def for_optimizer(self) -> dict[str, Any]:
        """As `make_optimizer` takes it."""
        return {"params": list(self.parameters.values()), "lr": self.lr, "name": self.name}


def make_groups(parts: Mapping[str, PartRates], patterns: Sequence[str] = ()) -> list[ParameterGroup]:
    """All trained tensors of the parts, each in one group; `patterns` are those of rules with a rate, in the order of the groups."""
    order = [_words(pattern, up) for pattern in ("", *dict.fromkeys(patterns)) for up in ("", "up")]
    groups: dict[str, ParameterGroup] = {}
    for part, rates in parts.items():
        found: list[tuple[str, float, str, torch.nn.Parameter]] = []
        for layer_name, layer in rates.adapter.layers().items():
            pattern, factor = rates.layers.get(layer_name, ("", 1.0))
            for suffix, tensor in layer.trained_tensors().items():
                faster = rates.loraplus_ratio != 1 and suffix in layer.kind.loraplus
                lr = rates.lr * factor * (rates.loraplus_ratio if faster else 1.0)
                found.append((_words(pattern, "up" if faster else ""), lr, f"{layer_name}.{suffix}", tensor))
        for words, lr, tensor_name, parameter in sorted(found, key=lambda each: order.index(each[0])):  # sorted keeps layers in order
            name = _words(part, words)
            groups.setdefault(name, ParameterGroup(name, lr)).parameters[tensor_name] = parameter
    return list(groups.values())


def _words(*words: str) -> str:
    return " ".join(word for word in words if word)


def set_rates(optimizer: torch.optim.Optimizer, groups: Iterable[ParameterGroup], factor: float) -> dict[str, float]:
    """Put the schedule's factor on every group's rate; returned by the groups' names, for the log."""
    rates = {group.name: group.lr * factor for group in groups}
    for group in optimizer.param_groups:
        group["lr"] = rates[group["name"]]
    return rates
