"""Every random draw is a pure function of what it is for.

`seed_of("noise", seed, step, sample)` names a draw; the same name gives the same numbers in any process, in any order,
after any restart. Nothing here or elsewhere in the package touches a global generator.
"""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def seed_of(*purpose: str | int) -> int:
    """A number from 0 to 2**63 - 1 for what is being drawn."""
    digest = hashlib.blake2b(repr(purpose).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def rng_for(*purpose: str | int) -> random.Random:
    """A generator of plain numbers for one purpose."""
    return random.Random(seed_of(*purpose))


def generator_for(*purpose: str | int) -> torch.Generator:
    """A generator of tensors (CPU) for one purpose."""
    import torch

    return torch.Generator().manual_seed(seed_of(*purpose))
