"""The same settings give the same bytes: always on a CPU with the same number of threads, on a GPU with deterministic kernels.

Many GPU kernels add up in whatever order their threads finish, so the last digits differ from run to run, and a resumed run differs from
an uninterrupted one. torch has slower kernels that keep to one order, and refuses operations that have none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


@contextmanager
def deterministic_kernels(enabled: bool, device: str) -> Iterator[None]:
    """Within the block a GPU's kernels keep to one order; on a CPU, or where not `enabled`, nothing changes."""
    if not enabled or device == "cpu":
        yield
        return
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark, os.environ.get(WORKSPACE)
    os.environ.setdefault(WORKSPACE, ":4096:8")  # cuBLAS keeps to one order only with fixed buffers; it reads this at its first call
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False  # it would choose kernels by their speed, others each time
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]
        if before[2] is None:
            del os.environ[WORKSPACE]
