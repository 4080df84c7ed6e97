"""Which layers a LoRA trains, and what they are called in the file.

Every consumer reads kohya's names: a prefix for the network (`lora_unet`, `lora_te` ...), then the layer's path with
underscores for dots. Whose path that is differs by family:

    sd1, sd2   the diffusers U-Net's        lora_unet_down_blocks_0_attentions_0_proj_in
    sdxl       the original (LDM) U-Net's   lora_unet_input_blocks_4_1_proj_in
    flux       the original (BFL) model's   lora_unet_double_blocks_0_img_attn_qkv

BFL's model keeps query, key and value in one layer where diffusers has three (and in the single blocks the MLP too), so
one name can stand for several layers of ours: its output rows are theirs, one below the other. A CLIP text encoder has
`text_model` in its names although transformers dropped it from the model in version 5.6; the readers of files did not.

`place` finds the name of a layer from its path in either style, written with dots or underscores; `layers_of` goes back.
`targets` lists what a preset trains.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from torch import nn

from lorasmith.errors import AdapterError
from lorasmith.models.conversion.unet import ENDS, IN_RESNET, ldm_module

PREFIXES: dict[str, dict[str, str]] = {
    "sd1": {"unet": "lora_unet", "text_encoder": "lora_te"},
    "sd2": {"unet": "lora_unet", "text_encoder": "lora_te"},
    "sdxl": {"unet": "lora_unet", "text_encoder": "lora_te1", "text_encoder_2": "lora_te2"},
    "flux": {"transformer": "lora_unet", "text_encoder": "lora_te1", "text_encoder_2": "lora_te3"},
}
"""Family -> part of the base, as diffusers names it -> prefix in the file."""

PRESETS: dict[str, frozenset[str]] = {
    "attention": frozenset({"attention"}),
    "attention+mlp": frozenset({"attention", "mlp"}),
    "default": frozenset({"attention", "mlp", "frame"}),
    "convolutions": frozenset({"attention", "mlp", "frame", "convolution"}),
    "full": frozenset({"attention", "mlp", "frame", "convolution", "rest"}),
}
"""What is trained, by name. default: kohya's choice, the transformer blocks with the layers that lead in and out of them
(Flux: with their modulation). convolutions: kohya's `conv_dim`, with the residual blocks and the up- and downsamplers.
full: every linear layer and convolution. The single blocks of Flux keep attention and MLP in one layer: both are trained."""


@dataclass(frozen=True)
class UnetShape:
    """What the names of an original U-Net depend on: residual blocks a level, and which levels up have attention."""

    layers: int = 2
    up_attention: tuple[bool, ...] = (False, True, True, True)


UNET_SHAPES = {"sd1": UnetShape(), "sd2": UnetShape(), "sdxl": UnetShape(up_attention=(True, True, False))}


@dataclass(frozen=True)
class Place:
    """Where a layer lies in a file: its name there, and which of the name's `slots` groups of output rows it is."""

    name: str
    slot: int = 0
    slots: int = 1
    halves_swapped: bool = False
    """The layer's output rows are (scale, shift) in diffusers, where the path came from, and (shift, scale) in the file."""


# ---- what is trained


def targets(family: str, part: str, module: nn.Module, preset: str = "default") -> dict[str, tuple[str, ...]]:
    """Name in the file -> the dotted paths of its layers in `module` (several where the file fuses them, in row order).

    `part` is what diffusers calls it ("unet", "transformer", "text_encoder", "text_encoder_2"); any size will do.

    Raises:
        AdapterError: an unknown family, part or preset, or a module that is no such part.
    """
    if preset not in PRESETS:
        raise AdapterError(f"There is no preset '{preset}' of layers to train: choose one of {', '.join(PRESETS)}.")
    prefix_of(family, part)
    shape = unet_shape(module) if part == "unet" else None
    slots: dict[str, dict[int, str]] = {}
    counts: dict[str, int] = {}
    for path, layer in module.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv2d) and _category(part, path) in PRESETS[preset]:
            where = place(family, part, path, shape)
            slots.setdefault(where.name, {})[where.slot] = path
            counts[where.name] = where.slots
    if not slots:
        raise AdapterError(
            f"A {type(module).__name__} has no layer that a LoRA trains in the {part} of {family}: it is another kind of model."
        )
    return {name: tuple(paths[slot] for slot in range(counts[name])) for name, paths in slots.items()}


