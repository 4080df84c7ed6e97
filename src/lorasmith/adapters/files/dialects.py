"""Read the LoRA files of others: every way in which the field names layers and tensors, made into one.

A key in a file has three parts: the part of the base (`unet.`, `lora_unet_`, `diffusion_model.` ...), the layer's path (of
diffusers or of the original model, with dots or underscores), and what the tensor is (`lora_A.weight`, `lora_down.weight`
...). Each part has a table here. The result is the network in kohya's names (see `names`), layer by layer, as `Layer`s.

Where Flux was trained with query, key and value apart but the file's names fuse them, the layers are fused (see `fuse`). What cannot be
read is not passed over: it is in `Network.unread`, with the reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.family import guess_family, unknown_family
from lorasmith.adapters.files.fuse import fuse, swap_halves
from lorasmith.adapters.files.key_style import with_alphas
from lorasmith.adapters.files.lora_file import ADAPTER_CONFIG
from lorasmith.adapters.files.network import CONTROL, NAMED_ADAPTER, ROTATIONS, Network
from lorasmith.adapters.files.real_layers import beyond_standard_size, exists_at_some_size
from lorasmith.adapters.kinds import ALPHA, DORA_SCALE, KINDS, diag_oft, full, kind_of, lokr, lora, norm, oft_v2
from lorasmith.adapters.kinds.formulas import diag_oft as diag_oft_formulas
from lorasmith.adapters.kinds.lora import DOWN, UP
from lorasmith.adapters.layer import Layer, read_layer
from lorasmith.errors import AdapterError
from lorasmith.models.families import FAMILIES
from lorasmith.models.lora_naming import Place
from lorasmith.pages.numbers import count

# ---- the tables

# Other programs' spelling of a LoRA's tensors, at the end of a key -> the suffix in kohya's layout.
_OTHER_SPELLINGS: dict[str, str] = {
    ".lora_A.weight": DOWN, ".lora_B.weight": UP,
    ".lora.down.weight": DOWN, ".lora.up.weight": UP, "_lora.down.weight": DOWN, "_lora.up.weight": UP,
    ".lora_linear_layer.down.weight": DOWN, ".lora_linear_layer.up.weight": UP,
    ".lora_magnitude_vector": DORA_SCALE, ".lora_magnitude_vector.weight": DORA_SCALE,
}  # fmt: skip
_OLD_SPELLINGS = ("_lora.", ".lora.", ".lora_linear_layer.")

# Beginning of a key -> part of the base ("main": the U-Net or transformer) and the dialect that writes so.
_PREFIXES: dict[str, tuple[str, str]] = {
    "lora_unet_": ("main", "kohya"), "lora_transformer_": ("main", "OneTrainer"), "lycoris_": ("main", "LyCORIS"),
    "lora_te1_": ("text_encoder", "kohya"), "lora_te2_": ("text_encoder_2", "kohya"), "lora_te3_": ("text_encoder_2", "kohya"),
    "lora_te_": ("text_encoder", "kohya"), "oft_unet_": ("main", "kohya's OFT"), "lora_prior_": ("other", "OneTrainer"),
    "diffusion_model.": ("main", "ComfyUI"), "model.diffusion_model.": ("main", "ComfyUI"),
    "text_encoders.clip_l.transformer.": ("text_encoder", "ComfyUI"), "text_encoders.clip_h.transformer.": ("text_encoder", "ComfyUI"),
    "text_encoders.clip_g.transformer.": ("text_encoder_2", "ComfyUI"), "text_encoders.t5xxl.transformer.": ("text_encoder_2", "ComfyUI"),
    "unet.": ("main", "diffusers"), "transformer.": ("main", "diffusers"),
    "text_encoder.": ("text_encoder", "diffusers"), "text_encoder_2.": ("text_encoder_2", "diffusers"),
}  # fmt: skip
# XLabs' Flux files: a processor for each block, 1 for the picture and 2 for the text; USO writes the same.
_XLABS = re.compile(r"(.*(double|single)_blocks\.(\d+)\.processor\.(qkv|proj)_lora([12]?))\.(down|up)\.weight")
_XLABS_LAYERS = {
    ("double", "qkv", "1"): "img_attn.qkv", ("double", "qkv", "2"): "txt_attn.qkv",
    ("double", "proj", "1"): "img_attn.proj", ("double", "proj", "2"): "txt_attn.proj",
    ("single", "qkv", ""): "linear1", ("single", "proj", ""): "linear2",
}  # fmt: skip

# The end of a key that belongs to a network which is known and not read -> what that is.
_NOT_READ: dict[str, str] = {
    ".oft_R": "the OFT of peft before 0.16, which rotates a layer's inputs",
    ".oft_diag": "the OFT of LyCORIS before 2.0, of which only files with finished rotations are read",
    ".boft_R": "the BOFT of peft", ".boft_s": "the BOFT of peft",
    ".vera_lambda_b": "VeRA, whose matrices are not in the file", ".vera_lambda_d": "VeRA, whose matrices are not in the file",
    ".lora_B.bias": "a LoRA with a bias of its own, as the control LoRAs of Black Forest Labs have",
    "_norm.scale": "a normalisation that was trained with it, as in the control LoRAs of Black Forest Labs",
}  # fmt: skip
_OF_CONTROL = re.compile(r"(double_blocks\.\d+\.(img|txt)_attn|single_blocks\.\d+)\.norm\.(query|key)_norm\.scale")
"""A key that no LoRA of Flux.1 has but those."""

_ADAPTER_NAME = re.compile(r"(\.lora_[AB]|\.lora_magnitude_vector)\.(?!weight$)[^.]+(?=(\.weight)?$)")
"""The name that peft gives an adapter, in the keys of files that were written by hand: lora_A.NAME.weight."""

_ROTATION = "oft_diag"
"""R itself, in blocks, where other files have what it is computed from."""
_SCALE = "scale"
"""A single number that AUTOMATIC1111 reads instead of alpha / rank."""

_EMBEDDING = re.compile(r"bundle_emb\.(.+?)\.")


def _spellings() -> dict[str, str]:
    """Every ending of a key that is known -> the suffix in kohya's layout."""
    own = {f".{suffix}": suffix for kind in KINDS.values() for suffix in kind.suffixes}
    return {**own, f".{ALPHA}": ALPHA, f".{_SCALE}": _SCALE, f".{_ROTATION}": _ROTATION, f".{DORA_SCALE}": DORA_SCALE, **_OTHER_SPELLINGS}


