"""The layers of the Lumina 2 transformer in LoRA files, which have the original names: query, key and value are one layer there.

There are several heads of queries for one of keys and values. How many is what the rows of that layer depend on. Paths here have
underscores for dots.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from lorasmith.models.architectures.next_dit_names import block
from lorasmith.models.lora_naming import LayerNames, Place
from lorasmith.models.lumina2.names import CAPTION_NORM, ENDS, INSIDE, NORMS, STACKS

if TYPE_CHECKING:
    from torch import nn

_BLOCK = rf"((?:{'|'.join(STACKS)})_\d+)_(\w+)"
_QKV = ("attn_to_q", "attn_to_k", "attn_to_v")


def _flat(names: Mapping[str, str]) -> dict[str, str]:
    return {ours.replace(".", "_"): theirs.replace(".", "_") for ours, theirs in names.items()}


_INSIDE, _ENDS = _flat(INSIDE | NORMS | {"attn.norm_q": "attention.q_norm", "attn.norm_k": "attention.k_norm"}), _flat(ENDS | CAPTION_NORM)
_INSIDE_BACK, _ENDS_BACK = ({theirs: ours for ours, theirs in table.items()} for table in (_INSIDE, _ENDS))
_FIRST_NORM = {False: "norm1_norm", True: "norm1"}
"""The first norm of a block, by whether the block is of the caption's refiner, which is not modulated."""


def to_file(flat: str, query_heads: int) -> Place:
    """The original's place of a layer of diffusers; a name of the original's stays as it is."""
    found = re.fullmatch(_BLOCK, flat)
    if not found:
        return Place(_ENDS.get(flat, flat))
    if found[2] in _QKV:
        return Place(f"{found[1]}_attention_qkv", _QKV.index(found[2]), (query_heads, 1, 1))
    return Place(f"{found[1]}_{_INSIDE.get(found[2], found[2])}")


def to_module(flat: str, query_heads: int) -> tuple[str, ...]:
    """diffusers' layers of a name of the original's, in row order."""
    found = re.fullmatch(_BLOCK, flat)
    if not found:
        return (_ENDS_BACK.get(flat, flat),)
    inside = _QKV if found[2] == "attention_qkv" else (_INSIDE_BACK.get(found[2], found[2]),)
    if inside[0] in _FIRST_NORM.values():
        inside = (_FIRST_NORM[found[1].startswith("context_refiner")],)
    return tuple(f"{found[1]}_{layer}" for layer in inside)


def query_heads(transformer: nn.Module) -> int:
    """Heads of queries for one of keys and values, in an opened transformer."""
    config: Any = transformer.config
    return int(config.num_attention_heads // config.num_kv_heads)


def transformer_layers(settings: Mapping[str, Any]) -> dict[str, int | None]:
    """The layers of a Lumina 2 transformer of diffusers, by its settings; see `LayerNames.all_layers`."""
    width, modulation, multiple = settings["hidden_size"], min(settings["hidden_size"], 1024), settings["multiple_of"]
    inner = -(-4 * width // multiple) * multiple
    inside: dict[str, int | None] = {f"attn.{name}": width for name in ("to_q", "to_k", "to_v", "to_out.0")}
    inside |= {"feed_forward.linear_1": width, "feed_forward.linear_3": width, "feed_forward.linear_2": inner}
    inside |= dict.fromkeys(("attn.norm_q", "attn.norm_k", "norm2", "ffn_norm1", "ffn_norm2"))
    counts = {stack: settings["num_layers" if stack == "layers" else "num_refiner_layers"] for stack in STACKS}
    found = {f"{stack}.{i}.{name}": size for stack, count in counts.items() for i in range(count) for name, size in inside.items()}
    found |= {f"{stack}.{i}.norm1.linear": modulation for stack in STACKS[:2] for i in range(counts[stack])}
    found |= {f"{stack}.{i}.norm1{'.norm' if stack in STACKS[:2] else ''}": None for stack in STACKS for i in range(counts[stack])}
    return found | {
        "x_embedder": 4 * settings["in_channels"], "norm_out.linear_1": modulation, "norm_out.linear_2": width,
        "time_caption_embed.caption_embedder.0": None, "time_caption_embed.caption_embedder.1": settings["cap_feat_dim"], "time_caption_embed.timestep_embedder.linear_1": 256,
        "time_caption_embed.timestep_embedder.linear_2": modulation,
    }  # fmt: skip


_STACK = rf"({'|'.join(STACKS)})\.\d+\."
TRANSFORMER_NAMES = LayerNames(
    categories=(
        (_STACK + r"attn\.to_(q|k|v|out\.0)", "attention"),
        (_STACK + r"feed_forward\.linear_[123]", "mlp"),
        (_STACK + r"norm1\.linear", "frame"),
        (r"x_embedder|norm_out\.linear_[12]|time_caption_embed\.(caption_embedder\.1|timestep_embedder\.linear_[12])", "rest"),
    ),
    words=frozenset(
        ["layers", "noise_refiner", "context_refiner", "attn", "to_q", "to_k", "to_v", "to_out", "attention", "qkv", "out", "norm_q", "norm_k", "q_norm", "k_norm", "feed_forward", "linear_1", "linear_2", "linear_3", "w1", "w2", "w3", "norm1", "norm2", "linear", "norm", "adaLN_modulation", "attention_norm1", "attention_norm2", "ffn_norm1", "ffn_norm2", "x_embedder", "norm_out", "final_layer", "time_caption_embed", "caption_embedder", "timestep_embedder", "cap_embedder", "t_embedder", "mlp"]
    ),
    to_file=to_file, to_module=to_module, block=block, shape_of=query_heads, usual_shape=3, all_layers=transformer_layers,
)  # fmt: skip


def not_read_by_diffusers(names: Collection[str]) -> str | None:
    """Why diffusers loads nothing of a file with these names of layers, begun with `diffusion_model.`; None where it loads it.

    Its converter takes whole blocks, counted from the first, and stops where anything is left.
    """
    inside = ["attention.qkv", *(theirs for theirs in INSIDE.values())]
    numbers = {stack: {found[1] for name in names if (found := re.match(rf"diffusion_model\.{stack}\.(\d+)\.", name))} for stack in STACKS}
    wanted = {
        f"diffusion_model.{stack}.{i}.{layer}"
        for stack in STACKS
        for i in range(len(numbers[stack]))
        for layer in inside
        if stack != "context_refiner" or layer != INSIDE["norm1.linear"]
    }
    if missing := wanted - set(names):
        return f"it reads whole blocks from the first on, and {min(missing)} is missing (KeyError)"
    if left := set(names) - wanted:
        return f"it reads nothing outside the blocks, such as {min(left)} (ValueError)"
    return None
