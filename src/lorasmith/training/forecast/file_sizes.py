"""How large the files of a run will be, from the shapes of what is trained; exact but for the digits in their metadata."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from lorasmith.adapters.attach import adapter_tensors
from lorasmith.adapters.files.key_style import in_style_of
from lorasmith.adapters.files.lora_file import PRECISIONS, stored_dtype
from lorasmith.models.files.hub import source_of
from lorasmith.safetensors_header import header_bytes
from lorasmith.training.due import checkpoints_in
from lorasmith.training.forecast.forecast import FileSizes
from lorasmith.training.forecast.memory import optimizer_bytes
from lorasmith.training.forecast.rehearsal import Rehearsal
from lorasmith.training.learner.state import STATES_KEPT
from lorasmith.training.planning.check import CheckedRun
from lorasmith.training.records.lora_metadata import ModelFiles, lora_metadata
from lorasmith.training.settings.tree import Settings

SAFETENSORS_DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


def file_sizes(checked: CheckedRun, rehearsal: Rehearsal) -> FileSizes:
    """The files of a run."""
    settings, plan = checked.settings, checked.plan
    base, adapters = rehearsal.base, rehearsal.adapters
    metadata = lora_metadata(settings, plan, checked.training_set, base, plan.epochs, plan.steps, adapters, files=_as_long(settings))
    tensors, metadata = in_style_of(base.family, adapter_tensors(*adapters.values()), metadata)
    dtype = PRECISIONS[settings.checkpoints.save_precision]
    stored = {key: (tuple(tensor.shape), stored_dtype(tensor, dtype)) for key, tensor in tensors.items()}
    hashes = {"sshs_model_hash": "0" * 64, "sshs_legacy_hash": "0" * 8}
    lora = safetensors_bytes(stored, {**metadata, **hashes})
    copies = 1 + (settings.training.ema_decay is not None)
    state = 4 * rehearsal.parameters * copies + optimizer_bytes(rehearsal.parameters, settings.optimizer.type)
    return FileSizes(
        rehearsal.parameters, lora, checkpoints_in(settings, plan.epochs, plan.steps) * copies, state, min(STATES_KEPT, plan.epochs)
    )


def _as_long(settings: Settings) -> ModelFiles:
    """Hashes as long as those of the base's files, which are not read for this."""
    hashes = ("0" * 64, "0" * 8)
    is_file = [place is not None and source_of(place).is_file() for place in (settings.base.path, settings.base.vae)]
    return ModelFiles(*(hashes if each else None for each in is_file))


def safetensors_bytes(stored: Mapping[str, tuple[tuple[int, ...], torch.dtype]], metadata: Mapping[str, str]) -> int:
    """Bytes of a LoRA file with tensors of these shapes and dtypes and this metadata: length, header padded to 8, numbers."""
    rows: dict[str, dict[str, Any]] = {}
    end = 0
    for key, (shape, dtype) in sorted(stored.items()):
        begin, end = end, end + dtype.itemsize * math.prod(shape)
        rows[key] = {"dtype": SAFETENSORS_DTYPES[dtype], "shape": list(shape), "data_offsets": [begin, end]}
    return len(header_bytes(metadata, rows)) + end
