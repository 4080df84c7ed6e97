"""LoRA files: reading and writing them.

A file is a safetensors file in kohya's layout, three tensors a layer:

    <name>.lora_down.weight    <name>.lora_up.weight    <name>.alpha (a single number; strength 1 means alpha / rank)

and a table of strings, the metadata, which the UIs show: `ss_*` (kohya), `sshs_*` (hashes of the content) and
`modelspec.*` (https://github.com/Stability-AI/ModelSpec); see `metadata`. A file depends on its content alone: same weights and
metadata, same bytes. Names and metadata are sorted, so a resumed run can be compared with an uninterrupted one by their hashes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lorasmith.adapters.files.hashes import hashes_under
from lorasmith.adapters.files.header import lora_file_at
from lorasmith.adapters.files.keys import EMBEDDING
from lorasmith.adapters.files.peft_alphas import config_beside
from lorasmith.atomic import open_atomically
from lorasmith.errors import SettingsError
from lorasmith.models.files.tensor_file import open_tensors
from lorasmith.safetensors_header import header_bytes

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
"""What the numbers of a file can be written in, by the names that users type."""


@dataclass(frozen=True)
class LoraFile:
    """What is in a LoRA file: tensors by key, on the CPU, in the file's dtype (float8: in fp16); and its metadata."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]

    def __repr__(self) -> str:
        return f"LoraFile({len(self.tensors)} tensors, {len(self.metadata)} entries of metadata)"

    def dtype(self, precision: str | None = None) -> torch.dtype:
        """The dtype of a file made from this one: `precision` (a key of PRECISIONS), else that of most of its tensors.

        Raises:
            SettingsError: no such precision.
        """
        if precision is not None:
            if precision not in PRECISIONS:
                raise SettingsError(f"Numbers cannot be written as '{precision}': choose {', '.join(PRECISIONS)}.", code="lora.precision")
            return PRECISIONS[precision]
        known = PRECISIONS.values()
        counts = Counter(tensor.dtype for tensor in self.tensors.values() if tensor.dim() and tensor.dtype in known)
        return counts.most_common(1)[0][0] if counts else torch.float32


# ---- reading


def load_tensors(path: str | Path, allow_pickle: bool = False) -> LoraFile:
    """Read a file of tensors, whatever is in it; no code in it is run.

    Numbers in float8 come as fp16, which holds all of them. peft's adapter_config.json beside the file is read into the metadata.
    With `allow_pickle`, .pt, .ckpt and .bin files are read too, by torch's unpickler for weights alone.

    Raises
    ------
    AdapterError
        The file does not exist, is a pickle, is damaged or cut short, or has another format.

    Examples
    --------
    >>> file = ls.read_lora("my-lora.safetensors")
    >>> file.metadata["ss_network_dim"]
    '2'
    """
    path = Path(path)
    with lora_file_at(path), open_tensors(path, allow_pickle) as opened:
        # Copied: the file may be replaced while its tensors are in use.
        tensors = {key: opened.into(key, slice(None), _copied) for key in opened.entries}
        metadata = dict(opened.metadata)
    return LoraFile(tensors, config_beside(path, tensors) | metadata)


_FLOAT8 = (torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz)


def _copied(tensor: Tensor) -> Tensor:
    """A copy; torch computes little with float8."""
    return tensor.half() if tensor.dtype in _FLOAT8 else tensor.clone()


# ---- writing


def save_lora(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str], dtype: torch.dtype) -> None:
    """Write a LoRA file, all weights in `dtype`, and add the hashes of its content to the metadata.

    An alpha that `dtype` cannot hold exactly is written in fp32, which every program reads; bundled embeddings keep their own dtype.

    The file appears whole or not at all: it is written beside, flushed to the disk, and renamed. Its numbers are converted one tensor after
    the other, so that writing takes no memory beside the tensors.
    """
    rows, size = _rows(tensors, dtype)
    # kohya's old hash covers the ss_ metadata but not the hashes themselves.
    draft = header_bytes({key: value for key, value in metadata.items() if key.startswith("ss_")}, rows)
    model_hash, legacy_hash = hashes_under(draft, _numbers(tensors, dtype))
    header = header_bytes({**metadata, "sshs_model_hash": model_hash, "sshs_legacy_hash": legacy_hash}, rows)
    with open_atomically(Path(path), len(header) + size) as file:
        file.write(header)
        for numbers in _numbers(tensors, dtype):
            file.write(numbers)


def stored_dtype(key: str, tensor: Tensor, dtype: torch.dtype) -> torch.dtype:
    """The dtype of a tensor in a file whose weights are in `dtype`: that, fp32 for an alpha that it would round, or an embedding's own."""
    if EMBEDDING.match(key) and tensor.dtype in _DTYPES:
        return tensor.dtype
    return torch.float32 if tensor.dim() == 0 and float(tensor.to(dtype)) != float(tensor) else dtype


def _rows(tensors: Mapping[str, Tensor], dtype: torch.dtype) -> tuple[dict[str, dict[str, Any]], int]:
    """What a header says of the tensors, which are sorted by name; and how many bytes they have."""
    rows: dict[str, dict[str, Any]] = {}
    end = 0
    for key, tensor in sorted(tensors.items()):
        stored = stored_dtype(key, tensor, dtype)
        begin, end = end, end + tensor.numel() * stored.itemsize
        rows[key] = {"dtype": _DTYPES[stored], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    return rows, end


def _numbers(tensors: Mapping[str, Tensor], dtype: torch.dtype) -> Iterator[bytes]:
    """The numbers of the tensors, one after the other."""
    for key, tensor in sorted(tensors.items()):
        stored = tensor.detach().to("cpu", stored_dtype(key, tensor, dtype)).contiguous()
        yield stored.reshape(-1).view(torch.uint8).numpy().tobytes()


_DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
