"""What network is in a LoRA file, by the names and shapes of its tensors and its metadata: no number but the alphas is read.

The tensors are sorted by layer (see `keys`), each layer's kind is recognised, the family is found, and each layer gets its place in it, in
kohya's names (see `names`). What cannot be read is not passed over: it is in `Layout.unread`, with the reason. `dialects.read_network`
fills the layers with their numbers; a file's header alone is enough for everything here, and torch is not needed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Protocol, TypeVar

from lorasmith.adapters.files import names
from lorasmith.adapters.files.family import families_alike, guess_family, unknown_family
from lorasmith.adapters.files.keys import EMBEDDING, ROTATION, SCALE, Key, has_adapter_name, is_of_control, key_of, not_read
from lorasmith.adapters.files.peft_alphas import PeftAlphas
from lorasmith.adapters.files.real_layers import beyond_standard_size, exists_at_some_size
from lorasmith.adapters.kinds import ALPHA, KINDS, diag_oft, full, kind_of, norm, oft_v2
from lorasmith.adapters.kinds.lora import UP
from lorasmith.adapters.outline import LayerOutline, ShapeOnly, outline_of
from lorasmith.errors import AdapterError
from lorasmith.models.families import FAMILIES
from lorasmith.models.lora_naming import Place
from lorasmith.pages.numbers import count

NAMED_ADAPTER = "peft with an adapter's name"
"""The dialect of keys like lora_A.NAME.weight."""
ROTATIONS = "LyCORIS before 2.0"
"""The dialect of rotations that are written as the matrices themselves (oft_diag)."""
CONTROL = "control LoRA of Black Forest Labs"
"""The dialect of LoRAs that let Flux.1 follow a picture: its own names, with biases and normalisations."""

MOST_LAYERS = 5_000
"""Of a file; those of the largest networks are under two thousand."""

ANOTHER_MODEL = "the LoRA was made for another model"


class Stored(Protocol):
    """A tensor, or what a header says of one."""

    @property
    def shape(self) -> Any: ...

    @property
    def dtype(self) -> Any: ...


class Numbers(Protocol):
    """The few numbers that decide what a layer is."""

    def number(self, key: str) -> float:
        """The only number of a tensor."""

    def is_rotation(self, key: str) -> bool:
        """Whether a tensor is a stack of rotations; where its numbers are not at hand, whether it may be."""


@dataclass
class FoundLayer:
    """The tensors of one layer of a file, as they are found."""

    part: str
    """Part of the base; "main" is the U-Net or transformer, whatever the family calls it."""
    path: str
    head: str
    """Its keys without their ends."""
    keys: dict[str, str] = field(default_factory=dict)
    """Suffix in kohya's layout -> the key in the file."""
    shapes: dict[str, ShapeOnly] = field(default_factory=dict)
    """Suffix -> the tensor's shape in kohya's layout."""
    alpha: float | None = None

    def take_scale(self, numbers: Numbers) -> None:
        """Make the scale that AUTOMATIC1111 reads the alpha that it stands for."""
        scale = self.shapes.pop(SCALE, None)
        if scale is not None and is_network(self.shapes) and (rank := kind_of(self.shapes).rank(self.shapes)):
            self.alpha = numbers.number(self.keys[SCALE]) * rank
            self.shapes[ALPHA] = ShapeOnly((), scale.dtype)

    def take_rotation(self) -> None:
        """Make blocks that are rotations what Diag-OFT computes them from."""
        blocks = self.shapes.pop(ROTATION)
        self.keys[diag_oft.BLOCKS] = self.keys.pop(ROTATION)
        self.shapes |= {diag_oft.BLOCKS: blocks, ALPHA: ShapeOnly((), blocks.dtype)}
        self.alpha = 0.0

    def outline(self) -> LayerOutline:
        """What the layer is.

        Raises:
            AdapterError: its tensors make none, or are not in floating point.
        """
        for suffix, tensor in self.shapes.items():
            if not (
                tensor.dtype.startswith(("float", "bfloat")) or suffix == ALPHA or any(suffix in kind.marks for kind in KINDS.values())
            ):
                raise AdapterError(f"The {suffix} is in {tensor.dtype}, and only numbers in floating point are read.")
        return as_norm(outline_of("", self.shapes, self.alpha, (self.head,)), lambda scale: scale)