def weight_shapes(family: str, parts: Mapping[str, nn.Module], preset: str = "default") -> dict[str, tuple[int, ...]]:
    """Name in the file -> shape of the weight that it speaks of, over the parts of a base; parts without a name in files are left out."""
    shapes: dict[str, tuple[int, ...]] = {}
    for part, module in parts.items():
        if part in PREFIXES[family]:
            for name, paths in targets(family, part, module, preset).items():
                weights = [tuple(cast("nn.Linear | nn.Conv2d", module.get_submodule(path)).weight.shape) for path in paths]
                shapes[name] = (sum(rows for rows, *_ in weights), *weights[0][1:])
    return shapes


def unet_targets(unet: nn.Module) -> dict[str, str]:
    """Path inside the diffusers U-Net -> name in the file, for a Stable Diffusion 1.x or 2.x U-Net of any size.

    Raises:
        AdapterError: the model has no transformer block.
    """
    try:
        return {paths[0]: name for name, paths in targets("sd1", "unet", unet).items()}
    except AdapterError:
        raise AdapterError(
            f"A {type(unet).__name__} has no transformer block to train: this LoRA needs the U-Net of Stable Diffusion."
        ) from None


def clip_targets(text_encoder: nn.Module, prefix: str = "lora_te") -> dict[str, str]:
    """Path inside a CLIP text encoder -> name in the file, for any size.

    `prefix` is `lora_te` for Stable Diffusion 1.x and 2.x, `lora_te1` and `lora_te2` for the two encoders of SDXL.

    Raises:
        AdapterError: the model has no CLIP encoder layer.
    """
    try:
        found = targets("sd1", "text_encoder", text_encoder)
    except AdapterError:
        raise AdapterError(
            f"A {type(text_encoder).__name__} has no CLIP encoder layer to train: this LoRA needs a CLIP text encoder."
        ) from None
    return {paths[0]: prefix + name.removeprefix("lora_te") for name, paths in found.items()}


_CATEGORIES: dict[str, tuple[tuple[str, str], ...]] = {
    "unet": (
        (r".*\.attn\d\.to_(q|k|v|out\.0)", "attention"),
        (r".*\.ff\.net\..*", "mlp"),
        (r".*attentions\.\d+\.proj_(in|out)", "frame"),
        (r".*(resnets|downsamplers|upsamplers)\..*", "convolution"),
        (r"(conv_in|conv_out|time_embedding\.linear_\d|add_embedding\.linear_\d)", "rest"),
    ),
    "transformer": (
        (r"single_transformer_blocks\.\d+\.(attn\.to_.|proj_mlp|proj_out)", "attention"),
        (r"transformer_blocks\.\d+\.attn\.(to_(q|k|v|out\.0|add_out)|add_._proj)", "attention"),
        (r".*\.ff(_context)?\.net\..*", "mlp"),
        (r".*_blocks\.\d+\.norm\w*\.linear", "frame"),
        # norm_out is left out: its two halves are swapped between diffusers and BFL, and not every reader swaps them.
        (r"(x_embedder|context_embedder|time_text_embed\..*|proj_out)", "rest"),
    ),
    "clip": (
        (r"(?:text_model\.)?encoder\.layers\.\d+\.self_attn\.(q|k|v|out)_proj", "attention"),
        (r"(?:text_model\.)?encoder\.layers\.\d+\.mlp\.fc[12]", "mlp"),
    ),
    "t5": (
        (r"encoder\.block\.\d+\.layer\.0\.SelfAttention\.[qkvo]", "attention"),
        (r"encoder\.block\.\d+\.layer\.1\.DenseReluDense\.w\w+", "mlp"),
    ),
}


