"""The repeated blocks of a denoiser, compiled by torch: every step is faster, the first ones take much longer.

A denoiser is a few blocks over and over. Each is compiled by itself ("regional compilation"), and blocks of one kind and width share what was
compiled, so that this takes as long as compiling two to four blocks, however deep the model is. What is before, between and after them
stays as it was, and so do its modules, their names and its adapters.

Code is compiled for fixed sizes: for each size of pictures and of batches once more. Where numbers are wanted once, as in samples, that
would be wasted: `uncompiled`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

MOST_VARIANTS = 256
"""Sizes for which one block is compiled at most; torch's own limit, after which it goes back to uncompiled code, is eight."""


def compile_blocks(denoiser: Any, backend: str = "inductor") -> None:
    """From now on run the denoiser's repeated blocks compiled; adapters must be attached, and stay."""
    import torch._dynamo

    from lorasmith.models.block_swap import repeated_blocks

    torch._dynamo.config.recompile_limit = MOST_VARIANTS
    for block in repeated_blocks(denoiser).values():
        block.compile(backend=backend, dynamic=False)


@contextmanager
def uncompiled(compiled: bool = True) -> Iterator[None]:
    """Within the block nothing is compiled, and nothing compiled is used; without effect where nothing is `compiled` in the first place."""
    if not compiled:
        yield
        return
    import torch

    with torch.compiler.set_stance("force_eager"):
        yield
