"""What is in a LoRA file, by its header alone: family, kinds, ranks and alphas, what it says of its training, which programs load it.

    info = inspect("mimi.safetensors")
    info.family, info.ranks, info.programs["ComfyUI"].verdict

Of the numbers only the alphas are read, each at its place, so a file of any size takes an instant, and torch is not needed.
"""

from __future__ import annotations

import math
import re
import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lorasmith.adapters.compatibility.loading import ConsumerReport, in_programs
from lorasmith.adapters.files import names
from lorasmith.adapters.files.header import LoraHeader, read_lora_header
from lorasmith.adapters.files.key_style import kept_alphas
from lorasmith.adapters.files.layout import FoundLayer, Layout, is_network, layout_of, sorted_by_layer
from lorasmith.adapters.files.peft_alphas import config_beside
from lorasmith.adapters.kinds import ALPHA
from lorasmith.adapters.outline import LayerOutline, ShapeOnly
from lorasmith.errors import AdapterError
from lorasmith.library.metadata_words import Said, said_in
from lorasmith.models.families import FAMILIES
from lorasmith.models.files.tensor_file import is_pickle
from lorasmith.safetensors_header import TYPES
from lorasmith.secrets import without_secrets


@dataclass(frozen=True)
class LoraInfo:
    """A LoRA file in numbers; counts are layers as they were trained, by what is counted."""

    file: str
    family: str
    """Key of the family; empty where nothing shows it, or it is not supported here."""
    made_for: str
    """The family's title, supported here or not; several where nothing shows which of them, empty where nothing shows any."""
    parts: dict[str, int]
    kinds: dict[str, int]
    ranks: dict[str, int]
    alphas: dict[str, int]
    blocks: dict[str, dict[str, BlockInfo]]
    """Part of the base -> block -> what is trained of it."""
    dora: int
    """Layers with a magnitude (DoRA)."""
    names: list[str]
    """The dialects that its keys are written in."""
    precisions: dict[str, int]
    """dtype -> numbers."""
    parameters: int
    bytes: int
    programs: dict[str, ConsumerReport]
    """What each program does with the file, as far as names and shapes decide; `check_file` looks at the numbers too."""
    unread: dict[str, str]
    """Key -> why it could not be read."""
    notes: list[str]
    said: tuple[Said, ...]
    """The metadata made readable, without secrets."""
    metadata: dict[str, str]
    """The metadata as they are, without secrets."""

    def as_data(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self) | {
            "layers": sum(self.kinds.values()),
            "programs": {program: report.as_data for program, report in self.programs.items()},
            "said": [one.as_data for one in self.said],
        }


@dataclass(frozen=True)
class BlockInfo:
    """What is trained of one block."""

    layers: int = 0
    ranks: dict[str, int] = field(default_factory=dict)
    alphas: dict[str, int] = field(default_factory=dict)


def inspect(path: str | Path, family: str | None = None, allow_pickle: bool = False) -> LoraInfo:
    """Say what is in a LoRA file of any trainer, by its header alone.

    Parameters
    ----------
    path
        The file; however large it is, its header and its alphas are read.
    family
        The family of base models, such as "sdxl", where the file does not show it.
    allow_pickle
        Read .pt, .ckpt and .bin files too, by torch's unpickler for weights alone.

    Raises
    ------
    AdapterError
        It is not a LoRA file, it is damaged, or it is a pickle and that was not allowed.

    Examples
    --------
    >>> lora = ls.describe_lora("my-lora.safetensors")
    >>> lora.family, list(lora.ranks)
    ('sd1', ['2'])
    """
    path = Path(path)
    header = read_lora_header(path, allow_pickle)
    return _info(path, header, contents_of(path, header, family))


@dataclass(frozen=True)
class Contents:
    """The network in a file, as far as its header shows it."""

    family: str
    made_for: str
    dialects: tuple[str, ...]
    metadata: Mapping[str, str]
    layout: Layout | None
    """None for a file whose family is not known here."""
    unplaced: tuple[FoundLayer, ...] = ()
    """The layers of such a file."""
    notes: tuple[str, ...] = ()

    @property
    def outlines(self) -> list[LayerOutline]:
        """The layers as they are in the file."""
        return list(self.layout.in_file) if self.layout else [layer.outline() for layer in self.unplaced]


def contents_of(path: Path, header: LoraHeader, family: str | None = None) -> Contents:
    """The network in a file by its header, of which the few numbers are read that decide what a layer is.

    Raises AdapterError where there is none.
    """
    metadata = config_beside(path, header.tensors) | dict(header.metadata)
    shapes, numbers = _shapes(header), KnownNumbers(_single_numbers(path, header))
    for head, alpha in kept_alphas(shapes, metadata).items():
        shapes[f"{head}.{ALPHA}"] = ShapeOnly((), "float32")
        numbers.values[f"{head}.{ALPHA}"] = alpha
    try:
        layout = layout_of(shapes, metadata, numbers, family)
    except AdapterError as error:
        if error.code not in ("lora.other_family", "lora.unknown_family"):
            raise
        found = sorted_by_layer(shapes, numbers)
        layers = tuple(layer for layer in found.layers if _is_whole(layer))
        made_for = str(error.values.get("family", ""))
        return Contents("", made_for, found.dialects, metadata, None, layers, (str(error),))
    made_for = " or ".join((FAMILIES[layout.family].title, *layout.alike))
    return Contents(layout.family, made_for, layout.dialects, metadata, layout, notes=layout.notes())


