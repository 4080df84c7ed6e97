"""A LoRA as peft keeps it: a folder with the weights of one part of a base, and a file of settings beside them.

    adapter_model.safetensors    base_model.model.<path in the module>.lora_A.weight, and lora_B
    adapter_config.json          rank and alpha, and those of layers that have others

`PeftModel.from_pretrained(unet, folder)` reads one. A LoRA that changes text encoders too is a folder with one such folder for each part,
called as diffusers calls it: unet, text_encoder.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from lorasmith.adapters.base_weights import part_on_meta
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.lora_file import LoraFile, load_tensors, save_lora
from lorasmith.adapters.files.peft_alphas import ADAPTER_CONFIG
from lorasmith.atomic import write_atomically
from lorasmith.errors import AdapterError
from lorasmith.models.families import FAMILIES

WEIGHTS = "adapter_model.safetensors"
_PREFIX = "base_model.model."


def save_peft(folder: Path, family: str, tensors: Mapping[str, Tensor], dtype: torch.dtype) -> None:
    """Write the tensors of a LoRA in diffusers' names, whose alphas are in the weights, as peft's folder."""
    of_parts: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for key, tensor in tensors.items():
        part, _, path = key.partition(".")
        of_parts[part][path] = tensor
    written = set()
    for part, own in of_parts.items():
        # Of a folder alone nobody can tell that it is for a text encoder.
        place = folder if list(of_parts) == [FAMILIES[family].denoiser] else folder / part
        place.mkdir(parents=True, exist_ok=True)
        flat = part in keys.naming_of(family).parts and "text_model" not in dict(part_on_meta(family, part).named_children())
        renamed = {path.removeprefix("text_model.") if flat else path: tensor for path, tensor in own.items()}
        save_lora(place / WEIGHTS, {_PREFIX + path: tensor for path, tensor in renamed.items()}, {"format": "pt"}, dtype)
        write_atomically(place / ADAPTER_CONFIG, json.dumps(_settings(renamed), indent=2).encode())
        written.add(place)
    # What another LoRA left here would be read in place of this one, or beside it. It goes last: a full disk takes nothing that was there.
    for place in {folder, *(folder / part for part in keys.naming_of(family).parts)} - written:
        for name in (WEIGHTS, ADAPTER_CONFIG):
            (place / name).unlink(missing_ok=True)


def _settings(tensors: Mapping[str, Tensor]) -> dict[str, object]:
    """peft's settings of a LoRA whose alphas are in its weights."""
    end = ".lora_A.weight"
    ranks = {path.removesuffix(end): tensor.shape[0] for path, tensor in tensors.items() if path.endswith(end)}
    usual = Counter(ranks.values()).most_common(1)[0][0]
    # As patterns from the beginning: peft takes a bare path for every path that ends so.
    others = {f"^{re.escape(path)}": rank for path, rank in sorted(ranks.items()) if rank != usual}
    return {
        "peft_type": "LORA",
        "base_model_name_or_path": None,
        "inference_mode": True,
        "r": usual,
        "lora_alpha": usual,
        "rank_pattern": others,
        "alpha_pattern": others,
        "target_modules": "|".join(re.escape(path) for path in sorted(ranks)),
        "lora_dropout": 0.0,
        "bias": "none",
    }


def load_peft(folder: Path) -> LoraFile | None:
    """peft's folder, or one with such a folder for each part, as the file that diffusers would have; None for other folders.

    Weights in the folder itself are the denoiser's where there are folders for text encoders too.

    Raises:
        AdapterError: it has several adapters, or one in a folder that is called like no part.
    """
    places = [found.parent for depth in ("", "*/", "*/*/") for found in sorted(folder.glob(f"{depth}{WEIGHTS}"))]
    if places == [folder]:
        return load_tensors(folder / WEIGHTS)
    _check_one_lora(folder, places)
    tensors: dict[str, Tensor] = {}
    settings: dict[str, object] = {}
    for place in places:
        of_part = load_tensors(place / WEIGHTS)
        parts = sorted(_DENOISERS) if place == folder else [place.name]  # the family is not known here
        tensors |= {f"{parts[0]}.{key.removeprefix(_PREFIX)}": tensor for key, tensor in of_part.tensors.items()}
        own = json.loads(of_part.metadata.get(ADAPTER_CONFIG, "{}"))
        settings |= {f"{part}.{name}": value for part in parts for name, value in own.items()}
    return LoraFile(tensors, {"lora_adapter_metadata": json.dumps(settings)}) if tensors else None


_DENOISERS = frozenset(family.denoiser for family in FAMILIES.values())
_PARTS = frozenset(part for family in FAMILIES.values() for part in family.lora.parts)


def _check_one_lora(folder: Path, places: list[Path]) -> None:
    """Raises AdapterError where a folder's adapters are not those of different parts of one base."""
    denoisers = [place for place in places if place == folder or place.name in _DENOISERS]
    others = [place for place in places if place != folder and (place.parent != folder or place.name not in _PARTS)]
    if others or len(denoisers) > 1:
        named = ", ".join("." if place == folder else place.relative_to(folder).as_posix() for place in places)
        raise AdapterError(
            f"The adapters in {folder} ({named}) are not the parts of one LoRA, which are called {', '.join(sorted(_PARTS))}: give the folder of "
            "the one that you mean, or call the folders so.",
            code="lora.several_adapters",
            path=str(folder),
        )
