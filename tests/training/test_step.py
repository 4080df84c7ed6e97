"""One optimizer step: however it is cut into batches, each sample counts alike."""

from dataclasses import replace

import pytest
import torch

from lorasmith.models.base import SizeConditioning
from lorasmith.models.open import describe, open_base
from lorasmith.models.texts import TextOptions
from lorasmith.training import step as step_module
from lorasmith.training.forecast.rehearsal import blank_base
from lorasmith.training.forecast.watch import Watch
from lorasmith.training.learner.learner import make_learner
from lorasmith.training.learner.text_states import TextStates
from lorasmith.training.objective.batch_loss import PreparedBatch
from lorasmith.training.settings.tree import settings_from
from lorasmith.training.step import ready, step
from tests.models import toys


def cut(batch, sizes):
    """The batch in pieces of these sizes."""
    pieces, first = [], 0
    for size in sizes:
        end = first + size
        pieces.append(
            replace(
                batch,
                latents=batch.latents[first:end],
                captions=batch.captions[first:end],
                names=batch.names[first:end],
                first_sample=first,
            )
        )
        first = end
    return pieces


@pytest.mark.parametrize("sizes", [(2, 2), (3, 1), (1, 1, 2)])
@pytest.mark.parametrize("preservation", [0.0, 0.5])
def test_accumulated_batches_of_any_size_make_the_gradient_of_one_large_batch(settings_for, toy_base, sizes, preservation):
    made = settings_for(loss={"prior_preservation": preservation}, training={"max_grad_norm": 0})
    learner, _ = make_learner(made, open_base(toy_base, torch.float32))
    latents = torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    batch = PreparedBatch(latents, ("zorvex, red", "zorvex", "happy", "zorvex, beach"), ("a", "b", "c", "d"))
    found = []
    for batches in ([batch], cut(batch, sizes)):
        learner.set_rates(0.0)  # the gradient alone: no weight moves
        loss = step(learner, batches, 3).loss
        found.append((torch.cat([p.grad.flatten() for p in learner.parameters if p.grad is not None]), loss))
    (whole, loss), (accumulated, loss_of_pieces) = found
    assert loss_of_pieces == pytest.approx(loss, rel=1e-4)
    assert (accumulated - whole).norm() < 1e-4 * whole.norm()  # float32, added up in another order


class Read(Exception):
    """The step's numbers were asked for."""


@pytest.mark.parametrize(
    ("toy", "precision", "accumulated"), [("sd1", "bf16", 2), ("sd1", "fp16", 1), *((toy, "bf16", 1) for toy in ("sdxl", "flux"))]
)
def test_a_step_reads_no_number_before_all_of_its_gradients_are_queued(toy, precision, accumulated, monkeypatch):
    """The meta device has no numbers: whoever reads one there gets an error, where a GPU would make the CPU wait."""
    folder, sizes = toys.toy_folder(toy), (SizeConditioning((100, 80), (4, 0), (64, 64)),) * 2
    settings = settings_from({
        "base": {"path": str(folder)}, "datasets": [{"path": ".", "loss_weight": 0.5}], "captions": {"trigger": "zorvex"},
        "network": {"train_text_encoder": False, "dropout": 0.1, "rank_dropout": 0.1}, "training": {"epochs": 1, "mixed_precision": precision},
        "loss": {"prior_preservation": 0.5, "loss_type": "huber"}, "optimizer": {"args": {"fused": False}},
    })  # fmt: skip
    base = blank_base(describe(folder), torch.bfloat16)
    learner, _ = make_learner(settings, base)
    learner.texts = TextStates(base, TextOptions(), trained=True)  # encodes on the meta device as well
    latents = torch.randn(2, base.latent_channels, 8, 8)
    batch = PreparedBatch(latents, ("zorvex, red", "happy"), ("a", "b"), sizes, torch.tensor([1.0, 0.5]), torch.ones(2, 1, 8, 8))

    def read(queued, numbers):
        assert [len(one.losses) for one in queued] == [2] * accumulated
        assert numbers.is_meta
        raise Read

    monkeypatch.setattr(step_module, "_read", read)
    with Watch() as device, device.as_on_a_device(), pytest.raises(Read):
        step(learner, [batch] * accumulated, 3)


@pytest.mark.parametrize("optimizer", ["AdamW", "Muon"])
def test_a_batch_that_is_not_finite_changes_no_weight_and_is_named(settings_for, toy_base, optimizer):
    learner, _ = make_learner(settings_for(optimizer={"type": optimizer}), open_base(toy_base, torch.float32))
    before = [p.detach().clone() for p in learner.parameters]
    latents = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    latents[1, 0, 0, 0] = torch.nan
    batches = cut(PreparedBatch(latents, ("zorvex, red", "zorvex"), ("good", "bad")), (1, 1))
    result = step(learner, batches, 3)
    assert [sample.name for sample in result.non_finite] == ["bad"]
    assert all(torch.equal(a, b) for a, b in zip(before, learner.parameters, strict=True))
    assert not any(tensor.any() for state in learner.optimizer.state.values() for tensor in state.values())
    assert not step(learner, batches[:1], 3).non_finite, "nothing of it is left for the next step"
    assert learner.is_finite


def test_batches_that_were_made_ready_ahead_train_to_the_same_bytes(settings_for, toy_base):
    latents = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    batches = cut(PreparedBatch(latents, ("zorvex, red", "zorvex"), ("a", "b")), (1, 1))
    made = settings_for(network={"rank": 2, "train_text_encoder": False}, noise={"noise_offset": 0.05})
    found = []
    for ahead in (False, True):
        learner, _ = make_learner(made, open_base(toy_base, torch.float32))
        prepared = [[ready(learner, batch, number) for batch in batches] if ahead else batches for number in range(3)]
        found.append(([step(learner, each, number) for number, each in enumerate(prepared)], learner.parameters))
    assert found[0][0] == found[1][0]
    assert all(torch.equal(a, b) for a, b in zip(found[0][1], found[1][1], strict=True))


def test_an_update_that_is_queued_before_the_numbers_are_read_moves_weights_as_one_that_comes_after(settings_for, toy_base, monkeypatch):
    latents = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    batches = cut(PreparedBatch(latents, ("zorvex, red", "zorvex"), ("a", "b")), (1, 1))
    found, when = [], []
    for queued in (True, False):
        learner, _ = make_learner(settings_for(), open_base(toy_base, torch.float32))
        assert step_module._can_skip_on_device(learner)
        if not queued:
            monkeypatch.setattr(step_module, "_can_skip_on_device", lambda learner: False)

        def meanwhile(learner=learner):
            when.append(bool(learner.optimizer.state))

        results = [step(learner, batches, number, meanwhile=meanwhile) for number in range(3)]
        found.append((results, [p.detach() for p in learner.parameters]))
    assert when == [True] * 3 + [False, True, True]
    assert found[0][0] == found[1][0]
    assert all(torch.equal(a, b) for a, b in zip(found[0][1], found[1][1], strict=True))


@pytest.mark.parametrize(
    "sections",
    [{"training": {"ema_decay": 0.9}}, {"network": {"rank": 2, "scale_weight_norms": 1.0}}, {"training": {"weight_dtype": "bf16"}}],
)
def test_what_follows_the_optimizer_waits_for_the_numbers(settings_for, toy_base, sections):
    learner, _ = make_learner(settings_for(**sections), open_base(toy_base, torch.float32))
    assert not step_module._can_skip_on_device(learner)
