"""Read the LoRA files of others: every way in which the field names layers and tensors, made into one.

A key in a file has three parts: where the layer lies (`unet.`, `lora_unet_`, `diffusion_model.` ...), the layer's path (of
diffusers or of the original model, with dots or underscores), and what the tensor is (`lora_A.weight`, `lora_down.weight`
...). Each part has a table here. The result is the network in kohya's names (see `keys`), layer by layer, its kind told
by the tensors it has (see `kinds`; `norm` is kept too, LyCORIS' name for trained normalisation layers).

Where Flux was trained with query, key and value apart but the file's names fuse them, the layers are fused: a LoRA exactly,
its ranks side by side and the output rows block by block; other kinds by their difference. What cannot be read is not
passed over: it stands in `Network.unread`, with the reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.network import Layer, Network, dora_axis, kind_of
from lorasmith.adapters.tools.delta import change, needs_weight
from lorasmith.errors import AdapterError
from lorasmith.models.lora_naming import Place

# ---- the tables

# End of a key -> what the tensor is. The longest end that fits counts.
_ENDS: dict[str, str] = {
    ".lora_down.weight": "lora_down.weight", ".lora_up.weight": "lora_up.weight", ".lora_mid.weight": "lora_mid.weight",
    ".lora_A.weight": "lora_down.weight", ".lora_B.weight": "lora_up.weight",
    ".lora_A.default.weight": "lora_down.weight", ".lora_B.default.weight": "lora_up.weight",
    ".lora.down.weight": "lora_down.weight", ".lora.up.weight": "lora_up.weight",
    "_lora.down.weight": "lora_down.weight", "_lora.up.weight": "lora_up.weight",
    ".lora_linear_layer.down.weight": "lora_down.weight", ".lora_linear_layer.up.weight": "lora_up.weight",
    ".alpha": "alpha", ".dora_scale": "dora_scale",
    ".lora_magnitude_vector": "dora_scale", ".lora_magnitude_vector.weight": "dora_scale",
    ".lora_magnitude_vector.default.weight": "dora_scale",
    ".a1.weight": "a1.weight", ".a2.weight": "a2.weight", ".b1.weight": "b1.weight", ".b2.weight": "b2.weight",
    ".weight": "weight", ".on_input": "on_input",
    **{f".{name}": name for name in (
        "hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2", "lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2",
        "lokr_w2_a", "lokr_w2_b", "lokr_t2", "oft_blocks", "rescale", "diff", "diff_b", "w_norm", "b_norm",
    )},
}  # fmt: skip
_PEFT_ENDS = (".lora_A", ".lora_B", ".lora_magnitude_vector")
_OLD_ENDS = ("_lora.", ".lora.", ".lora_linear_layer.")

# Beginning of a key -> part of the base ("main": the U-Net or transformer) and the dialect that writes so.
_STARTS: dict[str, tuple[str, str]] = {
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


# ---- reading


def read_network(
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str] | None = None,
    family: str | None = None,
    shape: Any = None,
) -> Network:
    """The network in a file's tensors, whatever dialect it was written in.

    `family` is found from the names and shapes where it is not given; `shape` is for U-Nets of an unusual shape.

    Raises:
        AdapterError: no network in it, or its family cannot be told.
    """
    metadata = dict(metadata or {})
    unread: dict[str, str] = {}
    embeddings: dict[str, None] = {}
    dialects: dict[str, None] = {}
    found: dict[tuple[str, str], dict[str, Tensor]] = {}  # (part, path) -> end -> tensor
    written: dict[tuple[str, str], list[str]] = {}  # (part, path) -> keys
    heads: dict[tuple[str, str], str] = {}  # (part, path) -> keys without their ends
    for key, tensor in tensors.items():
        if bundled := _EMBEDDING.match(key):
            embeddings[bundled[1]] = None
            continue
        split = _split(key)
        if split is None:
            unread[key] = "no kind of network has a tensor that ends so"
            continue
        part, path, end, dialect, head = split
        dialects[dialect] = None
        if "lora_magnitude_vector" in key:  # peft's are along the outputs, [out], or [1, out, 1, 1] for convolutions
            tensor = tensor.reshape(-1, *(1 for _ in range(max(1, tensor.dim() - 1))))
        found.setdefault((part, path), {})[end] = tensor
        written.setdefault((part, path), []).append(key)
        heads[part, path] = head
    if not any(kind_of(ends) for ends in found.values()):
        raise AdapterError("There is no LoRA or other network in the file: it is a whole model, an embedding, or something else.")
    family = family or guess_family({f"{part}.{path}": ends for (part, path), ends in found.items()}, metadata)
    alphas = _PeftAlphas(metadata)
    placed: dict[str, dict[int, tuple[Layer, Place, list[str]]]] = {}
    for (part, path), ends in found.items():
        origin = written[part, path]
        layer, where, reason = _layer(family, part, path, ends, alphas, shape)
        if layer is None or where is None:
            unread |= dict.fromkeys(origin, reason)
        elif where.slot in placed.setdefault(where.name, {}):
            unread |= dict.fromkeys(origin, f"the layer {where.name} stands in the file twice, in two ways of naming")
        else:
            placed[where.name][where.slot] = (replace(layer, written_as=(heads[part, path],)), where, origin)
    layers: dict[str, Layer] = {}
    fused = 0
    for name, slots in placed.items():
        parts = {slot: layer for slot, (layer, _, _) in slots.items()}
        _, where, _ = next(iter(slots.values()))
        try:
            if where.slots > 1:
                layers[name] = _fuse(name, parts, where.slots)
                fused += 1
            else:
                layers[name] = _swap_halves(parts[0]) if where.halves_swapped else parts[0]
        except AdapterError as error:
            unread |= dict.fromkeys((key for _, _, origin in slots.values() for key in origin), str(error).rstrip("."))
    notes = []
    if embeddings:
        notes.append(f"{len(embeddings)} embedding(s) bundled by OneTrainer are no part of the network: {', '.join(embeddings)}")
    if fused:
        notes.append(f"{fused} layers that were trained apart (query, key, value) were fused")
    return Network(family, layers, tuple(dialects), unread, tuple(notes), metadata)


def _split(key: str) -> tuple[str, str, str, str, str] | None:
    """(part, layer's path, what the tensor is, dialect, the key without its end) of a key."""
    fits = [end for end in _ENDS if key.endswith(end)]
    if not fits:
        return None
    end = max(fits, key=len)
    head = key[: -len(end)]
    part, path, dialect = "main", head.removeprefix("base_model.model."), "diffusers"
    for start, (where, by) in _STARTS.items():
        if path.startswith(start):
            part, path, dialect = where, path.removeprefix(start), by
            break
    if dialect == "diffusers" and path != head and head.startswith("base_model.model."):
        dialect = "peft"
    if end.startswith(_OLD_ENDS):
        dialect = "old diffusers"
        path = path.replace(".processor.", ".").replace(".processor", "")
        path = re.sub(r"\.to_out$", ".to_out.0", path)
    return part, path, _ENDS[end], dialect, head


def _layer(
    family: str, part: str, path: str, ends: dict[str, Tensor], alphas: _PeftAlphas, shape: Any
) -> tuple[Layer | None, Place | None, str]:
    """The layer that these tensors make, where it belongs, and, if there is none, why not."""
    tensors = {end: tensor for end, tensor in ends.items() if end != "alpha"}
    kind = kind_of(tensors)
    if kind is None:
        return None, None, f"a layer with the tensors {', '.join(sorted(ends))} is of no known kind"
    main = next(iter(keys.naming_of(family).parts))
    part = main if part == "main" else part
    if part == "text_encoder_2" and part not in keys.naming_of(family).parts:
        return None, None, f"{family} has one text encoder only"
    if part == "text_encoder" and path.replace(".", "_").startswith("encoder_block_"):
        part = "text_encoder_2"
    try:
        where = keys.place(family, part, path, shape)
    except AdapterError as error:
        return None, None, str(error).rstrip(".")
    alpha = ends.get("alpha")
    if alpha is not None and alpha.numel() != 1:
        return None, None, "its alpha is not a single number: the file is damaged"
    value = alphas.of(part, path, tensors) if alpha is None else float(alpha)
    return Layer(where.name, kind, tensors, value), where, ""


class _PeftAlphas:
    """Alphas that diffusers writes into the metadata, as peft's configuration of each part."""

    def __init__(self, metadata: Mapping[str, str]) -> None:
        try:
            tree = json.loads(metadata.get("lora_adapter_metadata", "{}"))
        except ValueError:
            tree = {}
        self.tree: dict[str, Any] = tree if isinstance(tree, dict) else {}

    def of(self, part: str, path: str, tensors: Mapping[str, Tensor]) -> float | None:
        """The alpha of a LoRA layer, None where nothing is said."""
        settings = {key.removeprefix(f"{part}."): value for key, value in self.tree.items() if key.startswith(f"{part}.")}
        if "lora_down.weight" not in tensors or "lora_alpha" not in settings:
            return None
        alpha = settings["lora_alpha"]
        for pattern, value in (settings.get("alpha_pattern") or {}).items():
            if re.fullmatch(rf"(.*\.)?({pattern})", path):
                alpha = value
                break
        rank = tensors["lora_down.weight"].shape[0]
        return alpha * rank**0.5 if settings.get("use_rslora") else float(alpha)


# ---- several layers in one


def _fuse(name: str, slots: dict[int, Layer], count: int) -> Layer:
    """One layer from those whose output rows lie one below the other in the file's layer of this name."""
    if any(layer.kind != "lora" or "lora_mid.weight" in layer.tensors for layer in slots.values()):
        return _fuse_changes(name, slots, count)
    ups = {slot: layer.tensors["lora_up.weight"] for slot, layer in slots.items()}
    downs = {slot: layer.tensors["lora_down.weight"] for slot, layer in slots.items()}
    width = next(iter(downs.values())).shape[1]
    # Query, key and value have as many rows as the model is wide, and the MLP of a single block four times that.
    rows = [ups[slot].shape[0] if slot in ups else width * (4 if slot == 3 else 1) for slot in range(count)]
    doras = {slot: layer.tensors["dora_scale"] for slot, layer in slots.items() if "dora_scale" in layer.tensors}
    if doras and (len(doras) < count or any(dora_axis(scale) == "input" for scale in doras.values())):
        raise AdapterError(f"the layers of {name} were trained apart with magnitudes (DoRA) that have no fused form.")
    scales = {slot: 1.0 if layer.alpha is None else layer.alpha / downs[slot].shape[0] for slot, layer in slots.items()}
    first = next(iter(downs.values()))
    shared = len(slots) == count and all(torch.equal(first, down) for down in downs.values()) and len(set(scales.values())) == 1
    if shared:  # it was one layer once, and was taken apart
        down, up = first, torch.cat([ups[slot] for slot in range(count)])
        alpha = slots[0].alpha
    else:
        down = torch.cat([downs[slot] for slot in sorted(downs)])
        up = down.new_zeros(sum(rows), down.shape[0])
        equal = len(set(scales.values())) == 1
        row = column = 0
        for slot in range(count):
            if slot in ups:
                block = ups[slot] if equal else ups[slot] * scales[slot]
                up[row : row + rows[slot], column : column + block.shape[1]] = block
                column += block.shape[1]
            row += rows[slot]
        alpha = next(iter(scales.values())) * down.shape[0] if equal else float(down.shape[0])
    tensors = {"lora_down.weight": down, "lora_up.weight": up}
    if doras:
        tensors["dora_scale"] = torch.cat([doras[slot].reshape(-1, 1) for slot in range(count)])
    return Layer(name, "lora", tensors, alpha, tuple(head for layer in slots.values() for head in layer.written_as))


def _fuse_changes(name: str, slots: dict[int, Layer], count: int) -> Layer:
    """The changes of layers of other kinds, one below the other, as they are."""
    for layer in slots.values():
        if needs_weight(layer) or len(slots) < count:
            raise AdapterError(f"the layers of {name} were trained apart as {layer.kind}, which has no fused form.")
    changes = [change(slots[slot]).float() for slot in range(count)]
    heads = tuple(head for layer in slots.values() for head in layer.written_as)
    return Layer(name, "full", {"diff": torch.cat(changes)}, None, heads)


def _swap_halves(layer: Layer) -> Layer:
    """The layer with the halves of its output rows swapped; see `Place.halves_swapped`."""
    end = {"lora": "lora_up.weight", "full": "diff"}.get(layer.kind)
    if end is None or "dora_scale" in layer.tensors:
        raise AdapterError(f"the layer {layer.name} has its rows in another order in diffusers, and a {layer.kind} cannot be turned.")
    return replace(layer, tensors={**layer.tensors, end: torch.cat(layer.tensors[end].chunk(2)[::-1])})


# ---- whose file it is


def guess_family(layers: Mapping[str, Mapping[str, Tensor]], metadata: Mapping[str, str]) -> str:
    """The family that a file was made for, from the names of its layers, the widths of its tensors, and its metadata.

    Raises:
        AdapterError: nothing in it tells.
    """
    flat = {name.replace(".", "_"): ends for name, ends in layers.items()}
    everything = "\n".join(flat)
    if re.search(r"(double|single)_blocks_\d|single_transformer_blocks_\d|main_transformer_blocks_\d", everything):
        return "flux"
    if re.search(r"joint_blocks_\d|context_block|diffusion_model_blocks_\d|main_blocks_\d|main_layers_\d", everything):
        raise AdapterError("The file was made for another family of models than Stable Diffusion 1.x, 2.x, XL or Flux.1.")
    if "text_encoder_2_" in everything or "add_embedding" in everything or "label_emb" in everything:
        return "sdxl"
    version = metadata.get("ss_base_model_version", "") + metadata.get("modelspec.architecture", "")
    told = {"sdxl": "sdxl", "stable-diffusion-xl": "sdxl", "flux": "flux", "sd_v2": "sd2", "diffusion-v2": "sd2"}
    for word, family in {**told, "sd_v1": "sd1", "diffusion-v1": "sd1"}.items():
        if word in version:
            return family
    for name, ends in flat.items():
        if re.search(r"attn2_to_[kv]$", name) and (width := _input_width(ends)) in _CONTEXT_WIDTHS:
            return _CONTEXT_WIDTHS[width]
    for name, ends in flat.items():
        if re.search(r"self_attn_[qkv]_proj$", name) and (width := _input_width(ends)) in (768, 1024):
            return "sd2" if width == 1024 else "sd1"
    if re.search(r"transformer_blocks_[2-9]_", everything) or re.search(r"(input|output)_blocks_\d", everything):
        return "sdxl"
    if re.search(r"(down|up)_blocks_\d|mid_block", everything):
        return "sd1"
    raise AdapterError("Nothing in the file tells which family of models it was made for: say it (sd1, sd2, sdxl or flux).")


_CONTEXT_WIDTHS = {768: "sd1", 1024: "sd2", 2048: "sdxl"}


def _input_width(ends: Mapping[str, Tensor]) -> int | None:
    """Input channels of a layer, where a tensor of its kind shows them."""
    for end in ("lora_down.weight", "diff"):
        if end in ends:
            return ends[end].shape[1]
    if "hada_w1_b" in ends and "hada_t1" not in ends:
        return ends["hada_w1_b"].shape[1]
    return None
