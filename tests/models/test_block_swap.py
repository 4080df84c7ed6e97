"""Blocks whose weights are kept in the host's memory: which ones, where their numbers are at what moment, and that nothing else changes."""

import pytest
import torch
from torch import nn

from lorasmith.adapters.attach import attach_network
from lorasmith.adapters.base_weights import empty_base
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.kinds import KINDS, trainable_kinds
from lorasmith.errors import BaseModelError, SettingsError
from lorasmith.models.block_swap import BlockSwap, SwappedWeight, repeated_blocks, swap_blocks, swapped_weights
from lorasmith.models.families import FAMILIES
from lorasmith.models.open import describe, load_base
from lorasmith.models.quantize import FP8, PACKINGS, QuantizedWeight
from lorasmith.models.sampling import initial_latents
from lorasmith.models.texts import TextOptions
from tests.models import toys

SIZE = toys.PICTURE


def opened(name, blocks_to_swap, quantize="none", dtype=torch.float32):
    return load_base(describe(toys.toy_folder(name)), dtype, "cpu", quantize, blocks_to_swap)


def denoiser(base):
    return base.parts[base.denoiser]


def swapped(base):
    """The swapped weights of a base's denoiser, by name; of quantised ones the codes."""
    inner = {n: p.codes if isinstance(p, QuantizedWeight) else p for n, p in denoiser(base).named_parameters()}
    return {name: weight for name, weight in inner.items() if isinstance(weight, SwappedWeight)}


def swap_of(base):
    return next(iter(swapped(base).values())).block.swap


def learned(base, settings, steps=2):
    """Losses and gradients of a network on the denoiser over some steps."""
    part, module = base.denoiser, denoiser(base)
    adapter = attach_network(module, keys.targets(base.family, part, module), settings, seed=1)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in adapter.parameters():
            if parameter.is_floating_point():
                parameter.add_(torch.empty_like(parameter).normal_(0, 0.02, generator=generator))
    timesteps = torch.tensor([100.0, 700.0]) if base.diffusion.prediction_type == "flow" else torch.tensor([100, 700])
    with torch.no_grad():
        texts = base.encode_texts(["a happy red cat", "the big dog, sad"], TextOptions())
    found = []
    for step in range(steps):
        with adapter.at_step(seed=1, step=step):
            loss = base.predict(initial_latents(base, [1, 2], SIZE, SIZE), timesteps, texts).square().mean()
            loss.backward()
        found += [loss.detach(), *(p.grad for p in adapter.parameters() if p.grad is not None)]
        adapter.zero_grad()
    adapter.detach()
    return found


def assert_same(found, expected):
    assert len(found) == len(expected)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


# ---- which blocks


@pytest.mark.parametrize(
    ("toy", "blocks"),
    [
        ("sd1", 16),
        ("sd2", 16),
        ("sdxl", 17),
        ("flux", 2),
        ("chroma", 2),
        ("zimage", 4),
        ("lumina2", 4),
        ("krea2", 2),
        ("klein", 2),
        ("sd3", 2),
    ],
)
def test_the_blocks_are_those_that_the_architecture_repeats(toy, blocks):
    base = empty_base(describe(toys.toy_folder(toy)))
    found = repeated_blocks(base.parts[FAMILIES[base.family].denoiser])
    assert len(found) == blocks
    assert not any(a != b and b.startswith(f"{a}.") for a in found for b in found), "none is in another"


def model_of(count):
    class Model(nn.Module):
        _repeated_blocks = ("Block",)

        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList(Block() for _ in range(count))

        def forward(self, x):
            for block in self.blocks:
                x = block(x)
            return x

    torch.manual_seed(0)
    return Model().requires_grad_(False)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.linear, self.conv = nn.LayerNorm(8), nn.Linear(8, 8), nn.Conv1d(4, 4, 1)

    def forward(self, x):
        return torch.nn.functional.silu(self.conv(self.linear(self.norm(x))))


def test_they_are_spread_evenly_and_norms_and_biases_stay():
    assert list(swapped_weights(model_of(10), 3)) == ["blocks.1", "blocks.5", "blocks.8"]
    assert list(swapped_weights(model_of(4), 4)) == [f"blocks.{k}" for k in range(4)]
    assert swapped_weights(model_of(10), 1) == {"blocks.5": ["blocks.5.linear.weight", "blocks.5.conv.weight"]}


def test_more_blocks_than_there_are_is_refused_with_their_number():
    with pytest.raises(SettingsError, match="blocks_to_swap is 5, but this base has 4 blocks to swap. Set it to 4 or less"):
        swapped_weights(model_of(4), 5)


# ---- where the numbers are