def _info(path: Path, header: LoraHeader, contents: Contents) -> LoraInfo:
    layout, of_all = contents.layout, contents.outlines
    blocks: dict[str, dict[str, list[LayerOutline]]] = {}
    for (part, block), layer in zip(_blocks(contents), of_all, strict=True):
        blocks.setdefault(part, {}).setdefault(block, []).append(layer)
    precisions: Counter[str] = Counter()
    for entry in header.tensors.values():
        precisions[TYPES[entry.dtype][0] or entry.dtype] += math.prod(entry.shape)
    clean = without_secrets(dict(contents.metadata))
    return LoraInfo(
        file=str(path), family=contents.family, made_for=contents.made_for,
        parts={part: sum(map(len, of_part.values())) for part, of_part in blocks.items()},
        kinds=dict(Counter(layer.kind.name for layer in of_all)), ranks=_ranks(of_all), alphas=_alphas(of_all),
        blocks={
            part: {block: BlockInfo(len(own), _ranks(own), _alphas(own)) for block, own in sorted(of_part.items())}
            for part, of_part in blocks.items()
        },
        dora=sum(layer.dora_scale is not None for layer in of_all),
        names=list(contents.dialects), precisions=dict(precisions.most_common()), parameters=header.parameters,
        bytes=header.bytes, programs=in_programs(layout.outline()) if layout else {}, unread=dict(layout.unread) if layout else {},
        notes=list(contents.notes), said=said_in(clean), metadata=clean,
    )  # fmt: skip


def _blocks(contents: Contents) -> list[tuple[str, str]]:
    """(part of the base, block in the count of LoRA block weights) of each layer.

    Of a family that is not known here, what comes before the first number of a name is taken for the block.
    """
    found = []
    for placed in contents.layout.layers if contents.layout else ():
        part, paths = names.layers_of(contents.family, placed.place.name)
        found.append((part, names.block_of(contents.family, part, paths[0])))
    for layer in contents.unplaced:
        block = re.match(r".*?[._]\d+", layer.path)
        found.append((layer.part, block[0] if block else layer.path))
    return found


def _is_whole(layer: FoundLayer) -> bool:
    try:
        layer.outline()
    except AdapterError:
        return False
    return is_network(layer.shapes)


def _ranks(layers: Iterable[LayerOutline]) -> dict[str, int]:
    return {str(rank): number for rank, number in sorted(Counter(layer.rank for layer in layers if layer.rank is not None).items())}


def _alphas(layers: Iterable[LayerOutline]) -> dict[str, int]:
    found = Counter(layer.alpha for layer in layers if layer.alpha is not None)
    return {f"{alpha:g}": number for alpha, number in sorted(found.items())}


# ---- the few numbers


@dataclass(frozen=True)
class KnownNumbers:
    """The single numbers of a file, by key."""

    values: dict[str, float]

    def number(self, key: str) -> float:
        return self.values[key]

    def is_rotation(self, key: str) -> bool:
        return True


def _shapes(header: LoraHeader) -> dict[str, ShapeOnly]:
    return {key: ShapeOnly(entry.shape, TYPES[entry.dtype][0] or entry.dtype) for key, entry in header.tensors.items()}


def _single_numbers(path: Path, header: LoraHeader) -> dict[str, float]:
    """The numbers of tensors that have one, which are alphas and scales."""
    single = {key: entry for key, entry in header.tensors.items() if math.prod(entry.shape) == 1}
    if is_pickle(path):
        from lorasmith.adapters.files.lora_file import load_tensors

        tensors = load_tensors(path, allow_pickle=True).tensors
        return {key: float(tensors[key]) for key in single}
    found = {}
    with path.open("rb") as file:
        for key, entry in single.items():
            file.seek(entry.begin)
            found[key] = number_of(file.read(entry.end - entry.begin), entry.dtype)
    return found


_STRUCTS = {"F64": "<d", "F32": "<f", "F16": "<e", "BOOL": "<?"}


def number_of(raw: bytes, dtype: str) -> float:
    """A number of a safetensors file from its bytes; NaN for types of which no number is read here."""
    if dtype in _STRUCTS:
        return float(struct.unpack(_STRUCTS[dtype], raw)[0])
    if dtype == "BF16":
        return float(struct.unpack("<f", b"\0\0" + raw)[0])
    if dtype[0] in "IU":
        return float(int.from_bytes(raw, "little", signed=dtype[0] == "I"))
    return _float8(raw[0], *_FLOAT8[dtype]) if dtype in _FLOAT8 else math.nan


_FLOAT8 = {"F8_E4M3": (3, 7, False), "F8_E5M2": (2, 15, True)}
"""Bits of the fraction, bias of the exponent, and whether there is an infinity (OCP 8-bit floating point)."""


def _float8(byte: int, fraction_bits: int, bias: int, infinities: bool) -> float:
    sign, rest = -1 if byte & 0x80 else 1, byte & 0x7F
    exponent, fraction = rest >> fraction_bits, rest & ((1 << fraction_bits) - 1)
    if infinities and exponent == (0x7F >> fraction_bits):
        return sign * math.inf if fraction == 0 else math.nan
    if not infinities and rest == 0x7F:
        return math.nan
    leading, exponent = (0, 1) if exponent == 0 else (1, exponent)
    return sign * math.ldexp(leading + fraction / (1 << fraction_bits), exponent - bias)
