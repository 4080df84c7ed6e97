"""One optimizer step: however it is cut into batches, each sample counts alike."""

from dataclasses import replace

import pytest
import torch

from lorasmith.models.open import open_base
from lorasmith.training.learner.learner import make_learner
from lorasmith.training.objective.batch_loss import PreparedBatch
from lorasmith.training.step import step


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
