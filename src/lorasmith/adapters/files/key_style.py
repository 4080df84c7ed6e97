"""The keys of a LoRA file as the readers of its family expect them.

In the package every layer has a name in kohya's style (`names.place`), three tensors and an alpha. A family says in its record
(`models.lora_naming.LoraNaming`) where its files differ:

    style "dotted"        diffusion_model.layers.0.attention.to_q.lora_A.weight, and lora_B for lora_up
    alpha_keys False      no alpha: alpha / rank is multiplied into lora_B, and the alphas are kept in the metadata

`in_style_of` is the last step before writing, `with_alphas` the first after reading.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from lorasmith.adapters.files.names import file_name, kohya_name, naming_of
from lorasmith.json_text import json_of

if TYPE_CHECKING:
    from torch import Tensor

ALPHAS = "lorasmith_alphas"
"""The metadata entry with the alphas that were multiplied into the weights: one number for all layers, or one for each by its name in the file."""

_LARGEST = 1e30  # an alpha; what is beyond is not one
_DOTTED = {"lora_down.weight": "lora_A.weight", "lora_up.weight": "lora_B.weight"}


def in_kohyas_names(family: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a file in kohya's layout under the names that kohya's trainers give the layers of a family, with their alphas."""
    split = {key: key.partition(".") for key in tensors}
    return {f"{kohya_name(family, name)}.{end}": tensors[key] for key, (name, _, end) in split.items()}


def in_style_of(family: str, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a file in kohya's layout, in the style of a family."""
    naming = naming_of(family)
    if naming.style == "kohya" and naming.alpha_keys:
        return dict(tensors), dict(metadata)
    ends = _DOTTED if naming.style == "dotted" else {}
    alphas = {} if naming.alpha_keys else _alphas_of_loras(tensors)
    written: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        name, _, end = key.partition(".")
        if name in alphas and end == "alpha":
            continue
        if name in alphas and end == "lora_up.weight":
            tensor = tensor.float() * (alphas[name] / tensor.shape[1])  # rounded once, to the precision of the file
        written[f"{file_name(family, name)}.{ends.get(end, end)}"] = tensor
    if not alphas:
        return written, dict(metadata)
    different = len(set(alphas.values())) > 1
    kept = {file_name(family, name): alpha for name, alpha in alphas.items()} if different else next(iter(alphas.values()))
    return written, {**metadata, ALPHAS: json.dumps(kept)}


def _alphas_of_loras(tensors: Mapping[str, Tensor]) -> dict[str, float]:
    """Name of a layer that is a LoRA -> its alpha; other kinds are not multiplied, and keep theirs in the file."""
    names = [key.removesuffix(".lora_up.weight") for key in tensors if key.endswith(".lora_up.weight")]
    return {name: float(tensors[f"{name}.alpha"]) for name in names if f"{name}.alpha" in tensors}


def with_alphas(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> dict[str, Tensor]:
    """The tensors of a file with the alphas that its metadata keep as tensors again, and lora_B without them."""
    found = dict(tensors)
    for head, alpha in kept_alphas(tensors, metadata).items():
        rank, key = tensors[f"{head}.lora_A.weight"].shape[0], f"{head}.lora_B.weight"
        found[key] = tensors[key].float() * (rank / alpha)  # neither is rounded to the file's precision a second time
        found[f"{head}.alpha"] = found[key].new_tensor(alpha)
    return found


def kept_alphas(keys: Collection[str], metadata: Mapping[str, str]) -> dict[str, float]:
    """The beginning of a layer's keys -> the alpha that the metadata keep and that is multiplied into its lora_B.

    A layer with an alpha of its own was written by another program, which copied the metadata.
    """
    kept = json_of(metadata.get(ALPHAS, "null"))
    heads = [key.removesuffix(".lora_B.weight") for key in keys if key.endswith(".lora_B.weight")]
    ours = [head for head in heads if f"{head}.lora_A.weight" in keys and f"{head}.alpha" not in keys]
    alphas = {head: kept.get(head) if isinstance(kept, dict) else kept for head in ours}
    return {head: float(alpha) for head, alpha in alphas.items() if isinstance(alpha, int | float) and 0 < abs(alpha) < _LARGEST}
