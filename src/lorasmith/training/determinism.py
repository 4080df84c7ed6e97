"""The same settings give the same bytes: always on a CPU with the same number of threads, on a GPU with deterministic kernels.

Many of a GPU's kernels add up in whatever order their threads finish, so the last digits differ from run to run, and a resumed run
differs from an uninterrupted one. torch has slower kernels that keep to one order, and refuses operations that have none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


@contextmanager
def deterministic_kernels(wanted: bool, device: str) -> Iterator[None]:
    """Within the block the kernels of a GPU keep to one order; on a CPU, or where it is not wanted, nothing changes."""
    if not wanted or device == "cpu":
        yield
        return
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark, os.environ.get(WORKSPACE)
    os.environ.setdefault(WORKSPACE, ":4096:8")  # cuBLAS keeps to one order only with fixed buffers; it looks at its first call
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False  # it would choose by time, another kernel each time
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]
        if before[2] is None:
            del os.environ[WORKSPACE]
