"""What the layers of a family are called in LoRA files, as data and pure functions of names.

A layer's name in a file is the prefix of its part (`lora_unet`) and the layer's path: with underscores for dots in kohya's style, with dots
in the style of ComfyUI's `diffusion_model.`. Whose path that is differs: the module's own in diffusers, or the original
model's, where one layer may hold several of diffusers' one below the other. `LayerNames` has both directions for one kind of part;
`LoraNaming` puts the parts of a family together. `adapters.files.names` is what callers use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Literal

from lorasmith.errors import AdapterError

if TYPE_CHECKING:
    from torch import nn

Category = Literal["attention", "mlp", "frame", "convolution", "rest"]
"""What a layer is for; presets choose by it. frame: what leads in and out of the blocks' attention, and modulates it."""


NAMES = 2**14
"""What is computed from a name alone is remembered for so many: five times those of the largest file. Files repeat each other's names."""


@dataclass(frozen=True)
class Place:
    """Where a layer is in a file: its name there, and which of the name's groups of output rows it is."""

    name: str
    slot: int = 0
    shares: tuple[int, ...] = (1,)
    """The groups of output rows under this name, one below the other, in proportion to each other."""
    halves_swapped: bool = False
    """The layer's output rows are (scale, shift) in the module, and (shift, scale) in the file; they are twice as many as its inputs."""


def own_place(flat: str, shape: Any) -> Place:
    """A file that names layers as the module does."""
    return Place(flat)


def own_layers(flat: str, shape: Any) -> tuple[str, ...]:
    """A file that names layers as the module does."""
    return (flat,)


def no_block(flat: str, shape: Any) -> str | None:
    """Layers without numbered blocks."""
    return None


@dataclass(frozen=True, eq=False)
class LayerNames:
    """The layers of one kind of part. Paths in these functions have underscores for dots and no prefix.

    `shape` is what the names depend on besides the family (a U-Net's blocks are counted through), made by `shape_of`.
    """

    categories: tuple[tuple[str, Category], ...]
    """Pattern of a dotted path in the module -> what the layer is for. Layers that fit none are never trained."""
    words: frozenset[str]
    """The pieces between the dots of every path of the module and of files; numbers are understood."""
    to_file: Callable[[str, Any], Place] = own_place
    """Path in the module, or already the file's -> its place in a file."""
    to_module: Callable[[str, Any], tuple[str, ...]] = own_layers
    """Path in a file -> the module's layers in row order."""
    block: Callable[[str, Any], str | None] = no_block
    """Path in the module -> its block in the count of LoRA block weights: "IN04", "DOUBLE00"; None outside the blocks."""
    shape_of: Callable[[nn.Module], Any] | None = None
    """The shape of an opened module; None where names depend on nothing else."""
    usual_shape: Any = None
    """The family's shape at full size."""
    all_layers: Callable[[Mapping[str, Any]], Mapping[str, int | None]] = lambda settings: {}
    """Settings of a part -> the dotted paths of all its layers in the module, each with the width of its input where that says something
    about the part's size. CLIP paths come with `text_model`."""

    def dotted(self, flat: str) -> str:
        """A path with dots again: `attn1_to_out_0` is `attn1.to_out.0`.

        Raises AdapterError where a word in it is in no layer of this part.
        """
        return _dotted(flat, self.words)


@lru_cache(NAMES)
def _dotted(flat: str, words: frozenset[str]) -> str:
    pieces, at = [], 0
    pattern = _pattern(words)
    while at < len(flat):
        found = pattern.match(flat, at)
        if not found:
            raise AdapterError(f"No layer that is known here is called {flat}: the LoRA was made for another model.")
        pieces.append(found[1])
        at = found.end()
    return ".".join(pieces)


@cache
def _pattern(words: frozenset[str]) -> re.Pattern[str]:
    """One piece of a path; the longest word that fits counts."""
    return re.compile("(" + "|".join([r"\d+", *sorted(words, key=len, reverse=True)]) + r")(?:_|$)")


@dataclass(frozen=True)
class PartNaming:
    """One part of a base in LoRA files."""

    prefix: str
    """How its layers' names begin, without the separator: "lora_te1", "diffusion_model"."""
    layers: LayerNames
    block_prefix: str = ""
    """What comes before the number of a block in rules: "TE1_"."""
    kohya_prefix: str | None = "lora_unet"
    """How kohya's trainers begin its layers' names, where the family's files begin otherwise; None: they have other layers, and so other names."""
    whole_attention: bool = False
    """diffusers and ComfyUI convert this part's query, key, value and output (OpenCLIP's) together: a file needs all four or none."""


Effect = Literal["loads", "dropped", "wrong", "refused", "untried"]
"""dropped: the layer has no effect. wrong: images differ from those in training. refused: the whole file is not loaded."""


@dataclass(frozen=True)
class Reading:
    """What a program does with a layer, and why."""

    effect: Effect
    reason: str = ""


LOADS = Reading("loads")
UNTRIED = Reading("untried", "not tried with this program")
Readings = Mapping[str, Reading]
"""Program -> what it does."""


