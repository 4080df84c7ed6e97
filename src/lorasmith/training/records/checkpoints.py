"""The LoRA files that a run writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from lorasmith.adapters.attach import adapter_layers
from lorasmith.adapters.files.network import save_network
from lorasmith.training.learner.learner import Learner

DTYPES = {"no": torch.float32, "bf16": torch.bfloat16, "fp32": torch.float32, "fp16": torch.float16}


def write_checkpoint(path: Path, learner: Learner, metadata: Mapping[str, str], precision: str) -> list[Path]:
    """Write the LoRA of this moment to `path` and, where there is an EMA, that one beside it as NAME-ema; returns both paths."""
    written = [path]
    with learner.weights_for_use():
        _save(path, learner, metadata, precision)
    if learner.ema is not None:
        beside = ema_beside(path)
        with learner.in_float32(0), learner.ema.in_place():
            _save(beside, learner, metadata, precision)
        written.append(beside)
    return written


def ema_beside(path: Path) -> Path:
    """Where the EMA of a LoRA file is."""
    return path.with_name(f"{path.stem}-ema.safetensors")


def _save(path: Path, learner: Learner, metadata: Mapping[str, str], precision: str) -> None:
    save_network(path, adapter_layers(*learner.adapters.values()).values(), learner.base.family, metadata, DTYPES[precision])