@dataclass(frozen=True)
class Found:
    """The tensors of a file, sorted."""

    layers: list[FoundLayer]
    dialects: tuple[str, ...]
    unread: dict[str, str]
    """Key -> why it cannot be read."""
    embeddings: tuple[str, ...]
    """Names of embeddings that are bundled with the network."""


@dataclass(frozen=True)
class PlacedLayer:
    """A layer of a file and its place in a family."""

    outline: LayerOutline
    place: Place
    part: str
    path: str
    """As in the file, with the family's name of the part."""
    keys: Mapping[str, str]
    """Suffix in kohya's layout -> the key in the file."""
    shapes: Mapping[str, ShapeOnly]
    """Suffix -> the tensor's shape in kohya's layout."""


@dataclass(frozen=True, repr=False)
class NetworkOutline:
    """A network file as read, without its numbers: layers by name, what it is for, how it was written, and what could not be read."""

    family: str
    layers: Mapping[str, LayerOutline]
    dialects: tuple[str, ...]
    unread: dict[str, str] = field(default_factory=dict)
    """Key -> why it could not be read."""
    notes: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    alphas_from: dict[str, str] = field(default_factory=dict)
    """Layer -> where its alpha is, for alphas that are not among the tensors: the metadata's entry, or peft's adapter_config.json."""
    in_file: tuple[LayerOutline, ...] = ()
    """The layers as they are in the file: those that `layers` has as one (query, key and value) are apart."""
    alike: tuple[str, ...] = ()
    """Titles of other models that the file could be for as well, since nothing in it shows which."""
    embeddings: tuple[str, ...] = ()
    """Names of embeddings that are bundled with the network."""

    def __repr__(self) -> str:
        kinds = Counter(layer.kind.title for layer in self.layers.values())
        return f"{type(self).__name__}({self.family}: {', '.join(f'{count} layers of {kind}' for kind, count in kinds.items())})"


@dataclass(frozen=True)
class Layout:
    """Where the network in a file is: its layers, each with its place and its keys."""

    family: str
    layers: tuple[PlacedLayer, ...]
    """As they were trained; several have one name where the file's names fuse them."""
    dialects: tuple[str, ...]
    unread: dict[str, str]
    """Key -> why it cannot be read."""
    embeddings: tuple[str, ...]
    metadata: Mapping[str, str]
    peft_alphas: PeftAlphas
    alphas_from: dict[str, str]
    alike: tuple[str, ...] = ()
    """Titles of other models that the file could be for as well."""

    def outline(self) -> NetworkOutline:
        """The network; layers that have one name in the file count as one, and show what the first of them is."""
        layers: dict[str, LayerOutline] = {}
        for placed in self.layers:
            name, before = placed.place.name, layers.get(placed.place.name)
            heads = (*before.written_as, *placed.outline.written_as) if before else placed.outline.written_as
            layers[name] = replace(before or placed.outline, written_as=heads)
        return NetworkOutline(
            self.family, layers, self.dialects, self.unread, self.notes(), dict(self.metadata), self.alphas_from, self.in_file, self.alike,
            self.embeddings,
        )  # fmt: skip

    @property
    def in_file(self) -> tuple[LayerOutline, ...]:
        """The layers as they are in the file."""
        return tuple(placed.outline for placed in self.layers)

    def notes(self, fused: int = 0) -> tuple[str, ...]:
        """What is worth knowing of how the file is read; `fused` is how many layers were put together from others."""
        notes, bundled = [], self.embeddings
        if bundled:
            notes.append(
                f"{count(len(bundled), 'embedding')} bundled by OneTrainer {'is' if len(bundled) == 1 else 'are'} not part of the network: {', '.join(bundled)}."
            )
        if fused:
            notes.append(f"{fused} layers that were trained apart (query, key, value) were fused.")
        if self.alphas_from:
            notes.append(f"The alphas of {count(len(self.alphas_from), 'layer')} are in {self.peft_alphas.source}.")
        if self.alike:
            notes.append(
                f"Nothing in the file shows whether it was made for {' or '.join((FAMILIES[self.family].title, *self.alike))}: its layers are the "
                f"same in {'both' if len(self.alike) == 1 else 'all of them'}. It is read as {FAMILIES[self.family].title}."
            )
        return tuple(notes)