def _category(part: str, path: str) -> str | None:
    """What a layer is for, from its diffusers path; None for what no LoRA trains."""
    tables = ("clip", "t5") if part.startswith("text_encoder") else (part,)
    for table in tables:
        for pattern, category in _CATEGORIES[table]:
            if re.fullmatch(pattern, path):
                return category
    return None


# ---- names


def prefix_of(family: str, part: str) -> str:
    """How the names of this part begin in a file.

    Raises:
        AdapterError: no such family, or it has no such part.
    """
    if family not in PREFIXES:
        raise AdapterError(f"Names in LoRA files are not known for the family '{family}': choose one of {', '.join(PREFIXES)}.")
    if part not in PREFIXES[family]:
        raise AdapterError(f"The family {family} has no part '{part}' that a LoRA trains: choose one of {', '.join(PREFIXES[family])}.")
    return PREFIXES[family][part]


def unet_shape(unet: nn.Module) -> UnetShape:
    """The shape that an opened diffusers U-Net's names depend on."""
    indices = [m for path, _ in unet.named_modules() if (m := re.fullmatch(r"down_blocks\.0\.resnets\.(\d+)", path))]
    blocks = [m for path, _ in unet.named_modules() if (m := re.fullmatch(r"up_blocks\.(\d+)", path))]
    with_attention = {m[1] for path, _ in unet.named_modules() if (m := re.match(r"up_blocks\.(\d+)\.attentions\.", path))}
    return UnetShape(layers=len(indices) or 2, up_attention=tuple(block[1] in with_attention for block in blocks))


def place(family: str, part: str, path: str, shape: UnetShape | None = None) -> Place:
    """Where the layer at `path` lies in a file of `family`; the path may be diffusers' or the original model's, with dots or underscores.

    `shape` is needed for U-Nets that are not of the usual shape of their family.

    Raises:
        AdapterError: no layer of this family is called so.
    """
    prefix = prefix_of(family, part)
    flat = path.replace(".", "_")
    if part == "unet":
        shape = shape or UNET_SHAPES[family]
        flat = _unet_to_ldm(flat, shape) if family == "sdxl" else _unet_to_diffusers(flat, shape)
        dotted(flat)
        return Place(f"{prefix}_{flat}")
    if part == "transformer":
        swapped = flat == "norm_out_linear"
        flat, slot, slots = _flux_to_bfl(flat)
        dotted(flat)
        return Place(f"{prefix}_{flat}", slot, slots, swapped)
    if not flat.startswith("encoder_block_"):  # a CLIP encoder and no T5
        flat = "text_model_" + flat.removeprefix("text_model_")
    dotted(flat)
    return Place(f"{prefix}_{flat}")


def layers_of(family: str, name: str, shape: UnetShape | None = None) -> tuple[str, tuple[str, ...]]:
    """The part and the dotted diffusers paths of the layers that `name`, of a file of `family`, stands for, in row order.

    CLIP paths come with `text_model`, as transformers named them up to version 5.5.

    Raises:
        AdapterError: no layer of this family is called so.
    """
    part, flat = part_of(family, name)
    if part == "transformer":
        return part, tuple(dotted(path) for path in _flux_to_diffusers(flat))
    if part == "unet":
        flat = _unet_to_diffusers(flat, shape or UNET_SHAPES[family])
    return part, (dotted(flat),)


def part_of(family: str, name: str) -> tuple[str, str]:
    """The part of the base that a name in a file speaks of, and the rest of the name.

    Raises:
        AdapterError: the name begins with no prefix of this family.
    """
    for part, prefix in PREFIXES[family].items():
        if name.startswith(prefix + "_"):
            return part, name.removeprefix(prefix + "_")
    raise AdapterError(f"The name {name} begins like no part of {family}: the LoRA was made for another family.")


# ---- the U-Net: diffusers <-> original

_RESNET_BACK = {original.replace(".", "_"): ours for ours, original in IN_RESNET.items()}
_UNET_ENDS_BACK = {original.replace(".", "_"): ours.replace(".", "_") for ours, original in ENDS.items()}


