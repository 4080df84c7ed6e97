"""The keys of a LoRA file, taken apart: every way in which the field names layers and tensors.

A key has three parts: the part of the base (`unet.`, `lora_unet_`, `diffusion_model.` ...), the layer's path (of diffusers or of the
original model, with dots or underscores), and what the tensor is (`lora_A.weight`, `lora_down.weight` ...). Each part has a table here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from lorasmith.adapters.kinds import ALPHA, DORA_SCALE, KINDS
from lorasmith.adapters.kinds.kind import Kind
from lorasmith.adapters.kinds.lora import DOWN, UP
from lorasmith.models.lora_naming import NAMES

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

ROTATION = "oft_diag"
"""R itself, in blocks, where other files have what it is computed from."""
SCALE = "scale"
"""A single number that AUTOMATIC1111 reads instead of alpha / rank."""

EMBEDDING = re.compile(r"bundle_emb\.(.+?)\.")
"""A key of an embedding that OneTrainer bundled with the network."""


@dataclass(frozen=True)
class Key:
    """A key of a file, taken apart."""

    part: str
    """Part of the base; "main" is the U-Net or transformer."""
    path: str
    suffix: str
    """What the tensor is, in kohya's layout."""
    dialect: str
    head: str
    """The key without its end."""


@cache
def _spellings(kinds: tuple[Kind, ...]) -> Mapping[str, str]:
    """Every ending of a key that is known -> the suffix in kohya's layout."""
    own = {f".{suffix}": suffix for kind in kinds for suffix in kind.suffixes}
    return {**own, f".{ALPHA}": ALPHA, f".{SCALE}": SCALE, f".{ROTATION}": ROTATION, f".{DORA_SCALE}": DORA_SCALE, **_OTHER_SPELLINGS}


def key_of(name: str) -> Key | None:
    """The parts of a key; None where it ends like no tensor that is known."""
    return _key_of(name, tuple(KINDS.values()))


@lru_cache(NAMES)
def _key_of(name: str, kinds: tuple[Kind, ...]) -> Key | None:
    return _of_xlabs(name) or _split(name, kinds)


@lru_cache(NAMES)
def has_adapter_name(name: str) -> bool:
    """Whether the name of an adapter is in a key: lora_A.NAME.weight."""
    return bool(_ADAPTER_NAME.search(name))


def is_of_control(name: str) -> bool:
    """Whether only control LoRAs of Black Forest Labs have this key."""
    return bool(_OF_CONTROL.fullmatch(name))


def not_read(name: str) -> str | None:
    """What network a key belongs to, where that is known and not read here."""
    return next((what for end, what in _NOT_READ.items() if name.endswith(end)), None)


def _of_xlabs(name: str) -> Key | None:
    """The parts of a key of XLabs; None for others."""
    found = _XLABS.fullmatch(name)
    layer = _XLABS_LAYERS.get((found[2], found[4], found[5])) if found else None
    if found is None or layer is None:
        return None
    return Key("main", f"{found[2]}_blocks.{found[3]}.{layer}", DOWN if found[6] == "down" else UP, "XLabs", found[1])


def _split(name: str, kinds: tuple[Kind, ...]) -> Key | None:
    """The parts of a key; None where it ends like no tensor that is known."""
    spellings = _spellings(kinds)
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
    return Key(part, path, spellings[end], dialect, head)
