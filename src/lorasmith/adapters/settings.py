"""What a user says about the trained network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from lorasmith.adapters.kinds import KINDS, kinds_with, trainable_kinds
from lorasmith.adapters.presets import PRESETS
from lorasmith.errors import SettingsError
from lorasmith.registry import KeyOf, in_words
from lorasmith.sections import OpenSection, fields_of

KindName = Annotated[str, KeyOf(trainable_kinds, "a kind of network", lambda kind: kind.also_called)]
PresetName = Annotated[str, KeyOf(PRESETS, "a preset of layers")]


class LayerRule(BaseModel):
    """Other settings for the layers that a pattern names, or none of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: str = Field(
        min_length=1,
        description="With * and ?: a layer's name in the file, its path in the model, or its block (IN04, MID, OUT05, DOUBLE07, SINGLE12, TE03).",
    )
    exclude: bool = Field(False, description="These layers are not trained.")
    kind: KindName | None = Field(None, description="Another kind of network for these layers.")
    rank: int | None = Field(None, ge=1, le=4096, description="Their rank.")
    alpha: float | None = Field(None, gt=0, description="Their alpha. Empty: in the same proportion to their rank as elsewhere.")
    conv_rank: int | None = Field(None, ge=1, le=4096, description="Rank of their 3x3 convolutions. Empty: rank.")
    conv_alpha: float | None = Field(
        None, gt=0, description="Alpha of their 3x3 convolutions. Empty: alpha, or in proportion to conv_rank."
    )
    lr: float | None = Field(None, ge=0, le=100, description="A factor on their part's learning rate: 0.5 learns half as fast.")


class NetworkSettings(OpenSection):
    """The network that is trained: its kind, its size, its layers. What single kinds declare for themselves follows at its end."""

    @classmethod
    def declared(cls) -> Iterator[type[BaseModel]]:
        return (kind.own_settings for kind in trainable_kinds().values())

    kind: KindName = Field(
        "lora",
        description=f"{in_words(trainable_kinds())}.",
    )
    rank: int = Field(16, ge=1, le=4096, description="Size of the network: 8-32 for a character, 32-64 for a style.")
    alpha: float | None = Field(None, gt=0, description="Strength is alpha / rank. Empty: the same as rank; with Prodigy 1 is usual.")
    conv_rank: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="Train 3x3 convolutions too, with this rank; 16 or less. Empty: only where the preset has them, with rank.",
    )
    conv_alpha: float | None = Field(None, gt=0, description="Alpha of 3x3 convolutions. Empty: in the same proportion as alpha to rank.")
    train_unet: bool = Field(True, description="Train the U-Net.")
    train_text_encoder: bool = Field(True, description="Train the text encoder too; off for most styles.")
    preset: PresetName = Field(
        "default",
        description=f"Which layers: {in_words(PRESETS)}.",
    )
    layers: list[LayerRule] = Field(
        default_factory=list,
        description="Rules by pattern; the first that matches a layer decides. One that names layers adds what the preset leaves out, "
        "one that names blocks does not.",
    )
    dora: bool = Field(False, description="Train the magnitudes of the weight's columns apart (DoRA); better from few images, slower.")
    rs_lora: bool = Field(False, description="Strength is alpha / sqrt(rank), so that high ranks learn; for rank 64 and more.")
    use_tucker: bool = Field(
        False, description="Split 3x3 convolutions once more (CP / Tucker): smaller files; diffusers does not read them."
    )
    dropout: float = Field(
        0.0, ge=0, lt=1, description="Share of a layer's inner values left out in a step: 0-0.05 character, 0.05-0.1 style."
    )
    rank_dropout: float = Field(0.0, ge=0, lt=1, description="Share of ranks left out in a step; 0.1-0.3 is usual.")
    module_dropout: float = Field(0.0, ge=0, lt=1, description="Share of layers left out in a step; 0.1-0.3 is usual.")
    scale_weight_norms: float | None = Field(
        None, gt=0, description="No layer's change grows over this norm; 1 if the LoRA will be used beside others. Empty: no limit."
    )
    weights: Path | None = Field(
        None, description="A finished LoRA to continue from, for the same family of bases. Empty: the network starts by changing nothing."
    )
    dim_from_weights: bool = Field(False, description="Take ranks, alphas and sizes of layers from the file network.weights.")

    @property
    def alpha_value(self) -> float:
        return float(self.rank) if self.alpha is None else self.alpha

    @property
    def kinds(self) -> frozenset[str]:
        """Every kind that some layer may be of."""
        return frozenset({self.kind, *(rule.kind for rule in self.layers if rule.kind is not None)})

    @property
    def effective_preset(self) -> str:
        """The preset, with the convolutions where `conv_rank` asks for them."""
        return "convolutions" if self.conv_rank is not None and self.preset == "default" else self.preset

    @property
    def trains_convolutions(self) -> bool:
        return PRESETS[self.effective_preset].trains_convolutions or bool(self.layers)


