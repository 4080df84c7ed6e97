"""Swapped blocks on a GPU: copies on a stream of their own are there when they are read, and memory is what was left out."""

import copy

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.utils.checkpoint import checkpoint

from lorasmith.models.block_swap import swap_blocks, swapped_weights
from lorasmith.models.quantize import quantize_weight
from lorasmith.training.run import train
from tests.models.toys import PLAIN, toy_folder

WIDTH, BLOCKS = 2048, 24


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        return x + self.down(nn.functional.gelu(self.up(self.norm(x))))


class Model(nn.Module):
    _repeated_blocks = ("Block",)

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))

    def forward(self, x, checkpointing):
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if checkpointing else block(x)
        return x


def quantised(model, packing):
    for block in model.blocks:
        for layer in (block.up, block.down):
            layer.weight = nn.Parameter(quantize_weight(layer.weight.data, packing, torch.bfloat16), requires_grad=False)
    return model


def steps(model, checkpointing):
    """Outputs and gradients of a few steps in which nothing makes the host wait, and the peak of memory."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    found = []
    for number in range(4):
        generator = torch.Generator("cuda").manual_seed(number)
        x = torch.randn(256, WIDTH, generator=generator, device="cuda", dtype=torch.bfloat16).requires_grad_()
        y = model(x, checkpointing)
        y.float().square().mean().backward()
        found += [y.detach(), x.grad]
    with torch.no_grad():
        found.append(model(x, False))
    peak = torch.cuda.max_memory_allocated()
    return [tensor.cpu() for tensor in found], peak  # not on the device, where they would count in the next peak


@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "checkpointed"])
@pytest.mark.parametrize("packing", [None, "int8", "fp8", "nf4"])
@pytest.mark.parametrize("count", [5, BLOCKS])
def test_the_numbers_are_those_without_swapping_and_the_memory_is_not(checkpointing, packing, count):
    torch.manual_seed(0)
    plain = Model().to("cuda", torch.bfloat16).requires_grad_(False)
    if packing is not None:
        quantised(plain, packing)
    swapped = copy.deepcopy(plain).to("cpu")
    wanted, peak = steps(plain, checkpointing)
    block = sum(
        weight.nbytes if packing is None else weight.codes.nbytes for weight in (plain.blocks[0].up.weight, plain.blocks[0].down.weight)
    )
    del plain
    swap_blocks(swapped, swapped_weights(swapped, count), "cuda")
    found, peak_of_swapped = steps(swapped.to("cuda"), checkpointing)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    assert peak_of_swapped < peak - 0.9 * (count - 2) * block


@pytest.mark.parametrize("sections", [{}, {"base": {"quantize": "fp8"}}, {"base": {"quantize": "nf4"}}], ids=["plain", "fp8", "nf4"])
@pytest.mark.parametrize("family", PLAIN)
def test_a_run_ends_in_the_same_lora(settings_for, tmp_path, family, sections):
    loras = []
    for blocks in (0, 2):
        settings = settings_for(
            training={"batch_size": 2, "mixed_precision": "bf16", "device": "cuda", "deterministic": True, "blocks_to_swap": blocks},
            base={"path": str(toy_folder(family)), **sections.get("base", {})},
            buckets={"resolution": 64, "min_bucket_reso": 32, "max_bucket_reso": 128, "bucket_reso_steps": 16},
        )  # fmt: skip
        loras.append(load_file(train(settings, tmp_path / f"{blocks}").file))
    plain, swapped = loras
    assert all(torch.equal(plain[key], swapped[key]) for key in plain)
