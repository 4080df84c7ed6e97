"""The moving average follows the weights, goes on from saved values, and gives the weights back untouched."""

import torch

from lorasmith.training.optim.ema import EMA


def test_the_average_of_a_constant_is_that_constant_after_the_start_is_forgotten():
    weight = torch.nn.Parameter(torch.zeros(3))
    ema = EMA({"w": weight}, 0.9)
    with torch.no_grad():
        weight.fill_(2.0)
    for step in range(200):
        ema.update(step)
    torch.testing.assert_close(ema.values["w"], torch.full((3,), 2.0))


def test_the_average_follows_the_formula():
    weight = torch.nn.Parameter(torch.zeros(1))
    ema = EMA({"w": weight}, 0.5)
    expected = 0.0
    for step, value in enumerate([1.0, -3.0, 2.5, 4.0]):
        with torch.no_grad():
            weight.fill_(value)
        ema.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected += (1 - decay) * (value - expected)
        assert abs(ema.values["w"].item() - expected) < 1e-6


def test_looking_at_the_average_changes_no_bit_of_the_weights():
    weight = torch.nn.Parameter(torch.randn(5).to(torch.bfloat16))
    ema = EMA({"w": weight}, 0.9)
    before = weight.detach().clone()
    ema.values["w"].add_(1.0)
    with ema.in_place():
        torch.testing.assert_close(weight.float(), before.float() + 1, atol=0.02, rtol=0.02)
    assert torch.equal(weight, before)


def test_it_goes_on_from_saved_values():
    weight = torch.nn.Parameter(torch.randn(4))
    one = EMA({"w": weight}, 0.9)
    for step in range(3):
        one.update(step)
    other = EMA({"w": weight}, 0.9)
    other.load({name: value.clone() for name, value in one.values.items()})
    one.update(3)
    other.update(3)
    assert torch.equal(one.values["w"], other.values["w"])
