"""Very many hashes that a worker asks whether one is among them: 32 bytes each, sorted, as they travel to every worker."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


class KnownHashes:
    """The SHA-256 hashes that are known, given as 64 hexadecimal digits each."""

    def __init__(self, hashes: Iterable[str]):
        joined = b"".join(bytes.fromhex(each) for each in hashes)
        self._sorted = np.sort(np.frombuffer(joined, "S32"))

    def __len__(self) -> int:
        return len(self._sorted)

    def __contains__(self, digits: str) -> bool:
        wanted = np.array(bytes.fromhex(digits), "S32")
        place = int(np.searchsorted(self._sorted, wanted))
        return place < len(self._sorted) and bool(self._sorted[place] == wanted)