def layout_of(
    tensors: Mapping[str, Stored], metadata: Mapping[str, str], numbers: Numbers, family: str | None = None, shape: Any = None
) -> Layout:
    """The network in a file, whatever dialect it was written in.

    `family` is found from the names and shapes where it is not given; `shape` is for denoisers of an unusual shape.

    Raises:
        AdapterError: no network in it, or nothing in it shows its family.
    """
    found = sorted_by_layer(tensors, numbers)
    if not any(is_network(layer.shapes) for layer in found.layers):
        raise no_network(tensors)
    guessed = family is None
    family = family or guess_family({f"{layer.part}.{layer.path}": layer.shapes for layer in found.layers}, metadata)
    alphas, unread = PeftAlphas(metadata), dict(found.unread)
    placed: dict[str, dict[int, PlacedLayer]] = {}
    alphas_from: dict[str, str] = {}
    for of_file in found.layers:
        try:
            layer = _placed(family, of_file, alphas, shape)
        except AdapterError as error:
            unread |= dict.fromkeys(of_file.keys.values(), str(error).rstrip("."))
            continue
        name = layer.place.name
        if layer.place.slot in placed.setdefault(name, {}):
            unread |= dict.fromkeys(of_file.keys.values(), f"The layer {name} is in the file twice, in two ways of naming")
        else:
            placed[name][layer.place.slot] = layer
            if layer.outline.alpha is not None and ALPHA not in of_file.shapes:
                alphas_from[name] = alphas.source
    first = {name: next(iter(slots.values())).outline for name, slots in placed.items()}
    for name in () if shape else beyond_standard_size(family, first):
        reason = f"{FAMILIES[family].title} has no block of this number: {ANOTHER_MODEL}"
        unread |= dict.fromkeys((key for layer in placed[name].values() for key in layer.keys.values()), reason)
        del placed[name]
        alphas_from.pop(name, None)
    if guessed and not placed and all(reason.endswith(ANOTHER_MODEL) for reason in unread.values()):
        raise unknown_family()
    layers = tuple(layer for slots in placed.values() for layer in slots.values())
    alike = families_alike(family, placed, (layer.path for layer in layers), metadata) if guessed else ()
    return Layout(family, layers, found.dialects, unread, found.embeddings, metadata, alphas, alphas_from, alike)


def no_network(keys: Iterable[str]) -> AdapterError:
    """The error that there is nothing to read in a file, with what is in it where that is known."""
    if what := next((reason for key in keys if (reason := not_read(key))), None):
        return AdapterError(f"The network in the file is of a kind that is not read here: {what}.", code="lora.other_kind")
    return AdapterError(
        "There is no LoRA or other network in the file: it is a whole model, an embedding, or something else.", code="lora.no_network"
    )


def is_network(shapes: Mapping[str, ShapeOnly]) -> bool:
    """Whether a layer with these tensors is of a kind that is known."""
    try:
        kind_of(shapes)
    except AdapterError:
        return False
    return True


# ---- sorting the tensors


def sorted_by_layer(tensors: Mapping[str, Stored], numbers: Numbers) -> Found:
    """The tensors of a file by layer, in whatever dialect.

    Raises:
        AdapterError: there are more than any network has.
    """
    layers: dict[tuple[str, str], FoundLayer] = {}
    dialects: dict[str, None] = {}
    unread: dict[str, str] = {}
    embeddings: dict[str, None] = {}
    marks = frozenset((ALPHA, *(suffix for kind in KINDS.values() for suffix in kind.marks)))
    for name, tensor in tensors.items():
        if bundled := EMBEDDING.match(name):
            embeddings[bundled[1]] = None
            continue
        key = key_of(name)
        if key is None or (key.suffix == SCALE and prod(tensor.shape) != 1):
            what = not_read(name)
            unread[name] = f"It belongs to {what}" if what else "No kind of network has a tensor whose name ends so"
            continue
        layer = layers.get((key.part, key.path))
        if layer is None:
            if len(layers) == MOST_LAYERS:
                raise AdapterError(
                    f"The file has more than {MOST_LAYERS:,} layers, which no network has: it is damaged, or made to keep programs busy.",
                    code="lora.too_many_layers",
                )
            layer = layers[key.part, key.path] = FoundLayer(key.part, key.path, key.head)
        if key.suffix in layer.shapes:
            unread[name] = "The layer is in the file twice, in two ways of naming or for two adapters"
            continue
        dialects[key.dialect] = None
        if has_adapter_name(name):
            dialects[NAMED_ADAPTER] = None
        layer.head = key.head
        layer.keys[key.suffix] = name
        number = numbers.number(name) if key.suffix in marks and prod(tensor.shape) == 1 else 0
        dtype = str(tensor.dtype).removeprefix("torch.")
        layer.shapes[key.suffix] = ShapeOnly(_shape_in_kohyas_layout(key, name, tensor), dtype, number)
        if key.suffix == ALPHA:
            layer.alpha = number if prod(tensor.shape) == 1 else None
    for of_layer in list(layers.values()):
        of_layer.take_scale(numbers)
        if ROTATION not in of_layer.shapes:
            continue
        if numbers.is_rotation(of_layer.keys[ROTATION]):
            of_layer.take_rotation()
            dialects[ROTATIONS] = None
        else:
            unread |= dict.fromkeys(of_layer.keys.values(), f"It belongs to {not_read(of_layer.keys[ROTATION])}")
            del layers[of_layer.part, of_layer.path]
    if any(is_of_control(key) for key in unread):
        dialects = {CONTROL: None}
    return Found(list(layers.values()), tuple(dialects), unread, tuple(embeddings))


