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

from torch import Tensor

from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.family import guess_family
from lorasmith.adapters.files.fuse import fuse, swap_halves
from lorasmith.adapters.files.key_style import with_alphas
from lorasmith.adapters.files.network import Network
from lorasmith.adapters.kinds import ALPHA, DORA_SCALE, KINDS, kind_of
from lorasmith.adapters.kinds.lora import DOWN, UP
from lorasmith.adapters.layer import Layer, read_layer
from lorasmith.errors import AdapterError
from lorasmith.models.lora_naming import Place

# ---- the tables

# Other programs' spelling of a LoRA's tensors, at the end of a key -> the suffix in kohya's layout.
_OTHER_SPELLINGS: dict[str, str] = {
    ".lora_A.weight": DOWN, ".lora_B.weight": UP, ".lora_A.default.weight": DOWN, ".lora_B.default.weight": UP,
    ".lora.down.weight": DOWN, ".lora.up.weight": UP, "_lora.down.weight": DOWN, "_lora.up.weight": UP,
    ".lora_linear_layer.down.weight": DOWN, ".lora_linear_layer.up.weight": UP,
    ".lora_magnitude_vector": DORA_SCALE, ".lora_magnitude_vector.weight": DORA_SCALE, ".lora_magnitude_vector.default.weight": DORA_SCALE,
}  # fmt: skip
_OLD_SPELLINGS = ("_lora.", ".lora.", ".lora_linear_layer.")

# Beginning of a key -> part of the base ("main": the U-Net or transformer) and the dialect that writes so.
_PREFIXES: dict[str, tuple[str, str]] = {
    "lora_unet_": ("main", "kohya"), "lora_transformer_": ("main", "OneTrainer"), "lycoris_": ("main", "LyCORIS"),
    "lora_te1_": ("text_encoder", "kohya"), "lora_te2_": ("text_encoder_2", "kohya"), "lora_te3_": ("text_encoder_2", "kohya"),
    "lora_te_": ("text_encoder", "kohya"), "lora_prior_": ("other", "OneTrainer"),
    "diffusion_model.": ("main", "ComfyUI"), "model.diffusion_model.": ("main", "ComfyUI"),
    "text_encoders.clip_l.transformer.": ("text_encoder", "ComfyUI"), "text_encoders.clip_h.transformer.": ("text_encoder", "ComfyUI"),
    "text_encoders.clip_g.transformer.": ("text_encoder_2", "ComfyUI"), "text_encoders.t5xxl.transformer.": ("text_encoder_2", "ComfyUI"),
    "unet.": ("main", "diffusers"), "transformer.": ("main", "diffusers"),
    "text_encoder.": ("text_encoder", "diffusers"), "text_encoder_2.": ("text_encoder_2", "diffusers"),
}  # fmt: skip
_EMBEDDING = re.compile(r"bundle_emb\.(.+?)\.")


def _spellings() -> dict[str, str]:
    """Every ending of a key that is known -> the suffix in kohya's layout."""
    own = {f".{suffix}": suffix for kind in KINDS.values() for suffix in kind.suffixes}
    return {**own, f".{ALPHA}": ALPHA, f".{DORA_SCALE}": DORA_SCALE, **_OTHER_SPELLINGS}


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
        raise AdapterError(
            "There is no LoRA or other network in the file: it is a whole model, an embedding, or something else.", code="lora.no_network"
        )
    family = family or guess_family({f"{part}.{path}": of_layer.tensors for (part, path), of_layer in found.items()}, metadata)
    alphas = _PeftAlphas(metadata)
    placed: dict[str, dict[int, tuple[Layer, Place, list[str]]]] = {}
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
    layers: dict[str, Layer] = {}
    for name, slots in placed.items():
        try:
            layers[name] = _one_layer(name, slots)
        except AdapterError as error:
            unread |= dict.fromkeys((key for _, _, origin in slots.values() for key in origin), str(error).rstrip("."))
    fused = sum(next(iter(placed[name].values()))[1].slots > 1 for name in layers)
    notes = []
    if embeddings:
        notes.append(f"{len(embeddings)} embedding(s) bundled by OneTrainer are not part of the network: {', '.join(embeddings)}.")
    if fused:
        notes.append(f"{fused} layers that were trained apart (query, key, value) were fused.")
    return Network(family, layers, tuple(dialects), unread, tuple(notes), metadata)


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
        key = _split(name, spellings)
        if key is None:
            unread[name] = "No kind of network has a tensor whose name ends so"
            continue
        dialects[key.dialect] = None
        if "lora_magnitude_vector" in name:  # peft's are along the outputs, [out], or [1, out, 1, 1] for convolutions
            tensor = tensor.reshape(-1, *(1 for _ in range(max(1, tensor.dim() - 1))))
        of_layer = found.setdefault((key.part, key.path), _Found())
        of_layer.tensors[key.suffix] = tensor
        of_layer.keys.append(name)
        of_layer.head = key.head
    return found, dialects, unread, embeddings


def _split(name: str, spellings: Mapping[str, str]) -> _Key | None:
    """The parts of a key; None where it ends like no tensor that is known."""
    end = max((spelling for spelling in spellings if name.endswith(spelling)), key=len, default=None)
    if end is None:
        return None
    head = name[: -len(end)]
    part, path, dialect = "main", head.removeprefix("base_model.model."), "diffusers"
    for prefix, (of_part, by) in _PREFIXES.items():
        if path.startswith(prefix):
            part, path, dialect = of_part, path.removeprefix(prefix), by
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
    layer = read_layer("", found.tensors, (found.head,))
    part = next(iter(keys.naming_of(family).parts)) if part == "main" else part
    if part == "text_encoder_2" and part not in keys.naming_of(family).parts:
        raise AdapterError(f"{family} has only one text encoder.")
    if part == "text_encoder" and path.replace(".", "_").startswith("encoder_block_"):
        part = "text_encoder_2"
    place = keys.place(family, part, path, shape)
    alpha = layer.alpha if ALPHA in found.tensors else alphas.of(part, path, found.tensors)
    return replace(layer, name=place.name, alpha=alpha), place


def _one_layer(name: str, slots: Mapping[int, tuple[Layer, Place, list[str]]]) -> Layer:
    """The file's layer of this name from its parts: fused where several share it, its rows in the file's order."""
    _, place, _ = next(iter(slots.values()))
    if place.slots > 1:
        return fuse(name, {slot: layer for slot, (layer, _, _) in slots.items()}, place.slots)
    return swap_halves(slots[0][0]) if place.halves_swapped else slots[0][0]


class _PeftAlphas:
    """Alphas that diffusers writes into the metadata, as peft's configuration of each part."""

    def __init__(self, metadata: Mapping[str, str]) -> None:
        try:
            tree = json.loads(metadata.get("lora_adapter_metadata", "{}"))
        except ValueError:
            tree = {}
        self.tree: dict[str, Any] = tree if isinstance(tree, dict) else {}

    def of(self, part: str, path: str, tensors: Mapping[str, Tensor]) -> float | None:
        """The alpha of a LoRA layer, None where there is none."""
        settings = {key.removeprefix(f"{part}."): value for key, value in self.tree.items() if key.startswith(f"{part}.")}
        if DOWN not in tensors or "lora_alpha" not in settings:
            return None
        alpha = settings["lora_alpha"]
        for pattern, value in (settings.get("alpha_pattern") or {}).items():
            if re.fullmatch(rf"(.*\.)?({pattern})", path):
                alpha = value
                break
        rank = tensors[DOWN].shape[0]
        return alpha * rank**0.5 if settings.get("use_rslora") else float(alpha)