# ---- reading


@dataclass(frozen=True)
class _Key:
    """A key of a file, taken apart."""

    part: str
    path: str
    suffix: str
    dialect: str
    head: str
    """The key without its end."""


@dataclass
class _Found:
    """The tensors of one layer of the file, as they are found."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    head: str = ""

    def take_scale(self) -> None:
        """Make the scale that AUTOMATIC1111 reads the alpha that it stands for."""
        scale = self.tensors.pop(_SCALE, None)
        if scale is not None and _is_network(self.tensors) and (rank := kind_of(self.tensors).rank(self.tensors)):
            self.tensors[ALPHA] = scale.float().reshape(()) * rank

    def take_rotation(self) -> bool:
        """Make blocks that are rotations what Diag-OFT computes them from; whether there were some, and they are."""
        blocks = self.tensors.pop(_ROTATION, None)
        found = None if blocks is None else diag_oft_formulas.from_rotations(blocks)
        if found is not None:
            self.tensors |= {diag_oft.BLOCKS: found, ALPHA: torch.tensor(0.0)}
        return found is not None


def read_network(
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str] | None = None,
    family: str | None = None,
    shape: Any = None,
) -> Network:
    """The network in a file's tensors, whatever dialect it was written in.

    `family` is found from the names and shapes where it is not given; `shape` is for denoisers of an unusual shape.

    Raises:
        AdapterError: no network in it, or nothing in it shows its family.
    """
    metadata = dict(metadata or {})
    found, dialects, unread, embeddings = _sorted_by_layer(with_alphas(tensors, metadata))
    if not any(_is_network(of_layer.tensors) for of_layer in found.values()):
        raise _no_network(tensors)
    guessed = family is None
    family = family or guess_family({f"{part}.{path}": of_layer.tensors for (part, path), of_layer in found.items()}, metadata)
    alphas = _PeftAlphas(metadata)
    placed: dict[str, dict[int, tuple[Layer, Place, list[str]]]] = {}
    alphas_from: dict[str, str] = {}
    for (part, path), of_layer in found.items():
        try:
            layer, place = _layer(family, part, path, of_layer, alphas, shape)
        except AdapterError as error:
            unread |= dict.fromkeys(of_layer.keys, str(error).rstrip("."))
            continue
        if place.slot in placed.setdefault(place.name, {}):
            unread |= dict.fromkeys(of_layer.keys, f"The layer {place.name} is in the file twice, in two ways of naming")
        else:
            placed[place.name][place.slot] = (layer, place, of_layer.keys)
            if layer.alpha is not None and ALPHA not in of_layer.tensors:
                alphas_from[place.name] = alphas.source
    layers: dict[str, Layer] = {}
    for name, slots in placed.items():
        try:
            layers[name] = _one_layer(name, slots)
        except AdapterError as error:
            unread |= dict.fromkeys((key for _, _, origin in slots.values() for key in origin), str(error).rstrip("."))
    for name in () if shape else beyond_standard_size(family, layers):
        reason = f"{FAMILIES[family].title} has no block of this number: {_ANOTHER_MODEL}"
        unread |= dict.fromkeys((key for _, _, origin in placed[name].values() for key in origin), reason)
        del layers[name]
    fused = sum(len(next(iter(placed[name].values()))[1].shares) > 1 for name in layers)
    if guessed and not layers and all(reason.endswith(_ANOTHER_MODEL) for reason in unread.values()):
        raise unknown_family()
    notes = _notes(list(embeddings), fused, len(alphas_from), alphas.source)
    return Network(family, layers, tuple(dialects), unread, notes, metadata, alphas_from)


_ANOTHER_MODEL = "the LoRA was made for another model"


def _notes(embeddings: list[str], fused: int, alphas: int, source: str) -> tuple[str, ...]:
    """What is worth knowing of how a file was read."""
    notes = []
    if embeddings:
        notes.append(
            f"{count(len(embeddings), 'embedding')} bundled by OneTrainer {'is' if len(embeddings) == 1 else 'are'} not part of the network: {', '.join(embeddings)}."
        )
    if fused:
        notes.append(f"{fused} layers that were trained apart (query, key, value) were fused.")
    if alphas:
        notes.append(f"The alphas of {count(alphas, 'layer')} are in {source}.")
    return tuple(notes)


def _no_network(tensors: Mapping[str, Tensor]) -> AdapterError:
    """The error that there is nothing to read in a file, with what is in it where that is known."""
    if what := next((reason for key in tensors if (reason := _not_read(key))), None):
        return AdapterError(f"The network in the file is of a kind that is not read here: {what}.", code="lora.other_kind")
    return AdapterError(
        "There is no LoRA or other network in the file: it is a whole model, an embedding, or something else.", code="lora.no_network"
    )


def _not_read(key: str) -> str | None:
    return next((what for end, what in _NOT_READ.items() if key.endswith(end)), None)


def _sorted_by_layer(
    tensors: Mapping[str, Tensor],
) -> tuple[dict[tuple[str, str], _Found], dict[str, None], dict[str, str], dict[str, None]]:
    """Tensors by (part, path); the dialects seen; keys that cannot be read, with the reason; names of bundled embeddings."""
    found: dict[tuple[str, str], _Found] = {}
    dialects: dict[str, None] = {}
    unread: dict[str, str] = {}
    embeddings: dict[str, None] = {}
    spellings = _spellings()
    for name, tensor in tensors.items():
        if bundled := _EMBEDDING.match(name):
            embeddings[bundled[1]] = None
            continue
        key = _of_xlabs(name) or _split(name, spellings)
        if key is None or (key.suffix == _SCALE and tensor.numel() != 1):
            what = _not_read(name)
            unread[name] = f"It belongs to {what}" if what else "No kind of network has a tensor whose name ends so"
            continue
        if key.suffix in found.get((key.part, key.path), _Found()).tensors:
            unread[name] = "The layer is in the file twice, in two ways of naming or for two adapters"
            continue
        dialects[key.dialect] = None
        if _ADAPTER_NAME.search(name):
            dialects[NAMED_ADAPTER] = None
        if key.dialect == "XLabs" and key.path.endswith("linear1") and key.suffix == UP:
            # Query, key and value alone; below them the layer has the MLP, of four times the width.
            tensor = torch.cat([tensor, tensor.new_zeros(tensor.shape[0] // 3 * 4, tensor.shape[1])])
        if "lora_magnitude_vector" in name:  # peft's are along the outputs, [out], or [1, out, 1, 1] for convolutions
            tensor = tensor.reshape(-1, *(1 for _ in range(max(1, tensor.dim() - 1))))
        of_layer = found.setdefault((key.part, key.path), _Found())
        of_layer.tensors[key.suffix] = tensor
        of_layer.keys.append(name)
        of_layer.head = key.head
    for of_layer in found.values():
        of_layer.take_scale()
        if _ROTATION not in of_layer.tensors:
            continue
        if of_layer.take_rotation():
            dialects[ROTATIONS] = None
        else:
            unread |= {key: f"It belongs to {what}" for key in of_layer.keys if (what := _not_read(key))}
    if any(_OF_CONTROL.fullmatch(key) for key in unread):
        dialects = {CONTROL: None}
    return found, dialects, unread, embeddings


def _of_xlabs(name: str) -> _Key | None:
    """The parts of a key of XLabs; None for others."""
    found = _XLABS.fullmatch(name)
    layer = _XLABS_LAYERS.get((found[2], found[4], found[5])) if found else None
    if found is None or layer is None:
        return None
    return _Key("main", f"{found[2]}_blocks.{found[3]}.{layer}", DOWN if found[6] == "down" else UP, "XLabs", found[1])


def _split(name: str, spellings: Mapping[str, str]) -> _Key | None:
    """The parts of a key; None where it ends like no tensor that is known."""
    plain = _ADAPTER_NAME.sub(r"\1", name)
    end = max((spelling for spelling in spellings if plain.endswith(spelling)), key=len, default=None)
    if end is None:
        return None
    head = plain[: -len(end)]
    part, path, dialect = "main", head.removeprefix("base_model.model."), "diffusers"
    for prefix, (of_part, by) in _PREFIXES.items():
        if path.startswith(prefix):
            part, path, dialect = of_part, path.removeprefix(prefix).removeprefix("base_model.model."), by
            break
    if dialect == "diffusers" and path != head and head.startswith("base_model.model."):
        dialect = "peft"
    if end.startswith(_OLD_SPELLINGS):
        dialect = "old diffusers"
        path = path.replace(".processor.", ".").replace(".processor", "")
        path = re.sub(r"\.to_out$", ".to_out.0", path)
    return _Key(part, path, spellings[end], dialect, head)


def _is_network(tensors: Mapping[str, Tensor]) -> bool:
    try:
        kind_of(tensors)
    except AdapterError:
        return False
    return True


def _layer(family: str, part: str, path: str, found: _Found, alphas: _PeftAlphas, shape: Any) -> tuple[Layer, Place]:
    """The layer that these tensors make, and where it belongs.

    Raises:
        AdapterError: they make none, or it belongs nowhere.
    """
    layer = _as_norm(read_layer("", found.tensors, (found.head,)))
    if layer.kind is oft_v2.KIND and not alphas.by_series:
        raise AdapterError("This OFTv2 was trained without Neumann's series, which is another rotation.")
    part = next(iter(keys.naming_of(family).parts)) if part == "main" else part
    if part == "text_encoder_2" and part not in keys.naming_of(family).parts:
        raise AdapterError(f"{family} has only one text encoder.")
    if part == "text_encoder" and path.replace(".", "_").startswith("encoder_block_"):
        part = "text_encoder_2"
    unknown = AdapterError(f"{FAMILIES[family].title} has no layer of this name: {_ANOTHER_MODEL}.")
    try:
        place = keys.place(family, part, path, shape)
    except AdapterError:
        raise unknown from None
    if not exists_at_some_size(family, place.name, shape):
        raise unknown
    if ALPHA not in found.tensors:
        layer = alphas.given_to(layer, part, path)
    return replace(layer, name=place.name), place


def _as_norm(layer: Layer) -> Layer:
    """A difference of a normalisation, which has one number a channel, as what is trained of one."""
    if layer.kind is not full.KIND or layer.tensors[full.DIFF].dim() != 1:
        return layer
    scale = layer.tensors[full.DIFF]
    return replace(layer, kind=norm.KIND, tensors={norm.W: scale, norm.B: layer.tensors.get(full.DIFF_B, torch.zeros_like(scale))})


def _one_layer(name: str, slots: Mapping[int, tuple[Layer, Place, list[str]]]) -> Layer:
    """The file's layer of this name from its parts: fused where several share it, its rows in the file's order."""
    _, place, _ = next(iter(slots.values()))
    if len(place.shares) > 1:
        return fuse(name, {slot: layer for slot, (layer, _, _) in slots.items()}, place.shares)
    return swap_halves(slots[0][0]) if place.halves_swapped else slots[0][0]


class _PeftAlphas:
    """Alphas that are not among the tensors: diffusers writes peft's configuration of each part into the metadata, and peft beside the file."""

    def __init__(self, metadata: Mapping[str, str]) -> None:
        of_parts, of_file = _json_object(metadata, "lora_adapter_metadata"), _json_object(metadata, ADAPTER_CONFIG)
        self.tree = of_parts or of_file
        self.by_part = bool(of_parts)
        self.source = "lora_adapter_metadata" if of_parts else ADAPTER_CONFIG
        self.by_series = self.tree.get("use_cayley_neumann") is not False and self.tree.get("num_cayley_neumann_terms", 5) == 5
        """Whether rotations of OFTv2 are computed as both trainers do it by default."""

    def given_to(self, layer: Layer, part: str, path: str) -> Layer:
        """The layer with its alpha; as it is where there is none for it."""
        scale = self._scale(layer, part, path)
        if scale is None:
            return layer
        if layer.rank is not None:
            return replace(layer, alpha=scale * layer.rank)
        if lokr.W1 not in layer.tensors:
            return layer
        # peft scales a LoKr whose factors are both whole; all other programs do not.
        return replace(layer, tensors={**layer.tensors, lokr.W1: layer.tensors[lokr.W1].float() * scale})

    def _scale(self, layer: Layer, part: str, path: str) -> float | None:
        """What the change of a layer is multiplied by; None where nothing says so."""
        settings = self.tree
        if self.by_part:
            settings = {key.removeprefix(f"{part}."): value for key, value in self.tree.items() if key.startswith(f"{part}.")}
        alpha = _fitting(settings.get("alpha_pattern"), path, settings.get("lora_alpha" if layer.kind is lora.KIND else "alpha"))
        rank = layer.rank or _fitting(settings.get("rank_pattern"), path, settings.get("r"))
        if not isinstance(alpha, int | float) or not isinstance(rank, int) or not rank:
            return None
        return float(alpha / (rank**0.5 if settings.get("use_rslora") else rank))


def _fitting(patterns: Any, path: str, otherwise: Any) -> Any:
    """The value of the pattern that fits a path."""
    for pattern, value in patterns.items() if isinstance(patterns, dict) else ():
        if re.fullmatch(rf"(.*\.)?({pattern})", path):
            return value
    return otherwise


def _json_object(metadata: Mapping[str, str], key: str) -> dict[str, Any]:
    """An entry of the metadata as JSON; empty where it is not an object."""
    try:
        found = json.loads(metadata.get(key, "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
