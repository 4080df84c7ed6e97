"""Tensors that wait on the disk are the same numbers, and leave nothing behind."""

import pytest
import torch

from lorasmith.adapters.tools.disk_tensors import DiskTensors


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_the_numbers_come_back_in_their_shape_and_dtype(dtype, tmp_path):
    tensors = [
        torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype) for shape in ((3, 5), (7,), (2, 3, 1, 1), (), (0, 4))
    ]
    with DiskTensors(tmp_path) as disk:
        kept = [disk.keep(tensor) for tensor in (*tensors, tensors[0].T)]
        for before, after in zip((*tensors, tensors[0].T), kept, strict=True):
            assert after.dtype == dtype
            assert torch.equal(before, after)
        kept[0] += 1  # what is done to one stays with it
        assert torch.equal(kept[1], tensors[1])
    assert not list(tmp_path.iterdir())
