"""Alphas that are not among a file's tensors: diffusers writes peft's configuration of each part into the metadata, peft beside the file."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from lorasmith.adapters.kinds import lora
from lorasmith.adapters.outline import LayerOutline
from lorasmith.errors import AdapterError
from lorasmith.json_text import json_of, table_of

ADAPTER_CONFIG = "adapter_config.json"
"""The file in which peft keeps the alpha, beside its weights; and the entry of the metadata under which its text is read."""


def config_beside(path: Path, keys: Collection[str]) -> dict[str, str]:
    """peft's configuration, where it is beside a file of peft with these keys, as an entry of metadata.

    Raises AdapterError where it is damaged: the alphas are in it, and without them the LoRA has another strength.
    """
    beside = path.with_name(ADAPTER_CONFIG)
    is_pefts = path.stem == "adapter_model" or all(key.startswith("base_model.model.") for key in keys)
    if not is_pefts or not beside.is_file():
        return {}
    text = beside.read_text(encoding="utf-8-sig", errors="replace")
    if not isinstance(json_of(text), dict):
        raise AdapterError(
            f"{beside} is not valid JSON, and the alpha is in it: put it back as peft wrote it.", code="lora.peft_config", path=str(beside)
        )
    return {ADAPTER_CONFIG: text}


class PeftAlphas:
    """What peft's configuration in a file's metadata says of the alphas; nothing where there is none."""

    def __init__(self, metadata: Mapping[str, str]) -> None:
        of_parts, of_file = (table_of(metadata.get(key, "")) for key in ("lora_adapter_metadata", ADAPTER_CONFIG))
        self.tree = of_parts or of_file
        self.by_part = bool(of_parts)
        self.source = "lora_adapter_metadata" if of_parts else ADAPTER_CONFIG
        self.by_series = self.tree.get("use_cayley_neumann") is not False and self.tree.get("num_cayley_neumann_terms", 5) == 5
        """Whether rotations of OFTv2 are computed as both trainers do it by default."""

    def scale(self, layer: LayerOutline, part: str, path: str) -> float | None:
        """What the change of a layer is multiplied by; None where nothing says so."""
        settings = self.tree
        if self.by_part:
            settings = {key.removeprefix(f"{part}."): value for key, value in self.tree.items() if key.startswith(f"{part}.")}
        alpha = _fitting(settings.get("alpha_pattern"), path, settings.get("lora_alpha" if layer.kind is lora.KIND else "alpha"))
        rank = layer.rank or _fitting(settings.get("rank_pattern"), path, settings.get("r"))
        if not isinstance(alpha, int | float) or not abs(alpha) < 1e30 or not isinstance(rank, int) or not 0 < rank < 2**31:
            return None
        return float(alpha / (rank**0.5 if settings.get("use_rslora") else rank))


def _fitting(patterns: Any, path: str, otherwise: Any) -> Any:
    """The value of the pattern that fits a path."""
    for pattern, value in patterns.items() if isinstance(patterns, dict) else ():
        if _fits(str(pattern), path):
            return value
    return otherwise


_LONGEST = 300  # letters of a pattern or a path; real ones have under a hundred


def _fits(pattern: str, path: str) -> bool:
    """Whether one of peft's patterns fits a path. One that could keep the search busy for years fits nothing: nobody needs it."""
    if len(pattern) > _LONGEST or len(path) > _LONGEST or re.search(r"\)[*+{?]", pattern) or len(re.findall(r"[*+{]", pattern)) > 3:
        return False
    try:
        return bool(re.fullmatch(rf"(.*\.)?({pattern})", path))
    except (re.error, RecursionError, OverflowError):
        return False
