"""The hashes of a LoRA file that others know it by.

SHA256             of the whole file; AutoV2 is its first ten digits, what Civitai shows
AutoV1             first eight digits of the sha256 of 64 KiB at 1 MiB: what the first UIs called a file; of nothing for smaller files
AutoV3             first twelve digits of the sha256 of the tensors' bytes: the same whatever the metadata say
sshs_model_hash    all digits of that one, as kohya writes it into the metadata
sshs_legacy_hash   AutoV1 of the same tensors with no metadata but kohya's (`ss_*`), which is another than the file's AutoV1
CRC32, BLAKE3      of the whole file; Civitai lists them
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from lorasmith.adapters.files.header import read_lora_header
from lorasmith.safetensors_header import Entry, header_bytes, rows_of

_WINDOW = (0x100000, 0x110000)
_BLOCK = 1 << 20


@dataclass(frozen=True)
class FileHashes:
    """All hashes of one file, in hexadecimal digits, written as the sites write them."""

    sha256: str
    auto_v1: str
    auto_v2: str
    auto_v3: str
    sshs_model_hash: str
    sshs_legacy_hash: str
    crc32: str
    blake3: str | None
    """None where the package blake3 is not installed."""

    def as_data(self) -> dict[str, str | None]:
        """For --json."""
        return asdict(self)


def file_hashes(path: str | Path) -> FileHashes:
    """Compute every hash of a LoRA file; it is read once, from its first byte to its last.

    Raises:
        AdapterError: it is not a safetensors file.
    """
    path = Path(path)
    known = read_lora_header(path)
    start = min(entry.begin for entry in known.tensors.values())
    whole, data, crc, blake = hashlib.sha256(), hashlib.sha256(), 0, _blake3()
    with path.open("rb") as file:
        first, legacy = auto_v1(file), sshs_legacy_hash(file, known.tensors, known.metadata)
        file.seek(0)
        header = file.read(start)
        for digest in filter(None, (whole, blake)):
            digest.update(header)
        crc = zlib.crc32(header)
        while block := file.read(_BLOCK):
            for digest in filter(None, (whole, data, blake)):
                digest.update(block)
            crc = zlib.crc32(block, crc)
    sha256, model = whole.hexdigest(), data.hexdigest()
    return FileHashes(sha256, first, sha256[:10], model[:12], model, legacy, f"{crc:08X}", blake.hexdigest() if blake is not None else None)


def _blake3() -> Any:
    try:
        from blake3 import blake3
    except ImportError:
        return None
    return blake3()


def sshs_legacy_hash(file: BinaryIO, tensors: Mapping[str, Entry], metadata: Mapping[str, str]) -> str:
    """AutoV1 of an open file with no metadata but kohya's."""
    start = min(entry.begin for entry in tensors.values())
    return auto_v1_under(
        header_bytes({key: value for key, value in metadata.items() if key.startswith("ss_")}, rows_of(tensors)), file, start
    )


def model_hash(file: BinaryIO) -> str:
    """sha256 of all tensor bytes of an open safetensors file: 64 hex digits.

    The metadata does not count. kohya writes it as `sshs_model_hash`; its first 12 digits are Civitai's AutoV3.
    """
    file.seek(0)
    file.seek(8 + int.from_bytes(file.read(8), "little"))
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def auto_v1(file: BinaryIO) -> str:
    """The sha256 of 64 KiB at 1 MiB, cut to 8 digits. All files under 1 MiB have the same: e3b0c442, that of nothing."""
    file.seek(_WINDOW[0])
    return hashlib.sha256(file.read(_WINDOW[1] - _WINDOW[0])).hexdigest()[:8]


def hashes_under(header: bytes, numbers: Iterable[bytes]) -> tuple[str, str]:
    """`model_hash` and AutoV1 of the file that has this header in front of these numbers, which are read once."""
    begin, end = _WINDOW
    digest, window, at = hashlib.sha256(), header[begin:end], len(header)
    for block in numbers:
        digest.update(block)
        window += block[max(begin - at, 0) : max(end - at, 0)]
        at += len(block)
    return digest.hexdigest(), hashlib.sha256(window).hexdigest()[:8]


def auto_v1_under(header: bytes, file: BinaryIO, start: int) -> str:
    """AutoV1 of the file that has this header in front of the numbers of `file`, which begin at `start`."""
    begin, end = _WINDOW
    window = header[begin:end]
    file.seek(start + max(begin - len(header), 0))
    return hashlib.sha256(window + file.read(end - begin - len(window))).hexdigest()[:8]
