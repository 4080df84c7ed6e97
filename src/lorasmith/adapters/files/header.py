"""What a LoRA file's header says: names, shapes, dtypes and metadata, without the numbers and without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lorasmith.errors import AdapterError, BaseModelError
from lorasmith.models.files.tensor_file import PICKLES, Entry, read_header


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


def check_is_safetensors(path: Path) -> None:
    """Whether a file can be opened without running code in it.

    Raises:
        AdapterError: there is no such file, or it is a pickle.
    """
    if not path.is_file():
        raise AdapterError(f"There is no LoRA file {path}: check the name.", code="lora.missing", path=str(path))
    if path.suffix.lower() in PICKLES:
        raise AdapterError(
            f"{path} is a pickle, which can run code when it is opened: convert it to safetensors first.",
            code="lora.pickle",
            path=str(path),
        )


def read_lora_header(path: str | Path) -> LoraHeader:
    """Read the header of a LoRA file, in any dialect: names, shapes, dtypes and metadata, without the numbers and without torch.

    Parameters
    ----------
    path
        The file; however large it is, only its first bytes are read.

    Returns
    -------
    LoraHeader
        What the tensors are called, their shapes, and the metadata.

    Raises
    ------
    AdapterError
        There is no such file, it is not a safetensors file, or it is cut short.

    Examples
    --------
    >>> header = ls.read_lora_header("my-lora.safetensors")
    >>> header.metadata["ss_network_module"]
    'networks.lora'
    """
    path = Path(path)
    check_is_safetensors(path)
    try:
        header = read_header(path)
    except BaseModelError as error:
        raise AdapterError(
            f"{path} is not a safetensors file, or is cut short: download it again.", code="lora.damaged", path=str(path)
        ) from error
    return LoraHeader(header.entries, header.metadata, path.stat().st_size)
