"""Every family's base says on a GPU what it says on the CPU: plain, quantised, in lower precision, with its blocks computed twice."""

import pytest
import torch

from lorasmith.adapters.kinds import trainable_kinds
from lorasmith.models.open import open_base
from lorasmith.models.texts import TextOptions
from lorasmith.training.determinism import deterministic_kernels
from lorasmith.training.learner.learner import make_learner
from lorasmith.training.objective.batch_loss import PreparedBatch
from lorasmith.training.settings.tree import settings_from
from lorasmith.training.step import step
from tests.models.toys import PLAIN, TOYS, toy_folder

EPS = torch.finfo(torch.float32).eps
DEPTH = 256  # roundings on the longest path through a toy, generously: errors of float32 stay below EPS * DEPTH of the answer's size


@torch.no_grad()
def answer(base):
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(2, base.latent_channels, 8, 8, generator=generator)
    texts = base.encode_texts(["red cat", "a dog, sitting"], TextOptions())
    return base.predict(latents, torch.tensor([100, 800]), texts).float().cpu()


def error(found, wanted):
    return ((found - wanted).norm() / wanted.norm()).item()


@pytest.mark.parametrize("name", TOYS)
def test_a_base_says_the_same_as_on_the_cpu(name):
    wanted = answer(open_base(toy_folder(name), torch.float32))
    assert error(answer(open_base(toy_folder(name), torch.float32, "cuda")), wanted) < EPS * DEPTH


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_lower_precision_costs_no_more_than_its_own_roundings(name, dtype):
    wanted = answer(open_base(toy_folder(name), torch.float32))
    assert error(answer(open_base(toy_folder(name), dtype, "cuda")), wanted) < 16 * torch.finfo(dtype).eps


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("packing", ["int8", "fp8", "nf4"])
def test_a_quantised_base_says_the_same_as_on_the_cpu(name, packing):
    wanted = answer(open_base(toy_folder(name), torch.float32, "cpu", quantize=packing))
    assert error(answer(open_base(toy_folder(name), torch.float32, "cuda", quantize=packing)), wanted) < EPS * DEPTH


@pytest.mark.parametrize("name", PLAIN)
def test_pictures_are_the_same_as_on_the_cpu_but_for_roundings(name):
    pixels = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = {}
    for device in ("cpu", "cuda"):
        base = open_base(toy_folder(name), torch.float32, device)
        with torch.no_grad():
            latents = base.encode_pixels(pixels)
            found[device] = latents.cpu(), base.decode_latents(latents).cpu()
    for cpu, cuda in zip(found["cpu"], found["cuda"], strict=True):
        assert error(cuda, cpu) < EPS * DEPTH


def learned(name, device, network=None, record=False, **training):
    """The losses of six steps over batches of two shapes, two batches in the last two, and the network that they leave."""
    settings = settings_from({
        "base": {"path": str(toy_folder(name))}, "datasets": [{"path": "."}], "captions": {"trigger": "x"},
        "network": {"train_text_encoder": False, **(network or {"rank": 4})}, "training": {"epochs": 1, **training},
        "optimizer": {"learning_rate": 1e-3},
    })  # fmt: skip
    base = open_base(toy_folder(name), torch.float32, device)
    with deterministic_kernels(settings.training.deterministic, device):
        learner, _ = make_learner(settings, base)
        if settings.training.gradient_checkpointing:
            base.checkpoint_gradients()
        if record:
            learner.record_passes()
        generator = torch.Generator().manual_seed(1)
        square, wide = (
            PreparedBatch(torch.randn(2, base.latent_channels, *shape, generator=generator), ("red cat", "x, a dog"), ("a", "b"), None)
            for shape in ((8, 8), (8, 12))
        )
        losses = [
            step(learner, batches, number).loss
            for number, batches in enumerate([[square], [wide], [square], [wide]] + 2 * [[square, wide]])
        ]
    if record:
        print(name, network, learner.recorded and [(finding.message, finding.details) for finding in learner.recorded.findings])
    return losses, torch.cat([p.detach().flatten().cpu() for p in learner.parameters])


@pytest.mark.parametrize("name", TOYS)
def test_steps_are_those_of_the_cpu(name):
    """Noise and timesteps are drawn on the CPU for every device, so the losses are the same but for roundings."""
    cpu, _ = learned(name, "cpu")
    cuda, _ = learned(name, "cuda")
    assert cuda == pytest.approx(cpu, rel=EPS * DEPTH * 4)


@pytest.mark.parametrize("name", PLAIN)
def test_checkpointed_steps_are_plain_ones(name):
    plain, weights = learned(name, "cuda", deterministic=True)
    checkpointed, others = learned(name, "cuda", gradient_checkpointing=True, deterministic=True)
    assert checkpointed == pytest.approx(plain, rel=EPS * DEPTH)
    assert error(others, weights) < EPS * DEPTH * 16


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("name", PLAIN)
def test_recorded_steps_are_plain_ones(name, checkpointing):
    plain, weights = learned(name, "cuda", gradient_checkpointing=checkpointing, deterministic=True)
    recorded, others = learned(name, "cuda", record=True, gradient_checkpointing=checkpointing, deterministic=True)
    assert recorded == pytest.approx(plain, rel=EPS * DEPTH)
    assert error(others, weights) < EPS * DEPTH * 16


@pytest.mark.parametrize("kind", sorted(trainable_kinds()))
def test_networks_of_every_kind_are_recorded_or_say_why_not(kind):
    """What Python decides, or the CPU computes, in each step cannot be recorded; such kinds go on without."""
    plain, weights = learned("sd1", "cuda", network={"kind": kind})
    recorded, others = learned("sd1", "cuda", record=True, network={"kind": kind})
    assert recorded == pytest.approx(plain, rel=EPS * DEPTH * 4)
    assert error(others, weights) < 1e-2
