"""fp16 with a scaled loss, and trained weights in bf16: nothing small gets lost, and a run goes on bit for bit."""

import copy
import io
import math

import pytest
import torch

from lorasmith.adapters.attach import attach
from lorasmith.adapters.files import names as keys
from lorasmith.draws import generator_for
from lorasmith.models.open import open_base
from lorasmith.models.sampling import initial_latents
from lorasmith.models.texts import TextOptions
from lorasmith.training.learner.precision import GROWTH_INTERVAL, LossScale, in_float32, round_stochastically
from lorasmith.training.optim.optimizers import OPTIMIZERS, make_optimizer, optimizer_of, weights_for_use
from tests.models import toys

CAN_RUN_HERE = [name for name, kind in OPTIMIZERS.items() if not kind.needs_gpu]


# ---- rounding


def test_rounding_is_right_on_average_and_never_further_than_the_neighbours():
    x = torch.tensor([1.0 + 2**-10, -3.3, 1e-20, 0.1, 12345.678]).repeat(20_000, 1)
    rounded = round_stochastically(x, generator_for("test")).float()
    spacing = 2.0 ** (x.abs().log2().floor() - 7)
    assert ((rounded - x).abs() < spacing).all()
    error = (rounded.double() - x.double()).mean(0) / spacing[0]
    assert (error.abs() < 4 * 0.5 / math.sqrt(len(x))).all(), error  # four standard errors of a coin's mean


def test_numbers_of_bf16_and_no_numbers_stay_as_they_are():
    own = torch.randn(10_000, generator=generator_for("own")).to(torch.bfloat16)
    assert torch.equal(round_stochastically(own.float(), generator_for("test")), own)
    odd = torch.tensor([math.inf, -math.inf, 0.0, math.nan])
    rounded = round_stochastically(odd, generator_for("test")).float()
    assert torch.equal(rounded[:3], odd[:3])
    assert rounded[3].isnan()


def test_the_draws_depend_on_the_generator_alone():
    x = torch.randn(64, 3, generator=generator_for("x"))
    assert torch.equal(round_stochastically(x, generator_for("a", 1)), round_stochastically(x, generator_for("a", 1)))
    assert not torch.equal(round_stochastically(x, generator_for("a", 1)), round_stochastically(x, generator_for("a", 2)))


def test_many_small_steps_arrive_where_rounding_to_the_nearest_loses_them():
    step, count = 1e-4, 1000
    nearest = torch.ones(2000, dtype=torch.bfloat16)
    weight = torch.nn.Parameter(torch.ones(2000, dtype=torch.bfloat16))
    for number in range(count):
        nearest += step
        with in_float32({"w": weight}, seed=1, step=number), torch.no_grad():
            weight += step
    assert (nearest == 1).all()
    assert weight.dtype == torch.bfloat16
    assert weight.float().mean().item() == pytest.approx(1 + step * count, abs=0.002)


# ---- weights in bf16 under every optimizer


def problem():
    """Two factors of a LoRA, one of a convolution, and their distance from wanted products; as in test_optimizers."""
    generator = torch.Generator().manual_seed(0)
    weights = {name: torch.nn.Parameter((0.3 * torch.randn(shape, generator=generator)).bfloat16()) for name, shape in SHAPES.items()}
    x, y = torch.randn(64, 12, generator=generator), torch.randn(64, 10, generator=generator)
    image = torch.randn(2, 6, 5, 5, generator=generator)

    def loss():
        down, up, conv = (weight.float() for weight in weights.values())
        return (x @ down.T @ up.T - y).square().mean() + torch.nn.functional.conv2d(image, conv).square().mean()

    return weights, loss


SHAPES = {"down": (4, 12), "up": (10, 4), "conv": (4, 6, 3, 3)}


def start(name):
    weights, loss = problem()
    rate = 1.0 if optimizer_of(name).learning_rate_free else 3e-3
    with in_float32(weights, 1, 0):
        optimizer = make_optimizer(name, [{"params": list(weights.values()), "lr": rate, "name": "unet"}], {})
    if optimizer_of(name).schedule_free:
        optimizer.train()
    return weights, loss, optimizer


def steps(numbers, weights, loss, optimizer):
    for number in numbers:
        optimizer.zero_grad(set_to_none=True)
        loss().backward()
        with in_float32(weights, 1, number):
            optimizer.step()
    return loss().item()


def as_used(name, weights, optimizer, loss):
    with in_float32(weights, 1, 0), weights_for_use(name, optimizer):
        return loss().item()


@pytest.mark.parametrize("name", CAN_RUN_HERE)
def test_every_optimizer_lowers_the_loss_of_weights_in_bf16(name):
    weights, loss, optimizer = start(name)
    before = loss().item()
    steps(range(150), weights, loss, optimizer)
    assert as_used(name, weights, optimizer, loss) < 0.97 * before
    assert all(w.dtype == torch.bfloat16 for w in weights.values())
    states = [v for s in optimizer.state.values() for v in s.values() if torch.is_tensor(v) and v.is_floating_point()]
    assert all(v.dtype == torch.float32 for v in states), "its memory of small gradients is fp32"


