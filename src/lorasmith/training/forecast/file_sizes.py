"""How large the files of a run will be, from the shapes of what is trained; exact but for the digits in their metadata."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lorasmith.models.files.hub import source_of
from lorasmith.safetensors_header import header_bytes
from lorasmith.training.due import checkpoints_in
from lorasmith.training.forecast.forecast import FileSizes
from lorasmith.training.forecast.memory import optimizer_bytes
from lorasmith.training.forecast.rehearsed import Rehearsal
from lorasmith.training.learner.state import STATES_KEPT
from lorasmith.training.planning.check import CheckedRun
from lorasmith.training.records.lora_metadata import ModelFiles, TrainedBase, lora_metadata
from lorasmith.training.settings.tree import Settings

SAFETENSORS_DTYPES = {"float32": ("F32", 4), "float16": ("F16", 2), "bfloat16": ("BF16", 2)}
"""torch's name -> that in a header, and bytes of a number."""


def file_sizes(checked: CheckedRun, rehearsal: Rehearsal) -> FileSizes:
    """The files of a run."""
    settings, plan = checked.settings, checked.plan
    base = TrainedBase.described(checked.description, dict.fromkeys(rehearsal.parts, "0" * 64))  # fingerprints as long as real ones
    metadata = lora_metadata(
        settings, plan, checked.training_set, base, plan.epochs, plan.steps, rehearsal.lora.size, files=_as_long(settings)
    )
    hashes = {"sshs_model_hash": "0" * 64, "sshs_legacy_hash": "0" * 8}
    lora = safetensors_bytes(rehearsal.lora.tensors, {**metadata, **rehearsal.lora.metadata, **hashes})
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


def safetensors_bytes(stored: Mapping[str, tuple[str, tuple[int, ...]]], metadata: Mapping[str, str]) -> int:
    """Bytes of a LoRA file with tensors of these dtypes and shapes and this metadata: length, header padded to 8, numbers."""
    rows: dict[str, dict[str, Any]] = {}
    end = 0
    for key, (dtype, shape) in sorted(stored.items()):
        name, size = SAFETENSORS_DTYPES[dtype]
        begin, end = end, end + size * math.prod(shape)
        rows[key] = {"dtype": name, "shape": list(shape), "data_offsets": [begin, end]}
    return len(header_bytes(metadata, rows)) + end
