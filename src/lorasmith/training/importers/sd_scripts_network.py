"""Rows for the network: its module, its arguments, its blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lorasmith.models.families import FAMILIES
from lorasmith.training.importers import sd_scripts_blocks as blocks
from lorasmith.training.importers.found import typed, words_of
from lorasmith.training.importers.sd_scripts_rows import (
    Row,
    SdScriptsDraft,
    literal,
    our_name,
    over_zero,
    pairs,
    silent_pairs,
    to,
    where_on,
)

_MODULES: Mapping[str, tuple[str, str]] = {
    **{family.sd_scripts.network_module: ("lora", "") for family in FAMILIES.values() if family.sd_scripts},
    "networks.dylora": ("dylora", ""), "networks.loha": ("loha", ""), "networks.lokr": ("lokr", ""),
    "networks.lora_fa": ("lora", "LoRA-FA trains one of the two matrices; here both are trained, which takes more memory and learns more"),
    "networks.oft": ("diag-oft", "its dim counts blocks and its alpha is the constraint; set network.block_size and network.constraint"),
}  # fmt: skip
_ALGOS = {
    "lora": "lora", "locon": "lora", "loha": "loha", "lokr": "lokr", "dylora": "dylora", "glora": "glora", "ia3": "ia3",
    "diag-oft": "diag-oft", "boft": "boft", "full": "full",
}  # fmt: skip
_PRESETS = {
    "full": ("convolutions", "LyCORIS' full: the transformer blocks and the residual blocks"),
    "full-lin": ("default", "LyCORIS' full-lin without the linear layers of the residual blocks"),
    "attn-mlp": ("default", "all of the transformer blocks"), "attn-only": ("attention", ""),
    "unet-transformer-only": ("default", "all of the transformer blocks"),
}  # fmt: skip


USUAL_RATE = 2e-6
"""sd-scripts' learning_rate where none is given."""


