"""The keys of a LoRA file as the readers of its family expect them.

In the package every layer has a name in kohya's style (`names.place`), three tensors and an alpha. A family says in its record
(`models.lora_naming.LoraNaming`) where its files differ:

    style "dotted"        diffusion_model.layers.0.attention.to_q.lora_A.weight, and lora_B for lora_up
    alpha_keys False      no alpha: alpha / rank is multiplied into lora_B, and the alphas are kept in the metadata

`in_style_of` is the last step before writing, `with_alphas` the first after reading.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from torch import Tensor

from lorasmith.adapters.files.names import file_name, naming_of

ALPHAS = "lorasmith_alphas"
"""The metadata entry with the alphas that were multiplied into the weights: one number for all layers, or one for each by its name in the file."""

_DOTTED = {"lora_down.weight": "lora_A.weight", "lora_up.weight": "lora_B.weight"}


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
            tensor = tensor * (alphas[name] / tensor.shape[1])
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
    kept = _kept_alphas(metadata)
    found = dict(tensors)
    for key, tensor in tensors.items():
        head, _, end = key.rpartition(".lora_")
        down = tensors.get(f"{head}.lora_A.weight")
        alpha = kept.get(head) if isinstance(kept, dict) else kept
        if end == "B.weight" and down is not None and alpha:
            found[key] = tensor * (down.shape[0] / alpha)
            found[f"{head}.alpha"] = tensor.new_tensor(alpha)
    return found


def _kept_alphas(metadata: Mapping[str, str]) -> float | dict[str, float] | None:
    """One alpha for all layers, one for each, or none; what is not a number counts as none."""
    try:
        kept = json.loads(metadata.get(ALPHAS, "null"))
    except ValueError:
        return None
    if isinstance(kept, dict):
        return {name: float(alpha) for name, alpha in kept.items() if isinstance(alpha, int | float)}
    return float(kept) if isinstance(kept, int | float) else None