def drops(reason: str) -> Reading:
    """The layer has no effect."""
    return Reading("dropped", reason)


def readings(
    automatic1111: Reading = UNTRIED, forge: Reading = UNTRIED, comfyui: Reading = UNTRIED, diffusers: Reading = UNTRIED
) -> Readings:
    """One row of a table over the programs that generate images with LoRA files."""
    return {"AUTOMATIC1111": automatic1111, "Forge": forge, "ComfyUI": comfyui, "diffusers": diffusers}


@dataclass(frozen=True)
class Consumers:
    """What the programs that generate images with LoRA files do with this family's names; see `adapters.compatibility.consumers`."""

    by_naming: Mapping[str, Readings]
    """Way of naming -> what each program does with layers named so."""
    without: tuple[str, ...] = ()
    """Programs that do not have this family at all."""
    unknown_names: Mapping[str, str] = field(default_factory=dict)
    """Program -> pattern of names that it does not find, although it reads their like."""
    refused_names: Mapping[str, str] = field(default_factory=dict)
    """Program -> pattern of names with which it loads nothing of the file, although it reads their like."""
    kinds: Mapping[tuple[str, str], Reading] = field(default_factory=dict)
    """(program, kind of network) -> what it does, where that differs from other families."""
    needed_names: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    """(program, way of naming) -> names without which it does not recognise that way in a file."""
    refused_files: Mapping[tuple[str, str], Callable[[frozenset[str]], str | None]] = field(default_factory=dict)
    """(program, way of naming) -> why it loads nothing of a file that has names of this way, by all names of layers in it; None where it does."""
    mixed_styles: bool = True
    """Whether diffusers reads original names and its own in one file."""
    common_alpha: str | None = None
    """Pattern of the denoiser's names for which diffusers takes the file's most common alpha; None where it uses each layer's own."""
    alphas_refused_by_diffusers: frozenset[str] = frozenset()
    """Ways of naming beside which diffusers reads no alphas: it refuses such a file."""
    reads_beside_embeddings: bool = False
    """Whether diffusers reads the LoRA of a file in which embeddings are bundled; else it refuses the file."""


@dataclass(frozen=True)
class LoraMarks:
    """How a LoRA file without a word about its base is recognised, from names with underscores and shapes of tensors.

    Families are asked for `shaped` first, then for `named_layers`, `certain`, for their `versions` in the metadata, for the widths, and at last for
    `likely`.
    """

    shaped: Mapping[str, Callable[[tuple[int, ...]], bool]] = field(default_factory=dict)
    """Pattern of a name -> rule about the shape of the layer's change, [out, in, ...], that no other family keeps."""
    beyond: str | None = None
    """Pattern of a name that a larger model with the same layers has: a file with one was not made for this family."""
    named_layers: str | None = None
    """Of a family whose layers another one has as well, so that only its `versions` in the metadata show it: pattern of all its names."""

    certain: str | None = None
    """Pattern of a name that no other family has."""
    versions: tuple[str, ...] = ()
    """Pieces of ss_base_model_version or modelspec.architecture."""
    cross_attention: int | None = None
    """Input width of attn2's to_k and to_v."""
    twins: tuple[str, ...] = ()
    """Titles of models whose layers are the same in names and widths, so that only words in the metadata tell them apart."""
    shared_layers: Mapping[str, str] = field(default_factory=dict)
    """Title of another model -> pattern of the layers, by their whole names, that are the same in it in names and shapes. A file of such
    layers alone and without words in its metadata could be for either."""
    shared_paths: Mapping[str, str] = field(default_factory=dict)
    """The same by the paths of the denoiser's layers in the file, where the other model shares one way of naming alone."""
    blocks: Mapping[str, int] = field(default_factory=dict)
    """What comes before a block's number in paths -> how many such blocks there are. The models of `shared_paths` have more, so a file with
    layers in each of them was made for this family."""
    text_encoder: int | None = None
    """Input width of the first text encoder's self_attn projections."""
    likely: str | None = None
    """Pattern of a name that a plainer family does not have."""


@dataclass(frozen=True)
class LoraNaming:
    """A family's LoRA files."""

    parts: Mapping[str, PartNaming]
    """Part of the base, the denoiser first -> its names. Parts that are not in it carry no LoRA."""
    in_words: str
    """For people: what the keys look like."""
    consumers: Consumers
    marks: LoraMarks = LoraMarks()
    style: Literal["kohya", "dotted"] = "kohya"
    """kohya: lora_unet_a_b.lora_down.weight and .lora_up.weight. dotted: diffusion_model.a.b.lora_A.weight and .lora_B.weight."""
    alpha_keys: bool = True
    """Whether a file has each layer's alpha. Without, alpha / rank is multiplied into lora_B on writing, and rank and alpha are kept in
    the metadata."""
    unread_in_last_block: str | None = None
    """Pattern of names of layers, with the block's number as its group, whose output is read by the next block alone: in the last block
    nothing reads it, and they stay as they are however long they train."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Pattern of a layer's name in a file, begun with its part -> what of the base it changes, which is left as it is."""
    original_path: str | None = None
    """Pattern of the beginning of a path that is the original model's and not diffusers'."""
