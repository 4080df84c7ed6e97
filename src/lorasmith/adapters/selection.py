"""Which layers of a base are trained, and with which settings each.

    chosen = select_network("sdxl", {"unet": unet}, settings.network)
    adapter = attach_network(unet, chosen["unet"].targets, chosen["unet"].settings, seed)

A preset chooses layers by what they do; rules by pattern then refine it, as the guides do it: by the layer's
name in the file, by its path in the model, or by its block, counted as LoRA block weights are:

    IN01 ... MID ... OUT11       the U-Net's blocks in the original model's count (SD 1 and 2: to 11; SDXL: to 8)
    DOUBLE00 ..., SINGLE00 ...   Flux
    TE00 ... (TE1_00, TE2_00)    layers of the text encoder (SDXL and Flux: of the first, the second ...)

The first rule that matches a layer decides. One that names layers adds those that the preset leaves out, unless it excludes; so
{pattern = "*attn2*"}, {pattern = "*", exclude = true}   trains cross-attention alone. One that names blocks is about what the preset
chose there: {pattern = "IN04", rank = 8} does not add the block's convolutions to a preset without them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import cast

from torch import nn

from lorasmith.adapters.files import names as keys
from lorasmith.adapters.kinds import KINDS
from lorasmith.adapters.kinds.formulas.target_layer import BaseLayer
from lorasmith.adapters.kinds.layer_settings import LayerSettings
from lorasmith.adapters.settings import LayerRule, NetworkSettings, check_network
from lorasmith.adapters.targets import NetworkTarget
from lorasmith.errors import SettingsError


@dataclass(frozen=True)
class Candidate:
    """A layer of the file that could be trained: what it is called in every way, and its weight's shape."""

    target: NetworkTarget
    block: str
    weight_shape: tuple[int, ...]
    in_preset: bool

    def matches(self, pattern: str) -> bool:
        return fnmatchcase(self.block, pattern) or self.is_named_by(pattern)

    def is_named_by(self, pattern: str) -> bool:
        """Whether the pattern names the layer itself, and not only its block."""
        return any(fnmatchcase(word, pattern) for word in (self.target.name, *self.target.paths))


@dataclass(frozen=True)
class Selection:
    """What is trained in one part of a base."""

    targets: tuple[NetworkTarget, ...]
    settings: dict[str, LayerSettings]
    """By the layer's name in the file."""
    rates: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Layer -> (pattern, factor on the part's learning rate), where the rule that decides over it gives one."""


def select_network(family: str, parts: Mapping[str, nn.Module], settings: NetworkSettings) -> dict[str, Selection]:
    """For each part of a base (named as diffusers names it) the layers to train and the settings of each.

    Raises:
        SettingsError: a setting has no effect, a rule matches no layer of any part, or a part is left without layers.
        AdapterError: a part is not what the family has there.
    """
    check_network(settings)
    candidates = {part: candidates_of(family, part, module, settings.effective_preset) for part, module in parts.items()}
    everything = [candidate for of_part in candidates.values() for candidate in of_part]
    for rule in settings.layers:
        if not any(candidate.matches(rule.pattern) for candidate in everything):
            raise SettingsError(
                f"The pattern {rule.pattern!r} in network.layers matches no layer of this base; a layer is called, for example, "
                f"{everything[0].target.name} or, by its block, {everything[0].block}.",
                code="network.rule_matches_nothing",
                pattern=rule.pattern,
            )
    deciding = [rule_for(each, settings) for each in everything if is_trained(each, settings)]
    for rule in settings.layers:
        if not rule.exclude and rule not in deciding:
            raise SettingsError(
                f"The rule for {rule.pattern!r} in network.layers decides over no trained layer: the preset {settings.effective_preset!r} "
                "leaves out all that it matches (to add layers, name them and not their block), or rules before it take them; remove it.",
                code="network.rule_matches_nothing",
                pattern=rule.pattern,
            )
    chosen = {part: select_layers(of_part, settings) for part, of_part in candidates.items()}
    for part, of_part in chosen.items():
        if not of_part.targets:
            raise SettingsError(f"The rules in network.layers leave nothing of the {part} to train; switch its training off instead.")
    return chosen


def select_layers(candidates: list[Candidate], settings: NetworkSettings) -> Selection:
    """The candidates that the preset and the rules choose, each with its settings."""
    targets, of_layers, rates = [], {}, {}
    for candidate in candidates:
        if is_trained(candidate, settings):
            rule, name = rule_for(candidate, settings), candidate.target.name
            targets.append(candidate.target)
            of_layers[name] = layer_settings(candidate.weight_shape, settings, rule)
            if rule is not None and rule.lr is not None:
                rates[name] = rule.pattern, rule.lr
    return Selection(tuple(targets), of_layers, rates)


def rule_for(candidate: Candidate, settings: NetworkSettings) -> LayerRule | None:
    """The rule that decides over a layer, if there is one."""
    return next((rule for rule in settings.layers if candidate.matches(rule.pattern)), None)


def is_trained(candidate: Candidate, settings: NetworkSettings) -> bool:
    """Whether the preset and the rules choose a layer."""
    rule = rule_for(candidate, settings)
    if rule is None:
        return candidate.in_preset
    return not rule.exclude and (candidate.in_preset or candidate.is_named_by(rule.pattern))


def layer_settings(weight_shape: tuple[int, ...], settings: NetworkSettings, rule: LayerRule | None = None) -> LayerSettings:
    """The settings of a layer: those of its rule, else of wide convolutions, else of all; none of other kinds' options."""
    kind = KINDS[(rule and rule.kind) or settings.kind]
    share = settings.alpha_value / settings.rank
    rank, alpha = settings.rank, settings.alpha_value
    wide = any(side != 1 for side in weight_shape[2:])
    if wide:
        rank = rank if settings.conv_rank is None else settings.conv_rank
        alpha = share * rank if settings.conv_alpha is None else settings.conv_alpha
    if rule is not None and (rule.rank is not None or rule.alpha is not None):
        rank = rank if rule.rank is None else rule.rank
        alpha = share * rank if rule.alpha is None else rule.alpha
    if rule is not None and wide and (rule.conv_rank is not None or rule.conv_alpha is not None):
        rank = rank if rule.conv_rank is None else rule.conv_rank
        alpha = share * rank if rule.conv_alpha is None else rule.conv_alpha
    options = {field: getattr(settings, field) for field in kind.settings - {"rank", "alpha"}}
    return kind.layer_settings(rank=rank, alpha=alpha, **options)


# ---- what there is to choose from


def candidates_of(family: str, part: str, module: nn.Module, preset: str) -> list[Candidate]:
    """Every layer of a part that a file has a name for, and whether the preset trains it."""
    in_preset = keys.targets(family, part, module, preset).keys()
    shape = keys.shape_of(family, part, module)
    found = []
    for name, paths in keys.targets(family, part, module, "full").items():
        weights = [cast(BaseLayer, module.get_submodule(path)).weight for path in paths]
        whole = (sum(weight.shape[0] for weight in weights), *weights[0].shape[1:])
        found.append(Candidate(NetworkTarget(paths, name), keys.block_of(family, part, paths[0], shape), whole, name in in_preset))
    return found
