"""What a LoRA file's header says: names, shapes, dtypes and metadata, without the numbers and without torch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lorasmith.errors import AdapterError, TensorFileError
from lorasmith.models.files.tensor_file import open_tensors
from lorasmith.safetensors_header import Entry


@dataclass(frozen=True)
class LoraHeader:
    """The header of a LoRA file."""

    tensors: Mapping[str, Entry]
    """Key -> shape and dtype."""
    metadata: Mapping[str, str]
    bytes: int
    """The size of the whole file."""

    @property
    def parameters(self) -> int:
        """How many numbers the tensors have together."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors.values())


@contextmanager
def lora_file_at(path: Path) -> Iterator[None]:
    """Within, a file of tensors that cannot be read is an AdapterError, which says what to give."""
    if not path.exists():
        raise AdapterError(f"There is no LoRA file {path}: check the name.", code="lora.missing", path=str(path))
    try:
        yield
    except TensorFileError as error:
        pickles = "convert it to safetensors, or read it as weights alone (--allow-pickle; allow_pickle=True in Python)"
        of_peft = "; a folder of peft's is made one by lorasmith lora convert FOLDER --out FILE.safetensors" if path.is_dir() else ""
        wanted = pickles if error.case == "pickle" else f"give a LoRA file (safetensors){of_peft}"
        raise error.wanted(AdapterError, "lora", wanted) from error


def read_lora_header(path: str | Path, allow_pickle: bool = False) -> LoraHeader:
    """Read the header of a LoRA file, in any dialect: names, shapes, dtypes and metadata, without the numbers and without torch.

    Parameters
    ----------
    path
        The file; however large it is, only its first bytes are read.
    allow_pickle
        Read .pt, .ckpt and .bin files too, by torch's unpickler for weights alone.

    Returns
    -------
    LoraHeader
        What the tensors are called, their shapes, and the metadata.

    Raises
    ------
    AdapterError
        The file does not exist, is a pickle, is damaged or cut short, or has another format.

    Examples
    --------
    >>> header = ls.read_lora_header("my-lora.safetensors")
    >>> header.metadata["ss_network_module"]
    'networks.lora'
    """
    path = Path(path)
    with lora_file_at(path):
        file = open_tensors(path, allow_pickle)
        return LoraHeader(file.entries, file.metadata, path.stat().st_size)