def _unet_to_ldm(flat: str, shape: UnetShape) -> str:
    """The original's name of a U-Net layer; what has it already stays as it is."""
    attention_up = frozenset(block for block, has in enumerate(shape.up_attention) if has)
    try:
        return ldm_module(dotted(flat), shape.layers, attention_up).replace(".", "_")
    except KeyError:
        return flat


def _unet_to_diffusers(flat: str, shape: UnetShape) -> str:
    """diffusers' name of a U-Net layer. The original's blocks are counted through: a level's layers, then its sampler."""
    level = shape.layers + 1
    if flat in _UNET_ENDS_BACK:
        return _UNET_ENDS_BACK[flat]
    if m := re.fullmatch(r"input_blocks_(\d+)_0_op", flat):
        return f"down_blocks_{int(m[1]) // level - 1}_downsamplers_0_conv"
    if m := re.fullmatch(r"output_blocks_(\d+)_[12]_conv", flat):
        return f"up_blocks_{int(m[1]) // level}_upsamplers_0_conv"
    if m := re.fullmatch(r"(input|output)_blocks_(\d+)_([01])_(\w+)", flat):
        number = int(m[2]) - (1 if m[1] == "input" else 0)
        kind = "resnets" if m[3] == "0" else "attentions"
        side = "down" if m[1] == "input" else "up"
        return f"{side}_blocks_{number // level}_{kind}_{number % level}_{_inside_back(kind, m[4])}"
    if m := re.fullmatch(r"middle_block_(\d+)_(\w+)", flat):
        kind = "attentions" if int(m[1]) % 2 else "resnets"
        return f"mid_block_{kind}_{int(m[1]) // 2}_{_inside_back(kind, m[2])}"
    return flat


def _inside_back(kind: str, inside: str) -> str:
    return _RESNET_BACK.get(inside, inside) if kind == "resnets" else inside


# ---- Flux: diffusers <-> BFL

# Inside a block: BFL's name -> diffusers' layers in row order.
_DOUBLE: dict[str, tuple[str, ...]] = {
    "img_attn_qkv": ("attn_to_q", "attn_to_k", "attn_to_v"),
    "txt_attn_qkv": ("attn_add_q_proj", "attn_add_k_proj", "attn_add_v_proj"),
    "img_attn_proj": ("attn_to_out_0",), "txt_attn_proj": ("attn_to_add_out",),
    "img_mlp_0": ("ff_net_0_proj",), "img_mlp_2": ("ff_net_2",),
    "txt_mlp_0": ("ff_context_net_0_proj",), "txt_mlp_2": ("ff_context_net_2",),
    "img_mod_lin": ("norm1_linear",), "txt_mod_lin": ("norm1_context_linear",),
}  # fmt: skip
_SINGLE: dict[str, tuple[str, ...]] = {
    "linear1": ("attn_to_q", "attn_to_k", "attn_to_v", "proj_mlp"),
    "linear2": ("proj_out",), "modulation_lin": ("norm_linear",),
}  # fmt: skip
_FLUX_ENDS = {
    "img_in": "x_embedder", "txt_in": "context_embedder", "final_layer_linear": "proj_out", "final_layer_adaLN_modulation_1": "norm_out_linear",
    "time_in_in_layer": "time_text_embed_timestep_embedder_linear_1", "time_in_out_layer": "time_text_embed_timestep_embedder_linear_2",
    "guidance_in_in_layer": "time_text_embed_guidance_embedder_linear_1", "guidance_in_out_layer": "time_text_embed_guidance_embedder_linear_2",
    "vector_in_in_layer": "time_text_embed_text_embedder_linear_1", "vector_in_out_layer": "time_text_embed_text_embedder_linear_2",
}  # fmt: skip
_FLUX_BLOCKS = {"transformer_blocks": ("double_blocks", _DOUBLE), "single_transformer_blocks": ("single_blocks", _SINGLE)}


