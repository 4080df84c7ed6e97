"""Which trained tensors learn at which rate.

Each part of the base has a rate of its own (`Settings.lr_of`). Within a part two things divide it further:

    rules with `lr` in network.layers     the layers that a pattern names learn so many times as fast: block learning rates
    LoRA+ (Hayou et al. 2024,             B, the matrix on the output's side that starts at zero, learns so many times as fast as A;
    https://arxiv.org/abs/2402.12354)     with equal rates B is the one that holds a wide layer back

A group is named by what is in it, "unet", "unet up", "unet IN04", "unet IN04 up", and so are the rates in the events. The schedule
moves all groups by the same factor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lorasmith.errors import SettingsError
from lorasmith.training.optim.optimizers import kind_of

if TYPE_CHECKING:
    import torch

    from lorasmith.adapters.attach import AttachedAdapter
    from lorasmith.models.family import Base
    from lorasmith.training.settings.tree import Settings

# Network kind -> B: what LoRA+ trains faster. Which tensors of LoHa and LoKr it should be the papers do not say: these are sd-scripts'
# choices, for LoHa named by what its choice is there, the factor that starts at zero. For the other kinds nobody has one.
FASTER: dict[str, frozenset[str]] = {
    "lora": frozenset({"lora_up.weight"}),
    "dylora": frozenset({"lora_up.weight"}),
    "loha": frozenset({"hada_w1_a"}),
    "lokr": frozenset({"lokr_w1", "lokr_w1_a", "lokr_w1_b"}),
}


@dataclass(frozen=True)
class ParameterGroup:
    """Tensors that learn at one rate, by their names in the file; `lr` is the rate before the schedule."""

    name: str
    lr: float
    parameters: dict[str, torch.nn.Parameter] = field(default_factory=dict)

    def for_optimizer(self) -> dict[str, Any]:
        """As `make_optimizer` takes it."""
        return {"params": list(self.parameters.values()), "lr": self.lr, "name": self.name}


def make_groups(base: Base, adapters: Mapping[str, AttachedAdapter], settings: Settings) -> list[ParameterGroup]:
    """All trained tensors of the adapters, each in one group; the groups' order and names depend on the settings alone."""
    import torch

    groups: dict[str, ParameterGroup] = {}
    for part, adapter in adapters.items():
        rate, ratio = settings.lr_of(part, base.family), loraplus_ratio(settings, part)
        rules = _rules_with_rates(base, part, settings)
        found: list[tuple[str, float, str, torch.nn.Parameter]] = []
        for layer_name, layer in adapter.layers().items():
            pattern, factor = rules.get(layer_name, ("", 1.0))
            tensors = layer.tensors() if layer.dora_lengths is None else {**layer.tensors(), "dora_scale": layer.dora_lengths}
            for ending, tensor in tensors.items():
                if isinstance(tensor, torch.nn.Parameter):
                    faster = ratio != 1 and ending in FASTER.get(layer.kind.name, ())
                    name = " ".join(word for word in (part, pattern, "up" if faster else "") if word)
                    found.append((name, rate * factor * (ratio if faster else 1.0), f"{layer_name}.{ending}", tensor))
        order = [" ".join(word for word in (part, pattern, up) if word) for pattern in ("", *_patterns(settings)) for up in ("", "up")]
        for name, lr, tensor_name, parameter in sorted(found, key=lambda each: order.index(each[0])):  # sorted keeps layers in order
            groups.setdefault(name, ParameterGroup(name, lr)).parameters[tensor_name] = parameter
    return list(groups.values())


def set_rates(optimizer: torch.optim.Optimizer, groups: Iterable[ParameterGroup], factor: float) -> dict[str, float]:
    """Put the schedule's factor on every group's rate; returned by the groups' names, for the log."""
    rates = {group.name: group.lr * factor for group in groups}
    for group in optimizer.param_groups:
        group["lr"] = rates[group["name"]]
    return rates


def loraplus_ratio(settings: Settings, part: str) -> float:
    """How many times as fast B learns in a part; 1 without LoRA+."""
    optimizer = settings.optimizer
    own = optimizer.loraplus_unet_lr_ratio if part in ("unet", "transformer") else optimizer.loraplus_text_encoder_lr_ratio
    return own or optimizer.loraplus_lr_ratio or 1.0


def _patterns(settings: Settings) -> list[str]:
    return list(dict.fromkeys(rule.pattern for rule in settings.network.layers if rule.lr is not None))


def _rules_with_rates(base: Base, part: str, settings: Settings) -> dict[str, tuple[str, float]]:
    """Layer -> (pattern, factor) of the rule that decides over it, where that one gives a rate."""
    from lorasmith.adapters.selection import candidates_of, rule_for

    network = settings.network
    if not _patterns(settings):
        return {}
    decided = {
        each.target.name: rule_for(each, network) for each in candidates_of(base.family, part, base.parts[part], network.effective_preset)
    }
    return {name: (rule.pattern, rule.lr) for name, rule in decided.items() if rule is not None and rule.lr is not None}


def check_rates(settings: Settings) -> None:
    """Whether every rate has an effect, as far as can be told without a base.

    Raises:
        SettingsError: one has none, or the optimizer finds one rate for all.
    """
    optimizer, network = settings.optimizer, settings.network
    given = {
        name: getattr(optimizer, name)
        for name in ("loraplus_lr_ratio", "loraplus_unet_lr_ratio", "loraplus_text_encoder_lr_ratio")
        if getattr(optimizer, name) is not None
    }
    if given and not network.kinds & FASTER.keys():
        raise SettingsError(
            f"optimizer.{next(iter(given))} has no effect on network.kind {network.kind!r}, which has no matrix B; "
            f"remove it or choose {', '.join(FASTER)}"
        )
    parts = {"unet": settings.lr_of("unet") > 0, "text_encoder": settings.lr_of("text_encoder") > 0}
    for part, trains in parts.items():
        if f"loraplus_{part}_lr_ratio" in given and not trains:
            raise SettingsError(
                f"optimizer.loraplus_{part}_lr_ratio has no effect while network.train_{part} is off or its rate 0; remove it"
            )
    if "loraplus_lr_ratio" in given and all(f"loraplus_{part}_lr_ratio" in given for part, trains in parts.items() if trains):
        raise SettingsError("optimizer.loraplus_lr_ratio has no effect where every part that trains has a ratio of its own; remove it")
    if kind_of(optimizer.type).learning_rate_free:
        _check_one_rate(settings, given)


def _check_one_rate(settings: Settings, ratios: Mapping[str, float]) -> None:
    name = settings.optimizer.type
    if any(ratio != 1 for ratio in ratios.values()):
        raise SettingsError(
            f"optimizer.{next(iter(ratios))} trains two matrices at two rates, but {name} finds one rate for all; remove it or use AdamW"
        )
    for rule in settings.network.layers:
        if rule.lr not in (None, 1.0):
            raise SettingsError(
                f"the rule for {rule.pattern!r} in network.layers has a rate of its own, but {name} finds one rate for all; remove lr or use AdamW"
            )