def network_module(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    name = str(value)
    if name == "lycoris.kohya":
        algo = str(dict(silent_pairs(draft)).get("algo", "lora"))
        if algo in _ALGOS:
            draft.put(theirs, "network.kind", _ALGOS[algo], "" if algo == _ALGOS[algo] else "LoCon: LoRA with the convolutions")
        else:
            draft.refuse(
                theirs, f"{name} {algo}", f"Lorasmith has no network {algo}. It trains {', '.join(dict.fromkeys(_ALGOS.values()))}"
            )
        if algo in ("lora", "locon", "loha", "lokr", "dylora", "glora", "full") and "preset" not in dict(silent_pairs(draft)):
            draft.put(theirs, "network.preset", *_PRESETS["full"])
    elif name in _MODULES:
        draft.put(theirs, "network.kind", *_MODULES[name])
    else:
        draft.refuse(theirs, value, f"Lorasmith does not know the module. It knows lycoris.kohya, {', '.join(_MODULES)}")


_WHOLE_MATRIX = 4096
"""LyCORIS trains LoKr's second matrix whole where the rank is over half its sides; presets say 10000 or 100000 for that."""


def is_whole_lokr(draft: SdScriptsDraft) -> bool:
    """Whether the file asks for a LoKr whose matrices are both whole, by the argument or by a rank over all sides."""
    given = {key: typed(text) for key, text in silent_pairs(draft)}
    is_lokr = given.get("algo") == "lokr" or draft.options.get("network_module") == "networks.lokr"
    rank = typed(draft.options.get("network_dim"))
    return is_lokr and (given.get("full_matrix") is True or (isinstance(rank, int | float) and rank > _WHOLE_MATRIX))


def dim(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    rank = typed(value)
    if is_whole_lokr(draft):
        draft.put(theirs, "network.full_matrix", True, f"{value} is how LyCORIS is told to train the whole second matrix")
    elif isinstance(rank, int | float) and rank == int(rank):
        draft.put(theirs, "network.rank", int(rank))
    else:
        draft.refuse(theirs, value, "it is not a whole number, and the rank decides what network it is")


def alpha(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    if is_whole_lokr(draft):
        draft.leave(theirs, value, "it has no effect on a LoKr whose matrices are whole, there as here")
    elif typed(value):
        draft.put(theirs, "network.alpha", value)
    else:
        draft.put(theirs, "network.alpha", draft.options.get("network_dim") or 4, "0 means the same as the rank there")


def network_args(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    given = dict(silent_pairs(draft))
    for key, setting in pairs(draft, theirs, value):
        label = key if theirs == "LoRA_type" else f"{theirs} {key}"  # in the GUI they are fields of their own
        row, ours = NETWORK_ARGS.get(key), our_name(key)
        if key in blocks.ARGUMENTS:
            _blocks_argument(draft, label, key, setting)
        elif row is not None:
            row(draft, label, setting)
        elif ours is not None and ours.startswith("network."):
            if setting is not False:
                draft.put(label, ours, setting)
        elif key in NETWORK_ARGS_LEFT:
            if setting in (False, 0, "", None, "all"):
                draft.off.append(label)
            else:
                draft.leave(label, setting, NETWORK_ARGS_LEFT[key])
        elif ours is not None:
            draft.put(label, ours, setting)
        else:
            draft.leave(label, setting, "Lorasmith does not know this argument; a typing error perhaps")
    if "conv_dim" in given and "conv_alpha" not in given and typed(given["conv_dim"]) and not is_whole_lokr(draft):
        lycoris = draft.options.get("network_module") == "lycoris.kohya"
        draft.put(f"{theirs} conv_alpha", "network.conv_alpha", draft.options.get("network_alpha") or 1.0 if lycoris else 1.0,
                  "left out, which means the network's alpha there" if lycoris else "left out, which means 1 there")  # fmt: skip


def _blocks_argument(draft: SdScriptsDraft, theirs: str, key: str, value: Any) -> None:
    """All arguments about blocks become rules together, under the name of the first; the others are listed as read with it."""
    if draft.options.get("network_module", "networks.lora") != "networks.lora":
        draft.leave(theirs, value, "sd-scripts reads settings of single blocks for networks.lora alone")
        return
    given = {name: said for name, text in silent_pairs(draft) if name in blocks.ARGUMENTS and (said := literal(text)) not in (None, "")}
    first = next(iter(given))
    if key != first:
        draft.leave(theirs, value, f"read together with {first}")
        return
    others = {name: typed(text) for name, text in silent_pairs(draft)}
    rank = int(draft.options.get("network_dim") or 4)
    defaults = blocks.Sizes(
        rank, float(draft.options.get("network_alpha", 1) or rank), int(others["conv_dim"]) if others.get("conv_dim") else None,
        float(others.get("conv_alpha") or 1),
    )  # fmt: skip
    try:
        rules = blocks.block_rules(given, blocks.row_of(draft.found.family, given), defaults)
    except ValueError as error:
        draft.leave(theirs, value, f"{error}; write the single blocks as network.layers")
        return
    if rules:
        draft.put(theirs, "network.layers", rules, "the same as rules; a block without one is as all")
    else:
        draft.off.append(theirs)


def _preset(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    if value not in _PRESETS:
        draft.leave(theirs, value, "Lorasmith has no such preset; choose layers with network.preset and network.layers")
        return
    draft.put(theirs, "network.preset", *_PRESETS[value])
    if str(value).startswith("unet-"):
        draft.put(theirs, "network.train_text_encoder", False, "the preset leaves the text encoders out")


def loraplus_outside(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    if value:
        draft.leave(theirs, value, f"sd-scripts reads it in network_args alone, so LoRA+ was off; to use it set optimizer.{theirs}")


def _conv_rank(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    if value and is_whole_lokr(draft):
        draft.leave(theirs, value, "the convolutions' matrices are whole, too")
    elif value:
        draft.put(theirs, "network.conv_rank", value)
    else:
        draft.put(theirs, "network.preset", "default", "0: the convolutions are not trained")


def _conv_alpha(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    if value and is_whole_lokr(draft):
        draft.leave(theirs, value, "it has no effect on a LoKr whose matrices are whole, there as here")
    elif value:
        draft.put(theirs, "network.conv_alpha", value)
    else:
        given = dict(silent_pairs(draft))
        network_dim = draft.options.get("network_dim") or 4 if draft.options.get("network_module") == "lycoris.kohya" else 0
        if rank := typed(given.get("conv_dim", network_dim)):
            draft.put(theirs, "network.conv_alpha", rank, "0 means the same as the rank there")


def _flux_blocks(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    """The blocks of Flux that are trained, from all arguments that say so; they become rules together, under the name of the first."""
    given = {name: text for name, text in silent_pairs(draft) if name in _FLUX_BLOCKS}
    first = next(iter(given))
    if theirs.split()[-1] != first:
        draft.leave(theirs, value, f"read together with {first}")
        return
    rules: list[dict[str, Any]] = []
    for row, other, indices in (("DOUBLE", "single", "train_double_block_indices"), ("SINGLE", "double", "train_single_block_indices")):
        chosen = given.get(indices, "all").strip()
        if given.get("train_blocks", "all") == other or chosen == "none":
            rules.append({"pattern": f"{row}*", "exclude": True})
        elif chosen not in ("all", ""):
            rules += [{"pattern": f"{row}{block:02d}"} for block in _blocks_in(chosen)]
            rules.append({"pattern": f"{row}*", "exclude": True})
    if rules:
        draft.put(theirs, "network.layers", rules, "the same as rules; a block without one is as all")
    else:
        draft.off.append(theirs)


def _train_t5xxl(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    """T5 trained as well, at the second of the text encoders' rates, which is read with them, or else at the first."""
    rates = draft.options.get("text_encoder_lr")
    listed = rates if isinstance(rates, list) else [rates] if rates not in (None, "") else []
    is_second = draft.found.sd_scripts is not None and draft.found.sd_scripts.options.get("t5xxl") == "base.text_encoder_2"
    if value is True and is_second and len(listed) < 2 and not draft.options.get("network_train_unet_only"):
        rate = listed[0] if listed else draft.options.get("learning_rate") or USUAL_RATE
        draft.put(theirs, "optimizer.text_encoder_2_lr", typed(rate), "at the rate of the first text encoder, as there")


def _blocks_in(text: str) -> list[int]:
    """`0-3,7` as numbers; raises ValueError where it is something else."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        found += range(int(first), int(last if dash else first) + 1)
    return found


_FLUX_BLOCKS = ("train_blocks", "train_double_block_indices", "train_single_block_indices")
NETWORK_ARGS: dict[str, Row] = {
    "algo": lambda draft, theirs, value: None,  # read with the module
    "preset": _preset,
    **dict.fromkeys(_FLUX_BLOCKS, _flux_blocks),
    "train_t5xxl": _train_t5xxl,
    "conv_dim": _conv_rank,
    "conv_alpha": _conv_alpha,
    "unit": to("network.rank_step"),
    **{name: over_zero(f"optimizer.{name}") for name in ("loraplus_lr_ratio", "loraplus_unet_lr_ratio", "loraplus_text_encoder_lr_ratio")},
    "use_cp": where_on("network.use_tucker", True, "the same by its name here"),
    "use_conv_cp": where_on("network.use_tucker", True, "the same by its name here"),
    "constrain": over_zero("network.constraint"),
    "constraint": over_zero("network.constraint"),
    "dora_wd": where_on("network.dora", True, "the lengths go along the inputs here, as AUTOMATIC1111, Forge and ComfyUI draw it"),
    "weight_decompose": where_on("network.dora", True, "the lengths go along the inputs here, as AUTOMATIC1111, Forge and ComfyUI draw it"),
    "train_on_input": where_on("network.on_input", True, "the same by its name here"),
    "block_size": lambda draft, theirs, value: draft.put(
        theirs, "network.rank_step" if "algo=dylora" in words_of(draft.options.get("network_args") or []) else "network.block_size", value
    ),
}  # fmt: skip
_BLOCKS = "settings of single blocks are written as network.layers here"
NETWORK_ARGS_LEFT: dict[str, str] = {
    **dict.fromkeys(("network_reg_dims", "img_attn_dim", "txt_attn_dim", "img_mlp_dim", "txt_mlp_dim", "img_mod_dim",
                     "txt_mod_dim", "single_dim", "single_mod_dim", "in_dims"), _BLOCKS),
    "network_reg_lrs": "rates by pattern are written as network.layers here",
    "use_scalar": "a trained factor on each layer; LoKr and others learn without it",
    "rank_dropout_scale": "the rest is always scaled up where ranks are dropped",
    "bypass_mode": "how the change is computed, not what it is",
    "train_norm": "norm layers are trained with network.kind 'full' alone",
    "rescaled": "the readers of files disagree about it",
    "wd_on_output": "the lengths always go along the inputs",
    "split_qkv": "query, key and value of Flux share their file's layer",
    "ggpo_beta": "it is not offered", "ggpo_sigma": "it is not offered",
}  # fmt: skip