def check_network(settings: NetworkSettings) -> None:
    """Whether every setting has an effect on some layer, as far as can be known without a base.

    Raises:
        SettingsError: one has none, or two contradict each other; the sentence names them and a way out.
    """
    _check_effects(settings)
    for name in sorted(settings.kinds):
        others = settings.kinds - {name}
        given = {field for field in fields_of(NetworkSettings) if _given(settings, field) and not others & kinds_taking(field)}
        if problem := KINDS[name].contradiction(dict(settings), frozenset(given)):
            raise SettingsError(problem, code="network.contradiction")
    if settings.scale_weight_norms is not None and (rigid := [name for name in settings.kinds if not KINDS[name].scalable]):
        raise SettingsError(
            f"network.scale_weight_norms cannot scale the rotations of {_either(sorted(rigid))}; remove one of them.",
            code="network.contradiction",
            settings=["network.scale_weight_norms", "network.kind"],
        )
    if settings.dim_from_weights and settings.weights is None:
        raise SettingsError(
            "network.dim_from_weights has no effect without network.weights; give the LoRA file to continue from.",
            code="network.no_effect",
            setting="network.dim_from_weights",
        )
    for rule in settings.layers:
        _check_rule(rule, settings)


def kinds_taking(field: str) -> frozenset[str]:
    """The kinds on which a setting of the network has an effect; all those on which its layers' setting has."""
    return kinds_with(field.removeprefix("conv_"))


def _check_effects(settings: NetworkSettings) -> None:
    of_layers = {field for kind in KINDS.values() for field in kind.settings}
    for field in fields_of(NetworkSettings):
        of_some_kind = field.removeprefix("conv_") in of_layers
        if of_some_kind and _given(settings, field) and not settings.kinds & kinds_taking(field):
            raise SettingsError(
                f"network.{field} has no effect on network.kind {settings.kind!r}; remove it or choose {_either(sorted(kinds_taking(field)))}.",
                code="network.no_effect",
                setting=f"network.{field}",
            )
    for field in ("conv_rank", "conv_alpha", "use_tucker"):
        if _given(settings, field) and not settings.trains_convolutions:
            raise SettingsError(
                f"network.{field} has no effect with network.preset {settings.preset!r}, which has no 3x3 convolutions; "
                "remove it or choose the preset 'convolutions'.",
                code="network.no_effect",
                setting=f"network.{field}",
            )


def _check_rule(rule: LayerRule, settings: NetworkSettings) -> None:
    where = f"The rule for {rule.pattern!r} in network.layers"
    given = [field for field in ("kind", "rank", "alpha", "conv_rank", "conv_alpha", "lr") if getattr(rule, field) is not None]
    if rule.exclude and given:
        raise SettingsError(f"{where} gives {given[0]} to layers that it excludes; remove one of them.")
    if rule.lr == 0:
        raise SettingsError(f"{where} gives lr 0, which does not train its layers but keeps them in the file; set exclude instead.")
    kind = rule.kind or settings.kind
    for field in ("rank", "alpha", "conv_rank", "conv_alpha"):
        if getattr(rule, field) is not None and kind not in kinds_taking(field):
            raise SettingsError(f"{where} gives {field}, which has no effect on {kind!r}; remove it.")


def _given(settings: NetworkSettings, field: str) -> bool:
    """Whether a setting differs from its default. (Files contain all settings, so that being there says nothing.)"""
    return bool(getattr(settings, field) != fields_of(NetworkSettings)[field].default)


def _either(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
