"""The parts of a base model as empty modules: what class they are, with which settings, made on any device.

A part is written as data, ("UNet2DConditionModel", {...}); the classes are those of diffusers and transformers.
`with torch.device("meta"):` around `build` makes a full-size part in no memory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.errors import BaseModelError

if TYPE_CHECKING:
    import torch
    from torch import nn

Part = tuple[str, Mapping[str, Any]]  # class name, its settings
DIFFUSERS = ("UNet2DConditionModel", "FluxTransformer2DModel", "AutoencoderKL")


def build(part: Part) -> nn.Module:
    """One part with the weights of a fresh start, frozen and in eval mode."""
    import diffusers
    import transformers

    name, settings = part
    match name:
        case _ if name in DIFFUSERS:
            module = getattr(diffusers, name)(**settings)
        case "CLIPTextModel" | "CLIPTextModelWithProjection":
            module = getattr(transformers, name)(transformers.CLIPTextConfig(**settings))
        case "T5EncoderModel":
            module = transformers.T5EncoderModel(transformers.T5Config(**settings))
        case _:
            raise ValueError(f"no part of a base model is a {name}")
    return module.requires_grad_(False).eval()


def build_all(parts: Mapping[str, Part]) -> dict[str, nn.Module]:
    """Every part by its name."""
    return {name: build(part) for name, part in parts.items()}


# -- a diffusers folder -----------------------------------------------------------------------------------------------------


def load_part(folder: Path, part: str, kind: str, dtype: torch.dtype, device: str) -> Any:
    """One part of a diffusers folder, frozen, in eval mode; raises BaseModelError where it cannot be opened."""
    import diffusers
    import transformers

    need_folder(folder, part)
    options: dict[str, Any] = {"local_files_only": True}
    try:
        if kind in DIFFUSERS:
            module = getattr(diffusers, kind).from_pretrained(folder / part, torch_dtype=dtype, **options)
        else:
            module = getattr(transformers, kind).from_pretrained(folder / part, dtype=dtype, **options)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise cannot_open(folder, error) from error
    lost = [name for name, parameter in module.named_parameters() if parameter.is_meta]
    if lost:
        raise BaseModelError(f"the base {folder} lacks weights of its {part} ({lost[0]} and {len(lost) - 1} more); download it again")
    return module.requires_grad_(False).eval().to(device)


def load_tokenizer(folder: Path, name: str, kind: str) -> Any:
    """A tokenizer of a diffusers folder."""
    import transformers

    need_folder(folder, name)
    try:
        return getattr(transformers, kind).from_pretrained(folder / name, local_files_only=True)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise cannot_open(folder, error) from error


def load_scheduler_config(folder: Path) -> dict[str, Any]:
    """The noise schedule of a diffusers folder."""
    need_folder(folder, "scheduler")
    try:
        return dict(json.loads((folder / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise cannot_open(folder, error) from error


def need_folder(folder: Path, part: str) -> None:
    if not (folder / part).is_dir():
        raise BaseModelError(f"the base {folder} has no folder {part!r}; give a complete diffusers folder")


def cannot_open(folder: Path, error: Exception) -> BaseModelError:
    reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
    return BaseModelError(f"the base {folder} cannot be opened ({reason}); download it again or give another folder")


def fingerprint(folder: Path) -> str:
    """sha256 over the names and bytes of a part's config and weight files."""
    digest = hashlib.sha256()
    for file in sorted(f for f in folder.iterdir() if f.suffix in (".json", ".safetensors")):
        digest.update(file.name.encode())
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
