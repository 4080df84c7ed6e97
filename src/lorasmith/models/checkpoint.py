"""Open a base model by its path: look what it is, then hand it to its family."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from lorasmith.errors import BaseModelError

if TYPE_CHECKING:
    import torch

    from lorasmith.models.family import Base

# Family name -> module:class. A family's module is imported when it is chosen.
FAMILIES = {"sd1": "lorasmith.models.sd1.base:StableDiffusion1"}


def detect_family(path: Path) -> str:
    """The family of the base at `path`, from its small files only.

    Raises BaseModelError with what it is instead, where it cannot be used.
    """
    if not path.exists():
        raise BaseModelError(f"the base {path} does not exist; give the folder of a base model")
    if path.is_file():
        raise BaseModelError(
            f"the base {path} is a single file, and this version opens diffusers folders only; convert it with diffusers (from_single_file, save_pretrained)"
        )
    index = path / "model_index.json"
    if not index.is_file():
        raise BaseModelError(f"the folder {path} holds no model_index.json, so it is no base model; give a diffusers folder")
    try:
        kind = json.loads(index.read_text(encoding="utf-8"))["_class_name"]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise BaseModelError(f"{index} cannot be read as a model's index; download the base again") from error
    if kind != "StableDiffusionPipeline":
        raise BaseModelError(
            f"the base {path} is a {kind}, which this version does not train; give a Stable Diffusion 1.x folder (StableDiffusionPipeline)"
        )
    return "sd1"


def open_base(path: Path, dtype: torch.dtype, device: str = "cpu") -> Base:
    """The base at `path`, frozen, on `device`, with its U-Net and text encoder in `dtype`."""
    module, name = FAMILIES[detect_family(path)].split(":")
    return getattr(importlib.import_module(module), name).open(path, dtype, device)