@pytest.mark.parametrize("name", CAN_RUN_HERE)
def test_every_optimizer_goes_on_bit_for_bit_with_weights_in_bf16(name):
    straight, loss, optimizer = start(name)
    steps(range(7), straight, loss, optimizer)
    saved = io.BytesIO()
    torch.save({"optimizer": optimizer.state_dict(), "weights": {k: w.detach() for k, w in straight.items()}}, saved)
    as_used(name, straight, optimizer, loss)
    steps(range(7, 12), straight, loss, optimizer)

    again, loss, optimizer = start(name)
    state = torch.load(io.BytesIO(saved.getvalue()), weights_only=True)
    with torch.no_grad():
        for key, weight in again.items():
            weight.copy_(state["weights"][key])
    with in_float32(again, 1, 7):
        optimizer.load_state_dict(state["optimizer"])
    steps(range(7, 12), again, loss, optimizer)
    assert all(torch.equal(straight[key], again[key]) for key in straight)


def test_weights_in_fp32_are_left_alone():
    weight = torch.nn.Parameter(torch.tensor([1.0 + 2**-20]))
    weight.grad = torch.ones(1)
    with in_float32({"w": weight}, 1, 1):
        weight.data += 2**-20
    assert weight.item() == 1.0 + 2**-19
    assert weight.grad is not None


# ---- the loss scale


def test_the_scale_leaves_out_a_step_that_overflows_and_grows_again():
    scale = LossScale()
    weight = torch.nn.Parameter(torch.tensor([1.0]))
    scale.scaled((weight * 3).sum()).backward()
    assert weight.grad.item() == 3 * 2**16
    scale.unscale([weight])
    assert weight.grad.item() == 3
    assert scale.after_step(finite=False)
    assert scale.scale == 2**15
    for _ in range(GROWTH_INTERVAL):
        assert not scale.after_step(finite=True)
    assert scale.scale == 2**16


def test_numbers_that_no_scale_mends_are_not_blamed_on_it():
    scale = LossScale()
    blamed = [scale.after_step(finite=False) for _ in range(18)]
    assert blamed == [True] * 16 + [False] * 2
    assert scale.scale == 1


def test_the_scale_goes_on_from_its_state():
    scale = LossScale()
    for finite in (True, False, True, True):
        scale.after_step(finite)
    again = LossScale.from_state(copy.deepcopy(scale.state()))
    assert again == scale
    assert again.state() == {"scale": 2.0**15, "clean_steps": 2}


def test_the_scale_saves_gradients_that_fp16_would_lose():
    x = torch.full((4, 8), 1e-3, dtype=torch.float16)
    found = []
    for scale in (LossScale(scale=1.0), LossScale()):
        weight = torch.nn.Parameter(torch.ones(8))
        loss = (x @ weight.half()).float().mean() * 1e-5
        scale.scaled(loss).backward()
        scale.unscale([weight])
        found.append(weight.grad[0].item())
    assert found[0] == 0
    assert found[1] == pytest.approx(1e-8, rel=1e-2)


def train(name, dtype, count=6):
    """The losses of a LoRA on every part of a toy base whose weights are of this type."""
    base = open_base(toys.toy_folder(name), dtype)
    adapters = [attach(module, keys.targets(base.family, part, module), 4, 4.0, seed=1) for part, module in toys.carrying(base).items()]
    parameters = [p for adapter in adapters for p in adapter.parameters()]
    optimizer, scale = torch.optim.AdamW(parameters, lr=1e-2), LossScale() if dtype == torch.float16 else LossScale(scale=1.0)
    noisy = initial_latents(base, [1, 2], toys.PICTURE, toys.PICTURE)
    timesteps = torch.tensor([100, 700]) if base.diffusion.prediction_type != "flow" else torch.tensor([100.0, 700.0])
    losses: list[float] = []
    while len(losses) < count:
        texts = base.encode_texts(["a happy red cat", "the big dog"], TextOptions())
        loss = (base.predict(noisy, timesteps, texts).float() - noisy).square().mean()
        optimizer.zero_grad()
        scale.scaled(loss).backward()
        scale.unscale(parameters)
        finite = math.isfinite(torch.nn.utils.clip_grad_norm_(parameters, 1.0).item())
        assert finite or scale.scale > 1
        scale.after_step(finite)
        if finite:
            optimizer.step()
            losses.append(loss.item())
    assert all(p.dtype == torch.float32 for p in parameters)
    return losses


@pytest.mark.parametrize("name", [toy for toy in toys.quick_and_slow() if toy != "sd2"])  # its layers are those of sdxl
def test_every_family_trains_in_fp16_nearly_as_in_fp32(name):
    half, full = train(name, torch.float16), train(name, torch.float32)
    assert half[-1] < 0.97 * half[0]
    assert half == pytest.approx(full, rel=0.02)