def _flux_to_bfl(flat: str) -> tuple[str, int, int]:
    for original, ours in _FLUX_ENDS.items():
        if flat == ours:
            return original, 0, 1
    if m := re.fullmatch(r"((?:single_)?transformer_blocks)_(\d+)_(\w+)", flat):
        block, inside = _FLUX_BLOCKS[m[1]]
        for original, layers in inside.items():
            if m[3] in layers:
                return f"{block}_{m[2]}_{original}", layers.index(m[3]), len(layers)
    return flat, 0, 1


def _flux_to_diffusers(flat: str) -> tuple[str, ...]:
    if flat in _FLUX_ENDS:
        return (_FLUX_ENDS[flat],)
    for ours, (block, inside) in _FLUX_BLOCKS.items():
        if m := re.fullmatch(rf"{block}_(\d+)_(\w+)", flat):
            return tuple(f"{ours}_{m[1]}_{layer}" for layer in inside.get(m[2], (m[2],)))
    return (flat,)


# ---- underscores back to dots

# The parts of paths that have underscores of their own, or are words; with numbers they make up every path that we know.
_WORDS = [
    "down_blocks",
    "up_blocks",
    "mid_block",
    "resnets",
    "attentions",
    "downsamplers",
    "upsamplers",
    "transformer_blocks",
    "attn1",
    "attn2",
    "to_q",
    "to_k",
    "to_v",
    "to_out",
    "ff",
    "net",
    "proj",
    "proj_in",
    "proj_out",
    "norm",
    "norm1",
    "norm2",
    "norm3",
    "conv",
    "conv1",
    "conv2",
    "conv_in",
    "conv_out",
    "conv_norm_out",
    "conv_shortcut",
    "time_emb_proj",
    "time_embedding",
    "add_embedding",
    "linear_1",
    "linear_2",
    "input_blocks",
    "middle_block",
    "output_blocks",
    "in_layers",
    "emb_layers",
    "out_layers",
    "skip_connection",
    "op",
    "time_embed",
    "label_emb",
    "out",
    "single_transformer_blocks",
    "attn",
    "add_q_proj",
    "add_k_proj",
    "add_v_proj",
    "to_add_out",
    "ff_context",
    "proj_mlp",
    "linear",
    "norm1_context",
    "norm_out",
    "x_embedder",
    "context_embedder",
    "time_text_embed",
    "timestep_embedder",
    "guidance_embedder",
    "text_embedder",
    "double_blocks",
    "single_blocks",
    "img_attn",
    "txt_attn",
    "img_mlp",
    "txt_mlp",
    "img_mod",
    "txt_mod",
    "qkv",
    "lin",
    "linear1",
    "linear2",
    "modulation",
    "img_in",
    "txt_in",
    "time_in",
    "vector_in",
    "guidance_in",
    "in_layer",
    "out_layer",
    "final_layer",
    "adaLN_modulation",
    "text_model",
    "encoder",
    "layers",
    "self_attn",
    "q_proj",
    "k_proj",
    "v_proj",
    "out_proj",
    "mlp",
    "fc1",
    "fc2",
    "layer_norm1",
    "layer_norm2",
    "final_layer_norm",
    "text_projection",
    "block",
    "layer",
    "SelfAttention",
    "DenseReluDense",
    "q",
    "k",
    "v",
    "o",
    "wi",
    "wi_0",
    "wi_1",
    "wo",
    "layer_norm",
]
_WORD = re.compile("(" + "|".join([r"\d+", *sorted(_WORDS, key=len, reverse=True)]) + r")(?:_|$)")


def dotted(flat: str) -> str:
    """A layer's path with dots again: `attn1_to_out_0` is `attn1.to_out.0`.

    Raises:
        AdapterError: a word in it occurs in no layer of the families known here.
    """
    words, at = [], 0
    while at < len(flat):
        found = _WORD.match(flat, at)
        if not found:
            raise AdapterError(f"No layer of the families known here is called {flat}: the LoRA was made for another model.")
        words.append(found[1])
        at = found.end()
    return ".".join(words)
