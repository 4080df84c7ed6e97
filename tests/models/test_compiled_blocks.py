"""Compiled blocks compute what uncompiled ones do, are compiled once for all blocks of one shape, and are left out where they do not pay."""

import pytest
import torch
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from lorasmith.adapters.kinds import trainable_kinds
from lorasmith.models.base import SizeConditioning
from lorasmith.models.compiled_blocks import compile_blocks, uncompiled
from lorasmith.models.open import open_base
from lorasmith.training.learner.learner import make_learner
from lorasmith.training.objective.batch_loss import PreparedBatch
from lorasmith.training.settings.tree import settings_from
from lorasmith.training.step import step
from tests.models import toys

ROUNDING = 2.0**-20  # of float32 sums (2^-24) whose terms are added up in another order


@pytest.fixture(autouse=True)
def forgotten():
    """What torch has compiled for one test is not used by the next one; and nothing is compiled under tests/other_cpu.py."""
    if is_in_torch_dispatch_mode():
        pytest.skip("torch compiles nothing while a mode sees every operation")
    limit = torch._dynamo.config.recompile_limit
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()
    torch._dynamo.config.recompile_limit = limit


def learner_on(toy, checkpointing=False, **network):
    """A learner whose network is no longer at its start, and a batch for it."""
    folder = toys.toy_folder(toy)
    settings = settings_from({
        "base": {"path": str(folder)}, "datasets": [{"path": "."}], "captions": {"trigger": "zorvex"},
        "network": {"train_text_encoder": False, **(network or {"rank": 4})}, "training": {"epochs": 1},
    })  # fmt: skip
    base = open_base(folder, torch.float32)
    learner, _ = make_learner(settings, base)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in learner.parameters:
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    if checkpointing:
        base.checkpoint_gradients()
    latents = torch.randn(2, base.latent_channels, 8, 8, generator=generator)
    sizes = (SizeConditioning.uncropped(64, 64),) * 2
    return learner, PreparedBatch(latents, ("zorvex, red", "happy"), ("a", "b"), sizes)


def losses_of(learner, batch):
    return [step(learner, [batch], number).loss for number in range(3)]


class Counted:
    """A backend of torch.compile that keeps count of graphs, and runs them as they are."""

    def __init__(self):
        self.graphs = 0

    def __call__(self, graph, inputs):
        self.graphs += 1
        return graph.forward


def blocks_in(learner):
    """How many blocks there are, and of how many classes and widths."""
    denoiser = learner.base.parts[learner.base.denoiser]
    found = [module for module in denoiser.modules() if type(module).__name__ in denoiser._repeated_blocks]
    kinds = {(type(module), *(tuple(p.shape) for p in module.parameters())) for module in found}
    return len(found), len(kinds)


def test_compiled_blocks_train_to_the_same_losses_and_are_compiled_once_for_each_shape():
    plain = losses_of(*learner_on("sdxl"))
    learner, batch = learner_on("sdxl")
    compile_blocks(learner.base.parts[learner.base.denoiser], backend=(backend := Counted()))
    blocks, kinds = blocks_in(learner)
    assert blocks > 2 * kinds, "the toy repeats its blocks"
    compiled = [step(learner, [batch], 0).loss]
    first = backend.graphs
    assert kinds <= first <= 2 * kinds  # a kind whose input has no gradient yet, in the first block, is compiled for that
    compiled += [step(learner, [batch], number).loss for number in (1, 2)]
    assert backend.graphs == first, "nothing in a step is new"
    assert compiled == pytest.approx(plain, rel=ROUNDING)
    assert len(set(plain)) == 3
    with uncompiled():
        half = PreparedBatch(batch.latents[:1], batch.captions[:1], batch.names[:1], batch.sizes[:1])
        step(learner, [half], 3)
    assert backend.graphs == first
    step(learner, [half], 4)
    assert backend.graphs == first + kinds or backend.graphs == 2 * first


@pytest.mark.parametrize(
    ("toy", "checkpointing"),
    [("flux", True), pytest.param("sdxl", True, marks=pytest.mark.slow), pytest.param("flux", False, marks=pytest.mark.slow)],
)
def test_blocks_of_every_class_train_to_the_same_losses(toy, checkpointing):
    plain = losses_of(*learner_on(toy, checkpointing))
    learner, batch = learner_on(toy, checkpointing)
    compile_blocks(learner.base.parts[learner.base.denoiser], backend="aot_eager")
    assert losses_of(learner, batch) == pytest.approx(plain, rel=ROUNDING)
    assert len(set(plain)) == 3


def compiled_as_a_whole(kind):
    """Not what draws anew in each step, nor what reads a mark to know how it is meant."""
    return kind.changes_weight and not kind.marks and not kind.advice.one_rank_a_batch


KINDS_OF_NETWORKS = [{"kind": name} for name, kind in trainable_kinds().items() if compiled_as_a_whole(kind)]


@pytest.mark.slow
@pytest.mark.parametrize("network", [{"dora": True}, *KINDS_OF_NETWORKS], ids=str)
def test_networks_of_every_kind_are_compiled_without_a_break(network):
    plain = losses_of(*learner_on("sd1", **network))
    learner, batch = learner_on("sd1", **network)
    compile_blocks(learner.base.parts[learner.base.denoiser], backend=(backend := Counted()))
    _, kinds = blocks_in(learner)
    assert losses_of(learner, batch) == pytest.approx(plain, rel=ROUNDING)
    assert kinds <= backend.graphs <= 2 * kinds
