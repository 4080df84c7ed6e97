"""Which layers of a base are trained, by the name of a preset; rules in `network.layers` refine it."""

from __future__ import annotations

from dataclasses import dataclass

from lorasmith.models.lora_naming import Category


@dataclass(frozen=True)
class Preset:
    """A choice of layers by what they are for. A layer that has attention and MLP in one is trained where one of them is."""

    words: str
    categories: frozenset[Category]

    @property
    def trains_convolutions(self) -> bool:
        """Whether 3x3 convolutions are among them."""
        return "convolution" in self.categories


PRESETS: dict[str, Preset] = {
    "attention": Preset("attention alone", frozenset({"attention"})),
    "attention+mlp": Preset("the MLPs too", frozenset({"attention", "mlp"})),
    "default": Preset(
        "kohya's choice: all of the transformer blocks, with the layers that lead in and out of them",
        frozenset({"attention", "mlp", "frame"}),
    ),
    "convolutions": Preset(
        "the residual blocks and samplers too, as kohya's conv_dim does", frozenset({"attention", "mlp", "frame", "convolution"})
    ),
    "full": Preset("every linear layer and convolution", frozenset({"attention", "mlp", "frame", "convolution", "rest"})),
}