def test_two_blocks_at_most_are_on_the_device_and_the_next_one_is_fetched_while_one_computes(monkeypatch):
    copies = []
    copy = BlockSwap._copy
    monkeypatch.setattr(BlockSwap, "_copy", lambda swap, block, slot: copies.append(block.path[-1]) or copy(swap, block, slot))
    model = model_of(5)
    swap_blocks(model, swapped_weights(model, 5), "cpu")
    swap = model.blocks[0].linear.weight.block.swap
    read = []  # the block that computes, with what is on the device then
    for number, block in enumerate(model.blocks):
        block.conv.register_forward_hook(
            lambda *_, number=number: read.append((number, {slot.block.path[-1] for slot in swap._slots if slot.block}))
        )

    def step():
        copies.clear()
        read.clear()
        x = torch.ones(2, 4, 8, requires_grad=True)
        y = model(x)
        forward = list(copies)
        y.sum().backward()
        return forward, copies[len(forward) :]

    assert step() == (list("01234"), list("210")), "3 was still there from the forward pass"
    assert step()[1] == list("210")
    forward, backward = step()
    assert (forward, backward) == (list("234"), list("210")), "0 and 1 were there, and each of the others was copied once"
    assert [number for number, _ in read] == [0, 1, 2, 3, 4]
    assert all(str(number) in resident and len(resident) <= 2 for number, resident in read)
    assert read[1][1] == {"1", "2"}, "while 1 computes, 2 is there or on its way"
    assert sum(slot.memory.nbytes for slot in swap._slots) == 2 * max(len(block.host) for block in swap.blocks)


def test_autograd_keeps_what_is_on_the_host():
    model = model_of(6)
    swap_blocks(model, swapped_weights(model, 6), "cpu")
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        model(torch.ones(2, 4, 8, requires_grad=True))
    swap = model.blocks[0].linear.weight.block.swap
    slots = {slot.memory.untyped_storage().data_ptr() for slot in swap._slots}
    plain = [tensor for tensor in kept if not isinstance(tensor, SwappedWeight)]
    assert len(kept) - len(plain) >= 12, "two weights of each block"
    assert not any(tensor.untyped_storage().data_ptr() in slots for tensor in plain)


def test_weights_say_that_they_are_on_the_device_and_their_numbers_are_on_the_host():
    model = model_of(3)
    swap_blocks(model, swapped_weights(model, 3), "meta")
    weight = model.blocks[1].linear.weight
    assert weight.device.type == "meta"
    assert weight.block.host.device.type == "cpu"
    assert torch.equal(weight.host, model_of(3).blocks[1].linear.weight)
    assert (weight.t() @ torch.empty(8, 2, device="meta")).device.type == "meta"


def test_they_cannot_be_written():
    model = model_of(2)
    swap_blocks(model, swapped_weights(model, 1), "cpu")
    with torch.no_grad(), pytest.raises(BaseModelError, match="swapped blocks cannot be changed"):
        model.blocks[1].linear.weight.mul_(2)


# ---- the same results


@pytest.mark.parametrize("toy", [toy for toy in toys.quick_and_slow() if toy != "sd2"])  # its blocks are those of sdxl
def test_losses_and_gradients_are_those_without_swapping_bit_for_bit(toy):
    settings = KINDS["lora"].layer_settings(rank=2, alpha=2.0, dropout=0.2)
    plain, base = opened(toy, 0), opened(toy, 2)
    assert [len({weight.block.path for weight in swapped(one).values()}) for one in (plain, base)] == [0, 2]
    assert_same(learned(base, settings), learned(plain, settings))
    for one in (plain, base):
        one.checkpoint_gradients()
    assert_same(learned(base, settings), learned(plain, settings))


@pytest.fixture(scope="module")
def without_and_with_swapping():
    return [opened("sd1", blocks) for blocks in (0, 16)]


@pytest.mark.parametrize("kind", trainable_kinds())
def test_every_kind_of_network_trains_on_swapped_blocks(without_and_with_swapping, kind):
    settings = KINDS[kind].layer_settings(rank=4)
    assert_same(*[learned(base, settings, steps=1) for base in without_and_with_swapping])


@pytest.mark.parametrize("quantize", PACKINGS)
@pytest.mark.parametrize("toy", ["sd1", "flux"])
def test_quantised_weights_are_swapped_in_their_quantised_form(toy, quantize):
    settings = KINDS["lora"].layer_settings(rank=2, alpha=2.0)
    plain, base = opened(toy, 0, quantize), opened(toy, 2, quantize)
    assert {weight.dtype for weight in swapped(base).values()} <= {torch.int8, FP8, torch.uint8}
    assert sum(len(block.host) for block in swap_of(base).blocks) > 0
    assert_same(learned(base, settings), learned(plain, settings))