def _shape_in_kohyas_layout(key: Key, name: str, tensor: Stored) -> tuple[int, ...]:
    """The shape of a tensor as kohya writes it; one of more numbers has rows of zeros below those in the file."""
    shape = tuple(tensor.shape)
    if key.dialect == "XLabs" and key.path.endswith("linear1") and key.suffix == UP and len(shape) == 2:
        # Query, key and value alone; below them the layer has the MLP, of four times the width.
        return (shape[0] + shape[0] // 3 * 4, shape[1])
    if "lora_magnitude_vector" in name:  # peft's are along the outputs, [out], or [1, out, 1, 1] for convolutions
        return (prod(shape), *(1 for _ in range(max(1, len(shape) - 1))))
    return shape


# ---- placing the layers


def _placed(family: str, found: FoundLayer, alphas: PeftAlphas, shape: Any) -> PlacedLayer:
    """The layer that these tensors make, and where it belongs.

    Raises:
        AdapterError: they make none, or it belongs nowhere.
    """
    outline, part, path = found.outline(), found.part, found.path
    if outline.kind is oft_v2.KIND and not alphas.by_series:
        raise AdapterError("This OFTv2 was trained without Neumann's series, which is another rotation.")
    part = next(iter(names.naming_of(family).parts)) if part == "main" else part
    if part == "text_encoder_2" and part not in names.naming_of(family).parts:
        raise AdapterError(f"{family} has only one text encoder.")
    if part == "text_encoder" and path.replace(".", "_").startswith("encoder_block_"):
        part = "text_encoder_2"
    _refuse_left_out(family, part, path)
    unknown = AdapterError(f"{FAMILIES[family].title} has no layer of this name: {ANOTHER_MODEL}.")
    try:
        place = names.place(family, part, path, shape)
    except AdapterError:
        raise unknown from None
    if not exists_at_some_size(family, place.name, shape):
        raise unknown
    alpha = outline.alpha
    if ALPHA not in found.shapes and outline.rank is not None and (scale := alphas.scale(outline, part, path)) is not None:
        alpha = scale * outline.rank
    return PlacedLayer(replace(outline, name=place.name, alpha=alpha), place, part, path, found.keys, found.shapes)


def _refuse_left_out(family: str, part: str, path: str) -> None:
    """Raises AdapterError for a layer of a part that a family has and on which no LoRA is read."""
    naming, name = names.naming_of(family), f"{'main' if part == FAMILIES[family].denoiser else part}_{path}".replace(".", "_")
    what = next((words for pattern, words in naming.left_out.items() if re.fullmatch(pattern, name)), None)
    if what is None and part in FAMILIES[family].usual.parts and part not in naming.parts:
        what = part.replace("_", " ")
    if what is not None:
        raise AdapterError(f"{FAMILIES[family].title}'s {what} is left as it is, and LoRAs on it are not read.")


AnyLayer = TypeVar("AnyLayer", bound=LayerOutline)


def as_norm(layer: AnyLayer, zeros_like: Any) -> AnyLayer:
    """A difference of a normalisation, which has one number a channel, as what is trained of one; a shift that the file lacks is zero."""
    if layer.kind is norm.KIND and norm.B not in layer.tensors:
        return replace(layer, tensors={**layer.tensors, norm.B: zeros_like(layer.tensors[norm.W])})
    if layer.kind is not full.KIND or len(layer.tensors[full.DIFF].shape) != 1:
        return layer
    scale = layer.tensors[full.DIFF]
    return replace(layer, kind=norm.KIND, tensors={norm.W: scale, norm.B: layer.tensors.get(full.DIFF_B, zeros_like(scale))})
