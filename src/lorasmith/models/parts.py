"""The parts of a base model as empty modules: what architecture they have, with which settings, made on any device.

A part is written as data, `Part(UNET, {...})`; the classes are those of diffusers and transformers, and are imported when one is made.
`with torch.device("meta"):` around `build` makes a full-size part in no memory.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from lorasmith.deferred_packages import deferred_packages
from lorasmith.imports import without_collection
from lorasmith.models.take import Shapes, Take

if TYPE_CHECKING:
    from torch import nn

NameTable = Callable[[Shapes, Collection[str]], dict[str, Take]]
"""(shapes of the module's tensors, keys in the file) to where each tensor of the module is in that file."""


@dataclass(frozen=True)
class Size:
    """A number that tells the sizes of an architecture apart in a file: one of a tensor's axes, and a setting of its module."""

    keys: tuple[str, ...]
    """What the tensor is called in each way of naming."""
    axis: int
    setting: str
    unit: str = "{:,} wide"
    models: Mapping[int, str] = field(default_factory=dict)
    """Number -> the published model of it."""

    def in_words(self, number: int) -> str:
        """For people: "Qwen3 4B (2,560 wide)"."""
        size = self.unit.format(number)
        return f"{self.models[number]} ({size})" if number in self.models else size


SchedulerConfig = tuple[str, Mapping[str, Any]]
"""Class of a noise scheduler of diffusers, and its config."""


@dataclass(frozen=True, eq=False)
class Architecture:
    """A class of modules that is part of bases: how one is made, how it is recognised in a file, and what its tensors are called there."""

    class_name: str
    """In `library`: "UNet2DConditionModel"."""
    library: str
    """Where the class comes from: "diffusers", "transformers", or another module that can be imported."""
    kind: str
    """What it does in a base, in one word: "unet", "transformer", "vae", "clip", "t5". Classes of one kind share anchors."""
    title: str
    """For people, with its article: "a U-Net"."""
    config_class: str = ""
    """transformers: the class of its configuration. diffusers' classes take their settings as they are."""
    anchors: Mapping[str, str] = field(default_factory=dict)
    """A tensor's name that nothing else has -> whose names a file with it has."""
    beside: str = ""
    """A tensor that must be beside the anchor, where others have the anchor too."""
    not_beside: str = ""
    """A tensor that others which have the anchor too have beside it."""
    tables: Mapping[str, NameTable] = field(default_factory=dict)
    """Whose names a file has -> where each tensor is; a name without a table is the module's own."""
    inner_prefix: str = ""
    """What may come between the prefix of the part in a file and an anchor: "text_model."."""
    layouts: Mapping[str, str] = field(default_factory=dict)
    """Whose names -> whose they are, for people: "the original (LDM)"."""
    folder_names: str = "diffusers"
    """Whose names the part has in a diffusers folder."""
    unused: str | None = None
    """Pattern of tensors that files have and the module does not read."""
    width: tuple[str, ...] = ()
    """The settings whose product is how wide its hidden layers are, of a list the largest; those of parts that learn by a rate."""
    quantizable: bool = False
    """Whether base.quantize packs its weights; small parts and autoencoders stay as they are."""
    settings_within: str = ""
    """Where in a folder's config.json its settings may be, beside those of what is left out."""
    settings_here: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    """A folder's settings -> those that the module is made with, where that is in another way with the same weights."""
    in_folder: Architecture | None = None
    """The same part in a diffusers folder, where that has more weights than files of its own."""
    buffers_in_files: bool = False
    """Whether files have the module's buffers too, so that none is computed before it is filled."""
    sizes: tuple[Size, ...] = ()
    """What tells its sizes apart, where it is published in several; the first names them."""
    sign: str = ""
    """Pattern of a tensor that only files of this architecture have, where others of its kind have the same anchors and have none."""
    called: str = ""
    """Pattern of the name of a file that is of this architecture although it has no sign."""
    told_by: str = ""
    """What shows it in a file, for the end of a sentence, where its tensors alone do not."""

    def __repr__(self) -> str:
        return f"Architecture({self.class_name})"


class Part(NamedTuple):
    """One part of a base: its architecture, and the settings that its class is made with."""

    architecture: Architecture
    settings: Mapping[str, Any]
    layers: int | None = None
    """How many of a language model's layers are made, and no final norm: nothing reads what follows. None: all."""

    def leaves_out(self, key: str) -> bool:
        """Whether a tensor of a whole model is none of this part's, by its name."""
        found = re.match(r"layers\.(\d+)\.", key)
        return self.layers is not None and (key.startswith("norm.") or (found is not None and int(found[1]) >= self.layers))

    @property
    def class_name(self) -> str:
        return self.architecture.class_name

    @property
    def model(self) -> str:
        """What the published model of its size is called; empty where it has no name of its own."""
        first = next(iter(self.architecture.sizes), None)
        return first.models.get(self.sizes.get(first.setting, 0), "") if first else ""

    @property
    def width(self) -> int | None:
        """How wide its hidden layers are, the widest of a U-Net's; None where its settings do not say."""
        names = self.architecture.width
        if not names or any(self.settings.get(name) is None for name in names):
            return None
        numbers: list[int] = [max(number) if isinstance(number := self.settings[name], Sequence) else number for name in names]
        return math.prod(numbers)

    @property
    def sizes(self) -> dict[str, int]:
        """Setting -> its number, of what tells the sizes of the architecture apart."""
        return {size.setting: self.settings[size.setting] for size in self.architecture.sizes if size.setting in self.settings}


def in_words(architecture: Architecture, sizes: Mapping[str, int]) -> str:
    """An architecture for people, in the first of the sizes that is given: "a Qwen3 language model, Qwen3 4B (2,560 wide)"."""
    size = next((one for one in architecture.sizes if one.setting in sizes), None)
    return f"{architecture.title}, {size.in_words(sizes[size.setting])}" if size else architecture.title


def part_of_folder(architecture: Architecture, config: Mapping[str, Any]) -> Part:
    """A part with the settings of a folder's config.json."""
    settings = config.get(architecture.settings_within, config)
    return Part(architecture, architecture.settings_here(settings) if architecture.settings_here else settings)


def build(part: Part) -> nn.Module:
    """One part with freshly initialised weights, frozen and in eval mode."""
    architecture, settings, layers = part
    made = class_of(architecture.library, architecture.class_name)
    module = made(class_of(architecture.library, architecture.config_class)(**settings)) if architecture.config_class else made(**settings)
    if layers is not None:
        from torch import nn

        module.layers, module.norm = module.layers[:layers], nn.Identity()
    return module.requires_grad_(False).eval()


DEFERRED = (
    "diffusers.models.transformers", "diffusers.models.autoencoders", "diffusers.models.unets", "diffusers.hooks", "transformers.models",
    "scipy.stats",  # where it is installed: diffusers imports it beside schedulers, for a distribution that is seldom asked for
)  # fmt: skip
"""Packages that import or list all that they have at once; a class is imported from its own module in them."""


def class_of(library: str, name: str) -> Any:
    """A class of a library, which is imported now."""
    with without_collection(), deferred_packages(*DEFERRED):
        return getattr(importlib.import_module(library), name)


def build_all(parts: Mapping[str, Part]) -> dict[str, nn.Module]:
    """Every part by its name."""
    return {name: build(part) for name, part in parts.items()}
