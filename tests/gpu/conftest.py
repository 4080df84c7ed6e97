"""Tests of what only a GPU can show; without one they skip. TF32 is off, so that float32 means float32 on both sides."""

import pytest


@pytest.fixture(autouse=True)
def gpu():
    import torch

    if not torch.cuda.is_available():
        pytest.skip("torch sees no GPU")
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield "cuda"
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
